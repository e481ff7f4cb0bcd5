# SPDX-License-Identifier: Apache-2.0
"""Other quantizers, each run by the interpreter of an environment that has it.

    python bench/peers.py NAME MODEL OUTPUT SAMPLES    quantizes; SAMPLES is a folder of .npz files

A new one is a row of PEERS, and where its packages get in the way of others' an environment.
"""
import pathlib
import sys
import typing

import litert_texts
import peers_elsewhere as elsewhere
import peers_onnx as to_onnx

# What is installed for each environment. The first also scores and times all files; what tools need
# and do not declare stands behind them. NAME.txt in LOCKS pins all that these bring along. To
# change it, empty it, let the bench make the environment, and put there what `pip freeze` says.
LOCKS = pathlib.Path(__file__).parent / "environments"
ENVIRONMENTS = {
    "onnx": ("numpy==2.4.6", "onnx==1.23.2", "onnx_ir==1.1.0", "onnxruntime==1.32.0",
             "pillow==13.0.0", "tokenizers==0.23.3", "nncf==3.4.0", "openvino==2026.4.1",
             "ai-edge-litert==2.3.0"),
    "neural_compressor": ("onnx-neural-compressor==1.0", "onnxruntime==1.32.0", "onnx==1.23.2",
                          "prettytable==3.18.0", "psutil==7.2.2", "py-cpuinfo==9.0.0",
                          "pydantic==2.14.4", "scipy==1.17.1"),
    "olive": ("olive-ai==0.13.0", "onnxruntime==1.32.0", "torch==2.15.0", "onnx==1.23.2",
              "requests==2.34.2"),
    "litert": ("onnx2tf==1.29.24",),
}
TEXTS = ("minilm",)
IMAGES = ("ocr_reader", "blazeface")
ALL = (*TEXTS, *IMAGES, "silero_vad_v5")
FACES = ("blazeface",)  # whose crops without a face are like no other


class Peer(typing.NamedTuple):
    """A tool with its settings."""
    make: typing.Callable  # (model, output, folder of samples, *words)
    words: tuple
    models: tuple  # that it is tried on
    environment: str = "onnx"
    ending: str = ".onnx"  # of what it writes
    typical: bool = False  # calibrated on typical samples only: bench/typical_samples.py


PEERS = {
    "ort_dynamic": Peer(to_onnx.ort_dynamic, (True,), ALL),
    "ort_dynamic_tensor": Peer(to_onnx.ort_dynamic, (False,), TEXTS),
    "ort_minmax": Peer(to_onnx.ort_static, ("MinMax",), ALL),
    "ort_entropy": Peer(to_onnx.ort_static, ("Entropy",), ALL),
    "ort_percentile": Peer(to_onnx.ort_static, ("Percentile",), ALL),
    "ort_minmax_typical": Peer(to_onnx.ort_static, ("MinMax",), FACES, typical=True),
    "ort_int4_rtn": Peer(to_onnx.ort_int4, ("default",), (*TEXTS, "ocr_reader")),
    "ort_int4_k_quant": Peer(to_onnx.ort_int4, ("k_quant",), TEXTS),
    # These two need PyTorch, which Olive brings.
    "ort_int4_gptq": Peer(to_onnx.ort_int4, ("gptq",), TEXTS, "olive"),
    "ort_int4_hqq": Peer(to_onnx.ort_int4, ("hqq",), TEXTS, "olive"),
    "onc_static": Peer(to_onnx.onc_static, (False,), (*TEXTS, *IMAGES), "neural_compressor"),
    "onc_smooth": Peer(to_onnx.onc_static, (True,), TEXTS, "neural_compressor"),
    "onc_int4_gptq": Peer(to_onnx.onc_int4, ("GPTQ",), TEXTS, "neural_compressor"),
    "onc_int4_awq": Peer(to_onnx.onc_int4, ("AWQ",), TEXTS, "neural_compressor"),
    "olive_dynamic": Peer(to_onnx.olive, ("OnnxDynamicQuantization",), ALL, "olive"),
    "olive_static": Peer(to_onnx.olive, ("OnnxStaticQuantization",), (*TEXTS, *IMAGES), "olive"),
    "olive_static_typical": Peer(to_onnx.olive, ("OnnxStaticQuantization",), FACES, "olive",
                                 typical=True),
    "olive_int4": Peer(to_onnx.olive, ("OnnxBlockWiseRtnQuantization",), TEXTS, "olive"),
    "nncf_onnx_int8": Peer(to_onnx.nncf_onnx, ("int8",), ALL),
    "nncf_onnx_int8_typical": Peer(to_onnx.nncf_onnx, ("int8",), FACES, typical=True),
    "nncf_onnx_weights": Peer(to_onnx.nncf_onnx, ("INT8_ASYM",), TEXTS),
    "nncf_onnx_int4": Peer(to_onnx.nncf_onnx, ("INT4_ASYM",), TEXTS),
    "nncf_int8": Peer(elsewhere.nncf_openvino, ("int8",), ALL, ending=".xml"),
    "nncf_int8_typical": Peer(elsewhere.nncf_openvino, ("int8",), FACES, ending=".xml",
                              typical=True),
    "nncf_int4": Peer(elsewhere.nncf_openvino, ("int4",), TEXTS, ending=".xml"),
    "litert_dynamic": Peer(elsewhere.litert, ("dynamic_range_quant",), (*IMAGES, "silero_vad_v5"),
                           "litert", ".tflite"),
    "litert_int8": Peer(elsewhere.litert, ("integer_quant",), IMAGES, "litert", ".tflite"),
    "litert_int8_typical": Peer(elsewhere.litert, ("integer_quant",), FACES, "litert", ".tflite",
                                True),
    "litert_64_dynamic": Peer(litert_texts.litert, ("dynamic_range_quant",), TEXTS, "litert",
                              ".tflite"),
    "litert_64_int8": Peer(litert_texts.litert, ("integer_quant",), TEXTS, "litert", ".tflite"),
}


def main(words):
    """Runs the tool that is named."""
    peer = PEERS[words[0]]
    peer.make(*map(pathlib.Path, words[1:4]), *peer.words)


if __name__ == "__main__":
    main(sys.argv[1:])
