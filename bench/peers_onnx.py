# SPDX-License-Identifier: Apache-2.0
"""Other quantizers that write ONNX files: (model, output, folder of samples, ...), all paths."""
# pylint: disable=import-outside-toplevel  # each environment has some of these packages only
import pathlib
import resource
import shutil
import tempfile

MOST_MEMORY = 8 << 30  # some calibrators keep everything
MOST_SAMPLES = 100
BLOCK = 32  # weights that share a scale of 4 bits
INT8_ARITHMETIC = 4  # of MatMulNBits: what the tools call accuracy level


def read_samples(folder, most=MOST_SAMPLES):
    """Maps from input name to array."""
    import numpy
    return [dict(numpy.load(path)) for path in sorted(folder.glob("*.npz"))[:most]]


class Reader:
    """Sample after sample, as ONNX Runtime's tools and those after its model ask for them."""

    def __init__(self, folder):
        self.samples = read_samples(folder)
        self.rewind()

    def rewind(self):
        """From the first one again."""
        self.at = 0

    def get_next(self):
        """The next sample, or None."""
        self.at += 1
        return self.samples[self.at - 1] if self.at <= len(self.samples) else None

    def __iter__(self):
        return iter(self.samples)

    def __len__(self):
        return len(self.samples)


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


def ort_dynamic(model, output, _samples, per_channel):
    """ONNX Runtime's quantize_dynamic."""
    from onnxruntime.quantization import quantize_dynamic
    with tempfile.TemporaryDirectory() as folder:
        quantize_dynamic(as_wanted(model, pathlib.Path(folder) / "wanted.onnx"), output,
                         per_channel=per_channel)


def ort_static(model, output, samples, method):
    """ONNX Runtime's quantize_static with unsigned activations, after its own pre-processing."""
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    with tempfile.TemporaryDirectory() as folder:
        wanted = as_wanted(model, pathlib.Path(folder) / "wanted.onnx")
        prepared = pathlib.Path(folder) / "prepared.onnx"
        quant_pre_process(str(wanted), str(prepared), skip_symbolic_shape=True)
        quantization.quantize_static(
            prepared, output, Reader(samples), per_channel=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            calibrate_method=getattr(quantization.CalibrationMethod, method))


def ort_int4(model, output, samples, algorithm):
    """ONNX Runtime's MatMulNBits quantizer with its 8-bit arithmetic."""
    import onnx
    from onnxruntime.quantization import matmul_nbits_quantizer as tool
    settings = {
        "default": lambda: None,  # rounds to nearest
        "k_quant": tool.KQuantWeightOnlyQuantConfig,
        "gptq": lambda: tool.GPTQWeightOnlyQuantConfig(Reader(samples)),
        "hqq": lambda: tool.HQQWeightOnlyQuantConfig(block_size=BLOCK),
    }[algorithm]()
    with tempfile.TemporaryDirectory() as folder:
        wanted = as_wanted(model, pathlib.Path(folder) / "wanted.onnx")
        quantizer = tool.MatMulNBitsQuantizer(onnx.load(wanted), block_size=BLOCK,
                                              is_symmetric=False, accuracy_level=INT8_ARITHMETIC,
                                              algo_config=settings)
        quantizer.process()
        made = quantizer.model
        if isinstance(made, onnx.ModelProto):
            onnx.save(made, output)
        else:
            made.save_model_to_file(str(output))


def onc_static(model, output, samples, smooth):
    """onnx-neural-compressor's static quantization, with or without SmoothQuant."""
    from onnx_neural_compressor.quantization import QuantFormat, config, quantize
    settings = config.StaticQuantConfig(
        Reader(samples), per_channel=True, quant_format=QuantFormat.QDQ,
        extra_options={"SmoothQuant": True} if smooth else None)
    with tempfile.TemporaryDirectory() as folder:
        wanted = as_wanted(model, pathlib.Path(folder) / "wanted.onnx")
        quantize(str(wanted), str(output), settings)


def onc_int4(model, output, samples, algorithm):
    """onnx-neural-compressor's MatMulNBits quantizer."""
    import onnx
    from onnx_neural_compressor.quantization import matmul_nbits_quantizer as tool
    settings = getattr(tool, f"{algorithm}WeightOnlyQuantConfig")(Reader(samples))
    quantizer = tool.MatMulNBitsQuantizer(str(model), block_size=BLOCK, is_symmetric=False,
                                          accuracy_level=INT8_ARITHMETIC, algo_config=settings)
    quantizer.process()
    onnx.save(quantizer.model.model if hasattr(quantizer.model, "model") else quantizer.model,
              output)


def nncf_onnx(model, output, samples, mode):
    """NNCF on the ONNX file itself: int8, or a mode in which it compresses weights."""
    import nncf as tool
    import onnx
    with tempfile.TemporaryDirectory() as folder:
        given = onnx.load(as_wanted(model, pathlib.Path(folder) / "wanted.onnx"))
    if mode == "int8":
        items = read_samples(samples)
        is_text = "input_ids" in items[0]
        made = tool.quantize(given, tool.Dataset(items), subset_size=len(items),
                             model_type=tool.ModelType.TRANSFORMER if is_text else None)
    else:
        sizes = {"group_size": BLOCK} if "INT4" in mode else {}
        made = tool.compress_weights(given, mode=getattr(tool.CompressWeightsMode, mode), **sizes)
    onnx.save(made, output)


def olive(model, output, samples, work):
    """One pass of Olive."""
    from olive.data.registry import Registry
    from olive.workflows import run

    class Samples(Reader):
        """(inputs, label) by position."""

        def __getitem__(self, at):
            return self.samples[at], 0

    Registry.register_dataset("bench_samples")(lambda **_: Samples(samples))
    settings = {"type": work}
    if work == "OnnxStaticQuantization":
        settings |= {"data_config": "samples", "per_channel": True, "activation_type": "uint8"}
    elif work == "OnnxBlockWiseRtnQuantization":
        settings |= {"block_size": BLOCK, "accuracy_level": INT8_ARITHMETIC}
    with tempfile.TemporaryDirectory() as folder:
        made = pathlib.Path(folder) / "made"
        wanted = as_wanted(model, pathlib.Path(folder) / "wanted.onnx")
        run({"input_model": {"type": "ONNXModel", "model_path": str(wanted)},
             "data_configs": [{"name": "samples", "type": "DummyDataContainer",
                               "load_dataset_config": {"type": "bench_samples"}}],
             "passes": {"work": settings}, "output_dir": str(made), "cache_dir": f"{folder}/cache"})
        shutil.copy(next(made.rglob("*.onnx")), output)
