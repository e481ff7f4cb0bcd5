# SPDX-License-Identifier: Apache-2.0
"""How an encoder of sentences answers on older processors, on thousands of sentences.

    python bench/tier_texts.py measure FOLDER MODEL FLOAT_MODEL    prints {processor: worth}
    python bench/tier_texts.py embed TEXTS TO MODEL                one processor's part of it

worth is {"text", "points"}, the points in percent: how MODEL's pooled embeddings agree with the
float model's of the same processor (cosine, neighbour), and with those that the float model has on
this processor as it is (cosine_one, neighbour_one). The text also says how the float model agrees
with itself there: no file can be steadier. FOLDER keeps sentences and embeddings for the next time.
"""
import hashlib
import importlib.metadata
import json
import pathlib
import sys

import numpy
import onnxruntime

import library_texts
from running import ROOT, cpu_features, run
from task_metrics import agreement, embed, tokenize

sys.path.append(str(ROOT / "tests/cpu_tiers"))
import tiers  # noqa: E402  pylint: disable=wrong-import-position  (found by the line above)

TIERS = {"native": set(), "avx512": {"avx512bw"}, "avx2": {"avx2"}, "avx": {"avx"}, "sse41": set()}


def known_tiers():
    """This processor, and those that it can stand in for."""
    return [tier for tier, needed in TIERS.items() if needed <= tiers.features()]


def hash_of(*things):
    """A name for them."""
    made = hashlib.sha256()
    for thing in things:
        made.update(thing if isinstance(thing, bytes) else str(thing).encode())
    return made.hexdigest()[:16]


def write_texts(folder, model):
    """The sentences' token ids, one array a sentence; made once."""
    versions = [importlib.metadata.version(name) for name in library_texts.PACKAGES]
    tokenizer = (model.parent / "tokenizer.json").read_bytes()
    to = folder / f"texts_{hash_of(versions, library_texts.COUNT, tokenizer)}.npz"
    if not to.exists():
        folder.mkdir(parents=True, exist_ok=True)
        part = to.with_suffix(".part.npz")
        numpy.savez(part, *tokenize(model.parent, library_texts.sentences()))
        part.rename(to)
    return to


def embedded(texts, model, tier):
    """The model's embeddings as a processor computes them; made once."""
    named = hash_of(texts.name, model.read_bytes(), onnxruntime.__version__, cpu_features())
    to = texts.with_name(f"{named}_{tier}.npy")
    if not to.exists():
        part = to.with_suffix(".part.npy")
        run([sys.executable, __file__, "embed", texts, part, model], tiers.environment(tier))
        part.rename(to)
    return numpy.load(to)


def measure(folder, model, float_model):
    """Processor -> worth."""
    texts = write_texts(folder, float_model)
    one = embedded(texts, float_model, "native")
    found = {}
    for tier in known_tiers():
        theirs, ours = embedded(texts, float_model, tier), embedded(texts, model, tier)
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
