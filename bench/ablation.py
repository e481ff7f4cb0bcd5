#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What each technique of quantization does: files made with it and without it.

    python3 bench/ablation.py [--json FILE] [minilm_int4|minilm_dynamic|ocr_static ...]

All other techniques are as usual. A row tells the outputs' SQNR and the score of the
task, both on data that nothing was calibrated on (bench/task_metrics.py), and the CPU time of the
whole preparation, without the technique and with it; "same file" where it changes nothing. An
asterisk marks what is usual. The models are those of `./setup models`.
"""
import json
import pathlib
import sys
import tempfile

from running import MODELS, ROOT, cpu_features, python_with, run, score, select, wattwise

TOOLS = ["numpy", "onnxruntime==1.32.0", "pillow", "tokenizers"]
ON_MATRICES = ("clipping_search", "smooth_quant", "gptq", "bias_correction", "adaround")
ON_CONVOLUTIONS = ("clipping_search", "bias_correction", "cross_layer_equalization")

# Name -> model, task, method, settings beside the techniques, techniques that have something to do.
CASES = {
    "minilm_int4": ("minilm/model.onnx", "texts", "int4", {}, ON_MATRICES),
    "minilm_int4_float": ("minilm/model.onnx", "texts", "int4", {"int4_arithmetic": "float"},
                          ("gptq", "bias_correction", "awq", "adaround")),
    "minilm_dynamic": ("minilm/model.onnx", "texts", "dynamic", {}, ON_MATRICES),
    "ocr_static": ("ocr_reader.onnx", "lines", "static", {},
                   (*ON_CONVOLUTIONS, "smooth_quant", "gptq", "adaround")),
    "blazeface_static": ("blazeface.onnx", "faces", "static", {}, ON_CONVOLUTIONS),
}


class Ablation:
    """One model and method, in a temporary folder."""

    def __init__(self, name, folder):
        model, self.task, self.method, self.settings, self.techniques = CASES[name]
        self.name, self.folder, self.model = name, folder, MODELS / model
        self.python = python_with("scoring", TOOLS)
        self.scores = {}  # by the bytes of the file
        self.measure("--data", folder / "samples")

    def measure(self, *words):
        """What bench/task_metrics.py prints."""
        return run([self.python, ROOT / "bench/task_metrics.py", self.task, *words,
                    self.model])[0].strip()

    def make(self, techniques):
        """A file made with these changes of techniques: what it is worth."""
        output, settings = self.folder / "out.onnx", self.folder / "settings.json"
        section = {**self.settings, "techniques": techniques}
        settings.write_text(json.dumps({"quantization": section}), encoding="utf-8")
        _, cost = wattwise(self.folder, "--config", settings, "prepare", "--model-path", self.model,
                           "--output-path", output, "--no-bundle", "--no-cache",
                           "--quantization-method", self.method, "--calibration-data",
                           self.folder / "samples")
        content = output.read_bytes()
        if content not in self.scores:
            self.scores[content] = {
                "sqnr_db": float(self.measure("--sqnr", output)),
                "task": score(self.python, self.task, output, self.model).text,
                "bytes": len(content)}
        return {**self.scores[content], "cpu_s": cost.seconds, "content": content}

    def compare(self):
        """The rows of the table."""
        usual = self.make([])
        print(f"\n{self.name}: {show(usual)}", flush=True)
        for technique in self.techniques:
            # Where leaving it out changes the file, it is usual.
            without, within = self.make(["-" + technique]), usual
            is_usual = without["content"] != usual["content"]
            if not is_usual:
                within = self.make([technique])
            same = " (same file)" if within["content"] == without["content"] else ""
            print(f"  {technique + ('*' if is_usual else ''):<26}"
                  f"{show(without)}  ->  {show(within)}{same}", flush=True)
            yield {"case": self.name, "technique": technique, "usual": is_usual,
                   "without": plain(without), "with": plain(within)}


def plain(result):
    """Without the bytes themselves."""
    return {key: value for key, value in result.items() if key != "content"}


def show(result):
    """One side of a row."""
    return f"{result['sqnr_db']:.2f} dB, {result['task']}, {result['cpu_s']:.1f} CPU s"


def main(words):
    """Measures the cases that are named, or all."""
    words, to = select(words, CASES)
    print(cpu_features())
    print("without the technique  ->  with it")
    rows = []
    for name in words or CASES:
        with tempfile.TemporaryDirectory() as folder:
            rows += Ablation(name, pathlib.Path(folder)).compare()
    if to:
        to.write_text(json.dumps({"cpu": cpu_features(), "rows": rows}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
