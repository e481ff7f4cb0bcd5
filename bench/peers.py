# SPDX-License-Identifier: Apache-2.0
"""Other quantizers, each run by the interpreter of an environment that has it.

    python bench/peers.py NAME MODEL OUTPUT SAMPLES    quantizes; SAMPLES is a folder of .npz files
    python bench/peers.py time MODEL OTHER SAMPLE      prints CPU time of MODEL / that of OTHER

Models to be timed may be ONNX, OpenVINO (.xml) or LiteRT (.tflite) files. Both run in one process,
in turn, on one thread.
"""
import json
import pathlib
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time

import numpy

from task_metrics import open_session

MOST_MEMORY = 8 << 30  # some calibrators keep everything


def read_samples(folder, most=80):
    """Maps from input name to array."""
    return [dict(numpy.load(path)) for path in sorted(folder.glob("*.npz"))[:most]]


def as_wanted(model, to):
    """Writes the model as ONNX Runtime's tools want it: weights as initializers, operator set 17 at
    least. Returns what could be done: `to`, or the model as it was."""
    import onnx
    given = onnx.load(model)
    kept = []
    for node in given.graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            weight = given.graph.initializer.add()
            weight.CopyFrom(node.attribute[0].t)
            weight.name = node.output[0]
        else:
            kept.append(node)
    del given.graph.node[:]
    given.graph.node.extend(kept)
    try:
        if given.opset_import[0].version < 17:
            given = onnx.version_converter.convert_version(given, 17)
        onnx.save(given, to)
        return to
    except RuntimeError:
        return model


def ort_dynamic(model, output, _samples, per_channel=True):
    """ONNX Runtime's quantize_dynamic."""
    from onnxruntime.quantization import quantize_dynamic
    with tempfile.TemporaryDirectory() as folder:
        quantize_dynamic(as_wanted(model, pathlib.Path(folder) / "wanted.onnx"), output,
                         per_channel=per_channel)


def ort_static(model, output, samples, method):
    """ONNX Runtime's quantize_static with unsigned activations, after its own pre-processing."""
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(quantization.CalibrationDataReader):
        """Sample after sample."""

        def __init__(self):
            self.left = iter(read_samples(samples))

        def get_next(self):
            return next(self.left, None)

    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    with tempfile.TemporaryDirectory() as folder:
        wanted = as_wanted(model, pathlib.Path(folder) / "wanted.onnx")
        prepared = pathlib.Path(folder) / "prepared.onnx"
        quant_pre_process(str(wanted), str(prepared), skip_symbolic_shape=True)
        quantization.quantize_static(
            prepared, output, Reader(), per_channel=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            calibrate_method=getattr(quantization.CalibrationMethod, method))


def ort_int4(model, output, _samples):
    """ONNX Runtime's MatMulNBits quantizer, rounding to nearest, with its 8-bit arithmetic."""
    import onnx
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
    quantizer = MatMulNBitsQuantizer(onnx.load(model), block_size=32, is_symmetric=False,
                                     accuracy_level=4)
    quantizer.process()
    quantizer.model.save_model_to_file(str(output))


def nncf(model, output, samples, convert):
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
        made = tool.compress_weights(given, mode=tool.CompressWeightsMode.INT4_ASYM, group_size=32)
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


def litert(model, output, samples):
    """LiteRT by way of onnx2tf: 8-bit weights, ranges of activations found at run time."""
    items = read_samples(samples, 1)
    with tempfile.TemporaryDirectory() as folder:
        given = f"{folder}/given.onnx"
        names = with_plain_names(model, given)
        ports = [names[name] for name in items[0]]
        words = ["-i", given, "-n", "-o", folder, "-odrqt", "-kat", *ports]
        if next(iter(items[0].values())).ndim == 4:  # the converter would fetch pictures of its own
            numpy.save(f"{folder}/calibration_image_sample_data_20x128x128x3_float32.npy",
                       numpy.random.default_rng(0).random((20, 128, 128, 3), numpy.float32))
        if "input_ids" in ports:
            words += ["-ois", *(f"{port}:1,64" for port in ports)]
        program = pathlib.Path(sys.executable).parent / "onnx2tf"
        done = subprocess.run([sys.executable, str(program), *words], capture_output=True,
                              text=True, check=False, cwd=folder)
        made = list(pathlib.Path(folder).glob("*_dynamic_range_quant.tflite"))
        if not made:
            lines = (done.stderr or done.stdout).strip().splitlines()
            sys.exit(f"onnx2tf made nothing: {lines[-1] if lines else done.returncode}")
        shutil.copy(made[0], output)


PEERS = {
    "ort_dynamic": lambda *words: ort_dynamic(*words),
    "ort_dynamic_tensor": lambda *words: ort_dynamic(*words, per_channel=False),
    "ort_minmax": lambda *words: ort_static(*words, "MinMax"),
    "ort_entropy": lambda *words: ort_static(*words, "Entropy"),
    "ort_percentile": lambda *words: ort_static(*words, "Percentile"),
    "ort_int4": ort_int4,
    "nncf_int8": lambda *words: nncf(*words, "int8"),
    "nncf_int4": lambda *words: nncf(*words, "int4"),
    "litert_dynamic": litert,
}


def measure_once(session, feeds, runs):
    """CPU seconds of so many runs."""
    before = time.process_time()
    for _ in range(runs):
        session.run(None, feeds)
    return time.process_time() - before


def compare_speed(model, other, sample):
    """The median ratio with its 95 % interval by order statistics."""
    first, second = open_session(model), open_session(other)
    feeds = dict(numpy.load(sample))
    measure_once(second, feeds, 3)
    runs = max(1, int(0.02 / max(measure_once(first, feeds, 3) / 3, 1e-5)))
    ratios = sorted(measure_once(first, feeds, runs) / measure_once(second, feeds, runs)
                    for _ in range(61))
    return {"median": ratios[30], "low": ratios[22], "high": ratios[38]}


if __name__ == "__main__":
    if sys.argv[1] == "time":
        print(json.dumps(compare_speed(*map(pathlib.Path, sys.argv[2:5]))))
    else:
        PEERS[sys.argv[1]](*map(pathlib.Path, sys.argv[2:5]))
