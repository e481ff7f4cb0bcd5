#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prepares and rewrites a model larger than the memory it may take, and checks what it took.

    python3 bench/big_model.py [--gigabytes 8] [--folder FOLDER] [--methods int4,dynamic]

Makes a transformer-like model of random weights with an external data file in FOLDER (which needs
room for about twice its size), runs `wattwise optimize` and `wattwise prepare` on it, and removes
everything.
Fails if one takes more than 768 MB (the largest resident size, mapped pages included), leaves
anything but its output, or gives a result that does not load. Needs numpy and onnx.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import numpy
import onnx
from onnx import TensorProto, helper

ROOT = pathlib.Path(__file__).resolve().parents[1]
WATTWISE = ROOT / "build/release/wattwise"
MAX_MB = 768
HIDDEN, INNER, WORDS = 4096, 11008, 32000
ALIGNMENT = 4096


class DataFile:
    """Random weights in an external data file."""

    def __init__(self, path):
        self.file = open(path, "wb")
        self.name = path.name
        self.random = numpy.random.default_rng(1)

    def add(self, name, shape):
        """A float tensor of this shape, uniform and scaled so that products keep their size."""
        self.file.write(bytes(-self.file.tell() % ALIGNMENT))
        offset, rows = self.file.tell(), max(1, (16 << 20) // shape[-1])
        for start in range(0, shape[0], rows):
            part = (min(rows, shape[0] - start), *shape[1:])
            values = self.random.random(part, dtype=numpy.float32) - 0.5
            self.file.write(memoryview(values * numpy.float32((12 / shape[0]) ** 0.5)).cast("B"))
        tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=shape)
        tensor.data_location = TensorProto.EXTERNAL
        size = self.file.tell() - offset
        for key, value in (("location", self.name), ("offset", offset), ("length", size)):
            tensor.external_data.add(key=key, value=str(value))
        return tensor


def add_layer(i, x, data, tensors, nodes):
    """Two projections and a gated block around residual connections; returns the new value."""
    def product(value, name, shape):
        tensors.append(data.add(f"{name}_{i}", shape))
        nodes.append(helper.make_node("MatMul", [value, f"{name}_{i}"], [f"{name}_out_{i}"],
                                      name=f"{name}_{i}_MatMul"))
        return f"{name}_out_{i}"
    def node(op, inputs, output, **attributes):
        nodes.append(helper.make_node(op, inputs, [f"{output}_{i}"], name=f"{output}_{i}_{op}",
                                      **attributes))
        return f"{output}_{i}"
    normed = node("LayerNormalization", [x, "ones", "zeros"], "norm")
    mixed = product(node("Tanh", [product(normed, "first", (HIDDEN, HIDDEN))], "mixed"),
                    "second", (HIDDEN, HIDDEN))
    x = node("Add", [x, mixed], "attended")
    normed = node("LayerNormalization", [x, "ones", "zeros"], "norm_inner")
    gate = node("Sigmoid", [product(normed, "gate", (HIDDEN, INNER))], "gated")
    inner = node("Mul", [gate, product(normed, "up", (HIDDEN, INNER))], "inner")
    return node("Add", [x, product(inner, "down", (INNER, HIDDEN))], "layer")


def make_model(path, gigabytes):
    """Writes the model and its data file; returns the bytes of its weights."""
    data = DataFile(path.with_name(path.name + ".weights"))
    tensors = [data.add("words", (WORDS, HIDDEN))]
    nodes = [helper.make_node("Gather", ["words", "ids"], ["embedded"], name="words_Gather")]
    for name, value in (("ones", 1), ("zeros", 0)):
        tensors.append(onnx.numpy_helper.from_array(
            numpy.full(HIDDEN, value, numpy.float32), name))
    per_layer = 4 * (2 * HIDDEN * HIDDEN + 3 * HIDDEN * INNER)
    layers = max(1, round((gigabytes * 1e9 - 2 * 4 * WORDS * HIDDEN) / per_layer))
    value = "embedded"
    for i in range(layers):
        value = add_layer(i, value, data, tensors, nodes)
    tensors.append(data.add("head", (HIDDEN, WORDS)))
    nodes.append(helper.make_node("MatMul", [value, "head"], ["logits"], name="head_MatMul"))
    data.file.close()
    graph = helper.make_graph(
        nodes, "big",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch", "length"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", "length", WORDS])],
        tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path.stat().st_size + (path.parent / data.name).stat().st_size


def run(words):
    """(JSON result, peak resident MB, CPU seconds, seconds) of one call that must succeed."""
    start = time.monotonic()
    with subprocess.Popen([str(word) for word in words], stdout=subprocess.PIPE) as process:
        text = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{' '.join(map(str, words))} failed with {process.returncode}")
    return (json.loads(text), usage.ru_maxrss * 1024 / 1e6, usage.ru_utime + usage.ru_stime,
            time.monotonic() - start)


def describe(name, size, result, measured):
    """One line of the table, and what is wrong with the run."""
    peak, cpu, seconds = measured
    accuracy = result["accuracy"]
    output = pathlib.Path(result["output_model_path"])
    data = output.with_name(output.name + ".data")
    written = output.stat().st_size + (data.stat().st_size if data.exists() else 0)
    print(f"{name:<12} {size / 1e9:6.2f} -> {written / 1e9:5.2f} GB  peak {peak:6.0f} MB  "
          f"CPU {cpu:6.1f} s  took {seconds:6.1f} s  {accuracy['execution']}", flush=True)
    for decision in result["decisions"]:
        if decision["action"] in ("run_in_blocks", "not_run", "fall_back"):
            print("    {action} {subject}: {reason}".format(**decision))
    problems = []
    if peak > MAX_MB:
        problems.append(f"{name}: {peak:.0f} MB is more than {MAX_MB} MB")
    if name not in ("optimize", result.get("quantization_method")):
        problems.append(f"{name}: made {result['quantization_method']} instead")
    if any(entry.endswith((".staging", ".tmp")) for entry in os.listdir(output.parent)):
        problems.append(f"{name}: left {os.listdir(output.parent)}")
    if result.get("bundle_path") and data.exists():
        if not (pathlib.Path(result["bundle_path"]) / data.name).exists():
            problems.append(f"{name}: the bundle lacks the data file")
    run([WATTWISE, "--json", "inspect", output])
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=8)
    parser.add_argument("--folder", type=pathlib.Path, default=None)
    parser.add_argument("--methods", default="int4,dynamic,weight_only,fp16")
    arguments = parser.parse_args()
    problems = []
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = pathlib.Path(name)
        config = folder / "config.json"
        # A model that would still fit into the memory that is allowed runs in blocks, too.
        config.write_text('{"memory_optimization": {"max_preparation_mb": 1024}}')
        # In another process: the resident size of this one would count for those that it starts.
        with concurrent.futures.ProcessPoolExecutor(1) as maker:
            size = maker.submit(make_model, folder / "big.onnx", arguments.gigabytes).result()
        base = [WATTWISE, "--json", "--config", config, "--db-path", folder / "db"]
        out = folder / "out"
        calls = {"optimize": ["optimize", folder / "big.onnx"]}
        for method in arguments.methods.split(","):
            calls[method] = ["prepare", "--model-path", folder / "big.onnx",
                             "--quantization-method", method]
        for label, words in calls.items():
            result, *measured = run([*base, *words, "--output-path", out / "big.onnx"])
            problems += describe(label, size, result, measured)
            shutil.rmtree(out)
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
