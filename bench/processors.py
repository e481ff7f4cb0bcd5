# SPDX-License-Identifier: Apache-2.0
"""A file's answers and speed on other processors that this one can stand in for.

    python bench/processors.py bits TASK MODEL FLOAT_MODEL          bits of answers
    python bench/processors.py tiers TASK MODEL FLOAT_MODEL [NPZ]   scores, and speed by that input

bits prints, for each pair of ways to run a model that may differ by saturation only
(tests/cpu_tiers/tiers.py), on how many inputs every bit is the same, and of how many. tiers prints,
for each older processor, {"text", "points", "speed"} (bench/task_metrics.py; the median of a few
processes and their ends).
"""
import json
import pathlib
import sys

from running import ROOT, run, score, time_files

sys.path.append(str(ROOT / "tests/cpu_tiers"))
import tiers  # noqa: E402  pylint: disable=wrong-import-position  (found by the line above)

OLDER = ("avx2", "avx", "sse41")


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


def measure_tiers(task, output, model, sample=None):
    """Tier -> what the file is worth there."""
    found = {}
    for tier in OLDER:
        environment = tiers.environment(tier)
        worth = score(sys.executable, task, output, model, environment)
        files = (model, output, sample)
        found[tier] = {**worth._asdict(),
                       "speed": time_files(sys.executable, files, environment) if sample else None}
    return found


if __name__ == "__main__":
    if why_not := tiers.obstacle():
        sys.exit(why_not)
    work = {"bits": compare_bits, "tiers": measure_tiers}[sys.argv[1]]
    print(json.dumps(work(sys.argv[2], *map(pathlib.Path, sys.argv[3:]))))
