# SPDX-License-Identifier: Apache-2.0
"""How an encoder of sentences answers on older processors, on thousands of sentences.

    python bench/tier_texts.py measure FOLDER MODEL FLOAT_MODEL    prints {processor: worth}
    python bench/tier_texts.py embed TEXTS TO MODEL                one processor's part of it

worth is {"text", "points"}, the points in percent: how MODEL's pooled embeddings agree with the
float model's of the same processor (cosine, neighbour), and with those that the float model has on
this processor as it is (cosine_one, neighbour_one). The text also says how the float model agrees
with itself there: no file can be steadier. FOLDER keeps the sentences and the float model's
embeddings for the next file.
"""
import json
import pathlib
import sys

import numpy

import library_texts
from running import ROOT, run
from task_metrics import agreement, embed, tokenize

sys.path.append(str(ROOT / "tests/cpu_tiers"))
import tiers  # noqa: E402  pylint: disable=wrong-import-position  (found by the line above)

TIERS = {"native": set(), "avx512": {"avx512bw"}, "avx2": {"avx2"}, "avx": {"avx"}, "sse41": set()}


def known_tiers():
    """This processor, and those that it can stand in for."""
    return [tier for tier, needed in TIERS.items() if needed <= tiers.features()]


def write_texts(folder, model):
    """The sentences' token ids, one array a sentence; made once."""
    to = folder / "texts.npz"
    if not to.exists():
        folder.mkdir(exist_ok=True)
        numpy.savez(to, *tokenize(model.parent, library_texts.sentences()))
    return to


def embedded(folder, model, tier):
    """The model's embeddings as a processor computes them."""
    to = folder / f"{tier}.npy"
    run([sys.executable, __file__, "embed", folder / "texts.npz", to, model],
        tiers.environment(tier))
    return numpy.load(to)


def embedded_once(folder, model, tier):
    """Likewise, kept for the next time."""
    kept = folder / f"float_{tier}.npy"
    if not kept.exists():
        numpy.save(kept, embedded(folder, model, tier))
    return numpy.load(kept)


def measure(folder, model, float_model):
    """Processor -> worth."""
    write_texts(folder, float_model)
    one = embedded_once(folder, float_model, "native")
    found = {}
    for tier in known_tiers():
        theirs, ours = embedded_once(folder, float_model, tier), embedded(folder, model, tier)
        same, other, floats = agreement(ours, theirs), agreement(ours, one), agreement(theirs, one)
        found[tier] = {
            "points": same | {f"{key}_one": value for key, value in other.items()},
            "text": f"{words(same)} of {len(one)}; beside one float model {words(other)}, "
                    f"the float model itself {words(floats)}"}
    return found


def words(points):
    """For people."""
    return f"cosine {points['cosine'] / 100:.5f}, neighbour {points['neighbour'] / 100:.4f}"


def write_embeddings(texts, to, model):
    """Those of all sentences."""
    numpy.save(to, embed(model, list(numpy.load(texts).values())))


if __name__ == "__main__":
    paths = map(pathlib.Path, sys.argv[2:])
    if sys.argv[1] == "embed":
        write_embeddings(*paths)
    elif why_not := tiers.obstacle():
        sys.exit(why_not)
    else:
        print(json.dumps(measure(*paths), default=float))
