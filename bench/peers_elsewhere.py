# SPDX-License-Identifier: Apache-2.0
"""Other quantizers that leave ONNX: (model, output, folder of samples, ...), all paths."""
# pylint: disable=import-outside-toplevel  # each environment has some of these packages only
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from peers_onnx import BLOCK, read_samples


def nncf_openvino(model, output, samples, convert):
    """NNCF into OpenVINO's own format."""
    import nncf as tool
    import openvino
    given = openvino.Core().read_model(str(model))
    is_text = any("input_ids" in name for port in given.inputs for name in port.names)
    items = read_samples(samples)
    if convert == "int8":
        made = tool.quantize(given, tool.Dataset(items, lambda item: item), subset_size=len(items),
                             model_type=tool.ModelType.TRANSFORMER if is_text else None)
    else:
        made = tool.compress_weights(given, mode=tool.CompressWeightsMode.INT4_ASYM,
                                     group_size=BLOCK)
    openvino.save_model(made, str(output), compress_to_fp16=False)


def with_plain_names(model, to):
    """Writes the model with inputs whose names the converter takes; returns old to new."""
    import onnx
    given = onnx.load(model)
    names = {port.name: re.sub(r"\W", "_", port.name) for port in given.graph.input}
    for port in given.graph.input:
        port.name = names[port.name]
    for node in given.graph.node:
        for at, name in enumerate(node.input):
            node.input[at] = names.get(name, name)
    onnx.save(given, to)
    return names


def run_onnx2tf(words, folder):
    """Runs the converter; returns the last line that it says."""
    program = pathlib.Path(sys.executable).parent / "onnx2tf"
    done = subprocess.run([sys.executable, str(program), "-n", *words], capture_output=True,
                          text=True, check=False, cwd=folder)
    lines = (done.stderr or done.stdout).strip().splitlines()
    return lines[-1] if lines else f"it returns {done.returncode}"


def litert(model, output, samples, form):
    """LiteRT by way of onnx2tf: 8-bit weights, ranges of activations found at run time or, as
    integer_quant, from samples."""
    import numpy
    items = read_samples(samples)
    with tempfile.TemporaryDirectory() as folder:
        given = f"{folder}/given.onnx"
        names = with_plain_names(model, given)
        words = ["-i", given, "-o", folder, "-kat", *names.values()]
        if form == "integer_quant":
            words.append("-oiqt")
            for name, plain in names.items():
                path = f"{folder}/{plain}.npy"
                numpy.save(path, numpy.concatenate([item[name] for item in items]))
                words += ["-cind", plain, path, "0.0", "1.0"]
        else:
            words.append("-odrqt")
        # A converter that finds none fetches pictures, even to quantize weights only.
        numpy.save(f"{folder}/calibration_image_sample_data_20x128x128x3_float32.npy",
                   numpy.random.default_rng(0).random((20, 128, 128, 3), numpy.float32))
        last = run_onnx2tf(words, folder)
        made = [path for path in pathlib.Path(folder).glob(f"*_{form}.tflite")
                if "full" not in path.name]
        if not made:
            sys.exit(f"onnx2tf made nothing: {last}")
        shutil.copy(made[0], output)
