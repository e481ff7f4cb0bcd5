#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What calibration data does for the methods that use it, layer by layer and for a task.

    python3 bench/calibration.py MODEL TEXTS [METHOD ...]

MODEL embeds texts (its tokenizer.json lies beside it); TEXTS is a file with one text a line. The
first half calibrates, the second half tests. Methods: dynamic and int4 unless named. Printed are
the size, the cosine with the float model's mean-pooled embeddings (mean and worst), the share of
texts that keep their nearest neighbour, the SQNR of the embeddings, the speed (CPU time of the
float model / that of the other, in turn) and the preparation's CPU seconds; then, of the products
with each matrix, the median SQNR by GPTQ and by rounding to nearest, and what smoothing gains.
Needs `pip install numpy onnxruntime tokenizers`.
"""
import json
import pathlib
import re
import resource
import statistics
import subprocess
import sys
import tempfile

import numpy
import onnxruntime
import tokenizers

ROOT = pathlib.Path(__file__).resolve().parents[1]
WATTWISE = ROOT / "build/release/wattwise"
MOST_CALIBRATING = 64
LONGEST = 128  # tokens


def wattwise(folder, *words):
    """(document, CPU seconds) of one command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([str(WATTWISE), "--db-path", str(folder / "bench.duckdb"), "--json",
                           *map(str, words)], capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        sys.exit(done.stderr.strip().splitlines()[-1])
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return json.loads(done.stdout), seconds


def sample_words(texts):
    """Arguments that hand texts over; what would be read as an array or as a name is changed."""
    return [word for text in texts
            for word in ("--sample", "text=" + text.replace("=", " ").replace("[", "("))]


def embed(path, ids):
    """Mean-pooled embeddings, one row a text."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = {port.name for port in session.get_inputs()}
    rows = []
    for tokens in ids:
        row = numpy.array([tokens], numpy.int64)
        inputs = {"input_ids": row, "attention_mask": numpy.ones_like(row),
                  "token_type_ids": numpy.zeros_like(row)}
        outputs = session.run(None, {name: inputs[name] for name in names})
        rows.append(next(output for output in outputs if output.ndim == 3)[0].mean(0))
    return numpy.array(rows)


def neighbours(rows):
    """The nearest other row of each, by cosine."""
    unit = rows / numpy.linalg.norm(rows, axis=1, keepdims=True)
    near = unit @ unit.T
    numpy.fill_diagonal(near, -2)
    return near.argmax(1)


def agreement(reference, other):
    """Cosine (mean, worst), shared neighbours and SQNR as one line."""
    cosine = (reference * other).sum(1) / (numpy.linalg.norm(reference, axis=1) *
                                           numpy.linalg.norm(other, axis=1))
    same = (neighbours(reference) == neighbours(other)).mean()
    noise = ((reference - other) ** 2).sum()
    return (f"cosine {cosine.mean():.5f} (worst {cosine.min():.4f})  neighbour {same:.3f}  "
            f"{10 * numpy.log10((reference ** 2).sum() / noise):.2f} dB")


def layers(decisions):
    """Medians of what the decisions tell of single products."""
    rounded = [re.findall(r"([\d.]+) dB", told["reason"]) for told in decisions
               if told["action"] == "round_by_inputs"]
    smoothed = [float(re.search(r"([\d.]+) dB", told["reason"])[1]) for told in decisions
                if told["action"] == "smooth"]
    if rounded:
        gains = [float(gptq) - float(nearest) for gptq, nearest in rounded]
        print(f"    {len(rounded)} matrices: GPTQ gains {statistics.median(gains):.1f} dB in the "
              f"median over rounding to nearest ({min(gains):.1f} to {max(gains):.1f})")
    if smoothed:
        print(f"    {len(smoothed)} inputs: smoothing gains {statistics.median(smoothed):.1f} dB "
              f"in the median ({min(smoothed):.1f} to {max(smoothed):.1f})")


def main(words):
    """Prints two lines for each method, without and with calibration data."""
    if len(words) < 2:
        sys.exit(__doc__.split("\n\n", 2)[1].strip())
    model = pathlib.Path(words[0])
    texts = [line for line in pathlib.Path(words[1]).read_text("utf-8").splitlines() if line]
    half = len(texts) // 2
    tokenizer = tokenizers.Tokenizer.from_file(str(model.parent / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(LONGEST)
    ids = [tokenizer.encode(text).ids for text in texts[half:]]
    reference = embed(model, ids)
    calibrating = sample_words(texts[:half][:MOST_CALIBRATING])
    for method in words[2:] or ["dynamic", "int4"]:
        for label, samples in (("without", []), ("with", calibrating)):
            with tempfile.TemporaryDirectory() as temporary:
                folder = pathlib.Path(temporary)
                output = folder / "made.onnx"
                made, seconds = wattwise(folder, "prepare", "--model-path", model, "--output-path",
                                         output, "--quantization-method", method, "--no-bundle",
                                         *samples)
                speed = wattwise(folder, "compare", model, output)[0]["speed_ratio"]
                print(f"{method} {label:<7} {output.stat().st_size / 1e6:6.2f} MB  "
                      f"{agreement(reference, embed(output, ids))}  {speed['median']:.2f}x "
                      f"({speed['low']:.2f} to {speed['high']:.2f})  {seconds:.1f} CPU s")
                layers(made["decisions"])


if __name__ == "__main__":
    main(sys.argv[1:])
