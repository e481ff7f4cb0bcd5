#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What Qualcomm's compiler makes of files prepared for its NPU, and what its emulator answers.

    python3 bench/qnn.py

Prepares BlazeFace, the OCR reader, at one size, and a made-up model of operators that they lack by
`static` for QUALCOMM with each type of activations, compiles them for an HTP of two generations
with no node left to the CPU, and runs one input through the emulator. Printed are sizes, accuracy
as prepared, and how close the emulator's outputs are to those of ONNX Runtime's CPU provider for
the same file. Emulated time says nothing of a phone. Fails where a file does not compile or answers
otherwise. The package onnxruntime-qnn goes into an environment of its own in the cache.
"""
import json
import pathlib
import sys
import tempfile

from running import MODELS, ROOT, build, python_with, run, wattwise

PACKAGES = ("numpy==2.4.6", "onnx==1.23.2", "onnxruntime==1.32.0", "onnxruntime-qnn==2.7.0",
            "pillow==13.0.0")
ARCHITECTURES = {"v68": "30", "v75": "57"}  # HTP -> a system on chip that has it
WIDTH = 320
CASES = {
    "blazeface": ("faces", ()),
    "ocr_reader": ("lines", ("--fix-input", "p2o.DynamicDimension.0=1",
                             "--fix-input", f"p2o.DynamicDimension.1={WIDTH}")),
    "operators": (None, ()),
}
KINDS = ("uint8", "uint16")
# Where steps are fine: one of uint8 may be most of a small output, and v68 adds coarsely.
LEAST_COSINE = {("uint16", "v75"): 0.999}


def widen(folder):
    """Lines of text become WIDTH wide."""
    import numpy  # pylint: disable=import-outside-toplevel
    for path in folder.glob("*.npz"):
        x = numpy.load(path)["x"][..., :WIDTH]
        numpy.savez(path, x=numpy.pad(x, [(0, 0)] * 3 + [(0, WIDTH - x.shape[3])], "edge"))


def make_operators(folder):
    """A small model of every operator that the others lack, and samples for it."""
    import numpy  # pylint: disable=import-outside-toplevel
    import onnx  # pylint: disable=import-outside-toplevel
    helper = onnx.helper
    random = numpy.random.default_rng(5)
    constants = {
        "pads": numpy.array([0, 0, 1, 1, 0, 0, 1, 1]), "pick": numpy.array([4, 0, 2, 5]),
        "shape": numpy.array([1, 4, -1]), "twice": numpy.array([1, 1, 2, 2], "f"),
        "three": numpy.array(3, "f"), "slope": random.uniform(0.1, 0.3, (8, 1, 1)).astype("f"),
        "scale": random.uniform(0.5, 1.5, 400).astype("f")}
    for name, shape in (("w1", (8, 3, 3, 3)), ("b1", 8), ("w2", (8, 6, 2, 2)), ("b2", 6),
                        ("bias", 400), ("w3", (400, 10))):
        constants[name] = random.normal(0, 0.3, shape).astype("f")
    nodes = [
        helper.make_node("Pad", ["x", "pads"], ["1"], mode="reflect"),
        helper.make_node("Conv", ["1", "w1", "b1"], ["2"]),
        helper.make_node("PRelu", ["2", "slope"], ["3"]),
        helper.make_node("ConvTranspose", ["3", "w2", "b2"], ["4"], strides=[2, 2]),
        helper.make_node("Gather", ["4", "pick"], ["5"], axis=1),
        helper.make_node("AveragePool", ["5"], ["6"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Resize", ["6", "", "twice"], ["7"], mode="linear"),
        helper.make_node("Pow", ["7", "three"], ["8"]),
        helper.make_node("Reshape", ["8", "shape"], ["9"]),
        helper.make_node("LayerNormalization", ["9", "scale", "bias"], ["10"], axis=-1),
        helper.make_node("MatMul", ["10", "w3"], ["y"])]
    graph = helper.make_graph(
        nodes, "operators",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 3, 10, 10])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, 4, 10])],
        [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(made, folder / "operators.onnx")
    (folder / "samples").mkdir()
    for i in range(24):
        numpy.savez(folder / "samples" / f"{i:02}.npz",
                    x=random.normal(0, 1, (1, 3, 10, 10)).astype("f"))


def emulate(path, sample, architecture):
    """Prints the size of what is compiled and the cosine of each output, as one line of JSON."""
    import numpy  # pylint: disable=import-outside-toplevel
    import onnxruntime  # pylint: disable=import-outside-toplevel
    import onnxruntime_qnn  # pylint: disable=import-outside-toplevel
    name = onnxruntime_qnn.get_ep_name()
    onnxruntime.register_execution_provider_library(name, onnxruntime_qnn.get_library_path())
    devices = [device for device in onnxruntime.get_ep_devices() if device.ep_name == name][:1]
    context = pathlib.Path(path).with_suffix(f".{architecture}.onnx")

    def session(model, **settings):
        options = onnxruntime.SessionOptions()
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
        for key, value in settings.items():
            options.add_session_config_entry(key.replace("__", "."), value)
        options.add_provider_for_devices(devices, {
            "backend_type": "htp", "htp_arch": architecture[1:],
            "soc_model": ARCHITECTURES[architecture], "offload_graph_io_quantization": "0"})
        return onnxruntime.InferenceSession(str(model), options)

    session(path, ep__context_enable="1", ep__context_file_path=str(context),
            ep__context_embed_mode="1")
    inputs = dict(numpy.load(sample))
    answers = session(context).run(None, inputs)
    expected = onnxruntime.InferenceSession(
        path, providers=["CPUExecutionProvider"]).run(None, inputs)
    cosines = [float((a * b).sum() / max(numpy.sqrt((a * a).sum() * (b * b).sum()), 1e-30))
               for a, b in zip(answers, expected)]
    print(json.dumps({"compiled": context.stat().st_size, "cosines": cosines}))


def compile_one(python, folder, model, kind):
    """Prepares with activations of this type, and emulates."""
    task, words = CASES[model]
    samples, path = folder / model / "samples", folder / f"{model}_{kind}.onnx"
    config = folder / "config.json"
    config.write_text(json.dumps({"quantization": {"activation_type": kind}}), encoding="utf-8")
    document, _ = wattwise(folder, "--config", config, "prepare", "--model-path",
                           (MODELS if task else folder / model) / f"{model}.onnx",
                           "--output-path", path, "--no-bundle", "--no-cache",
                           "--deployment-target", "QUALCOMM",
                           "--quantization-method", "static", "--calibration-data", samples, *words)
    if document["quantization_method"] != "static":
        sys.exit(f"{model}: made {document['quantization_method']} instead of static")
    for architecture in ARCHITECTURES:
        text, _ = run([python, __file__, "--emulate", path, next(samples.glob("*.npz")),
                       architecture])
        seen = json.loads(text.strip().splitlines()[-1])
        print(f"{model:<11} {kind:<7} {path.stat().st_size / 1e3:7.0f} kB, drop "
              f"{document['accuracy']['drop_percent']:.2f} %; {architecture}: "
              f"{seen['compiled'] / 1e3:.0f} kB compiled, cosines with the CPU provider "
              + ", ".join(f"{cosine:.5f}" for cosine in seen["cosines"]), flush=True)
        if min(seen["cosines"]) < LEAST_COSINE.get((kind, architecture), -1):
            sys.exit(f"{model}, {kind}, {architecture}: the emulator answers otherwise")


def main():
    build()
    python = python_with("peers-qnn", PACKAGES)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for model, (task, _) in CASES.items():
            (folder / model).mkdir()
            if task:
                run([python, ROOT / "bench/task_metrics.py", task, "--data",
                     folder / model / "samples", MODELS / f"{model}.onnx"])
            else:
                run([python, __file__, "--make", folder / model])
            if task == "lines":
                run([python, __file__, "--widen", folder / model / "samples"])
            for kind in KINDS:
                compile_one(python, folder, model, kind)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--emulate"]:
        emulate(*sys.argv[2:])
    elif sys.argv[1:2] == ["--make"]:
        make_operators(pathlib.Path(sys.argv[2]))
    elif sys.argv[1:2] == ["--widen"]:
        widen(pathlib.Path(sys.argv[2]))
    else:
        main()
