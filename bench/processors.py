# SPDX-License-Identifier: Apache-2.0
"""A file's answers and speed on other processors that this one can stand in for.

    python bench/processors.py bits TASK MODEL FLOAT_MODEL
    python bench/processors.py tiers TASK MODEL FLOAT_MODEL FOLDER [NPZ]

bits prints, for each pair of ways to run a model that may differ by saturation only
(tests/cpu_tiers/tiers.py), on how many inputs every bit is the same, and of how many. tiers prints,
for this processor and each older one, {"text", "points", "speed"}: what bench/task_metrics.py says
of it, or of texts bench/tier_texts.py on more of them, which keeps some of its work in FOLDER; and
on older ones the speed on the input NPZ, the median of a few processes and their ends.
"""
import json
import pathlib
import sys

import tier_texts
from running import run, score, time_files
from tier_texts import ROOT, tiers


def digests(task, output, model, way):
    """Of the answers, run in one way."""
    tier, *options = way
    environment = tiers.environment(tier) | ({"EXACT_INTEGERS": "1"} if options else {})
    return json.loads(run([sys.executable, ROOT / "bench/task_metrics.py", task, "--digests",
                           output, model], environment)[0])


def compare_bits(task, output, model):
    """Pair -> [inputs with the same answers, inputs]."""
    found = {}
    for name, (saturating, exact, needed) in tiers.PAIRS.items():
        if needed <= tiers.features():
            first, second = (digests(task, output, model, way) for way in (saturating, exact))
            found[name] = [sum(a == b for a, b in zip(first, second)), len(first)]
    return found


def scores(task, output, model, folder):
    """Processor -> {"text", "points"}."""
    if task == "texts":
        return tier_texts.measure(folder, output, model)
    return {tier: score(sys.executable, task, output, model, tiers.environment(tier))._asdict()
            for tier in tier_texts.known_tiers()}


def measure_tiers(task, output, model, folder, sample=None):
    """Processor -> what the file is worth there."""
    found = scores(task, output, model, folder)
    for tier, worth in found.items():
        is_timed = sample and tier != "native"
        worth["speed"] = time_files(sys.executable, (model, output, sample),
                                    tiers.environment(tier)) if is_timed else None
    return found


if __name__ == "__main__":
    if why_not := tiers.obstacle():
        sys.exit(why_not)
    work = {"bits": compare_bits, "tiers": measure_tiers}[sys.argv[1]]
    print(json.dumps(work(sys.argv[2], *map(pathlib.Path, sys.argv[3:])), default=float))
