#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What quantization makes of models, beside other tools: size, task, speed and cost.

    python3 bench/quantization.py [--json FILE] [minilm|ocr_reader|blazeface|silero_vad_v5 ...]

The models are those of `./setup models`. Speed is CPU time of the float model in ONNX Runtime /
that of the other, one thread, in turn in one process: the median of three processes and their ends.
The task is scored on data that nothing was calibrated on (bench/task_metrics.py). Cost is CPU time
and peak memory of the whole program. The other tools (bench/peers.py) are installed on demand into
environments of their own in the cache; one that fails says why. Below int8 files stands how they do
on older processors (tests/cpu_tiers).
"""
import json
import pathlib
import statistics
import sys
import tempfile

from running import MODELS, ROOT, cpu_features, python_with, run, select, size, wattwise

ONNX_TOOLS = ["numpy", "onnx", "onnx_ir", "onnxruntime==1.32.0", "pillow", "tokenizers", "nncf",
              "openvino"]
LITERT_TOOLS = ["onnx2tf", "ai-edge-litert", "tensorflow", "tf_keras", "onnx", "onnx_graphsurgeon",
                "onnxruntime==1.32.0", "sng4onnx", "psutil", "pillow", "tokenizers"]
PROCESSES = 3  # memory lies otherwise in each, which matters more than what one process shows
TIERS = ("avx2", "avx", "sse41")
ORT_STATIC = ("ort_minmax", "ort_entropy", "ort_percentile")

# Model -> task, our forms (name -> method, with samples or not, more words, goal), and peers.
CASES = {
    "minilm": ("texts", {
        "dynamic": ("dynamic", False, (), ""),
        "dynamic, samples": ("dynamic", True, (), "23 MB, cosine 0.998, neighbour 0.94, 2.6x"),
        "int4": ("int4", False, (), "0.6 CPU s"),
        "int4, samples": ("int4", True, (), "12.5 MB, cosine 0.977, 2.4x, 5 CPU s"),
        "weight_only": ("weight_only", False, (), "23 MB, cosine 0.999, 1.3x"),
    }, ("ort_dynamic", "ort_dynamic_tensor", "ort_minmax", "ort_int4", "nncf_int8", "nncf_int4",
        "litert_dynamic")),
    "ocr_reader": ("lines", {
        "static": ("static", True, (), "3.0 MB, CER 0.25 %, 2.4x [AVX2: 1.85x]"),
        "weight_only": ("weight_only", False, (), "2.9 MB, 1.35x"),
        "int4": ("int4", True, (), "2.2 MB, CER 0.5 %"),
    }, ("ort_dynamic", *ORT_STATIC, "nncf_int8")),
    "blazeface": ("faces", {
        "auto": ("auto", True, (), "165 kB, AUROC 0.9995, 99 %, 1.35x"),
        "static": ("static", True, (), ""),
    }, ("ort_dynamic", *ORT_STATIC, "nncf_int8", "litert_dynamic")),
    "silero_vad_v5": ("speech", {
        "dynamic": ("dynamic", False, (), "850 kB, flips 0.3 %, 1.5x"),
        "weight_only": ("weight_only", False, (), "850 kB, flips 0.3 %"),
        "dynamic, sr=8000": ("dynamic", False, ("--fix-input", "sr=8000"), "350 kB"),
    }, ("ort_dynamic",)),
}


def show(speed):
    """A ratio with its ends."""
    if speed is None:
        return ""
    return f"{speed['median']:.3f}x ({speed['low']:.3f} to {speed['high']:.3f})"


def spread(ratios):
    """The median of some processes, and the ends."""
    return {"median": statistics.median(ratios), "low": min(ratios), "high": max(ratios)}


def time_anywhere(python, files, environment=None):
    """Float time / the other's, in a few processes."""
    words = [python, ROOT / "bench/peers.py", "time", *files]
    return spread([json.loads(run(words, environment)[0])["median"] for _ in range(PROCESSES)])


def model_path(name):
    """Where ./setup put it."""
    return MODELS / name / "model.onnx" if name == "minilm" else MODELS / f"{name}.onnx"


class Bench:
    """One model with its data, in a temporary folder."""

    def __init__(self, name, folder):
        self.name, self.folder = name, folder
        self.model = model_path(name)
        self.task = CASES[name][0]
        self.python = python_with("peers", ONNX_TOOLS)
        self.rows = []
        run([self.python, ROOT / "bench/task_metrics.py", self.task, "--data", folder / "samples",
             self.model])

    def score(self, output):
        """What the answers are worth."""
        python = python_with("litert", LITERT_TOOLS) if output.suffix == ".tflite" else self.python
        return run([python, ROOT / "bench/task_metrics.py", self.task, output,
                    self.model])[0].strip()

    def speed(self, output, words=()):
        """Float time / the other's."""
        timed = self.folder / ("timed_fixed" if words else "timed")
        if output.suffix == ".onnx":
            found = [wattwise(self.folder, "compare", self.model, output, "--data", timed,
                              *words)[0]["speed_ratio"]["median"] for _ in range(PROCESSES)]
            return spread(found)
        python = python_with("litert", LITERT_TOOLS) if output.suffix == ".tflite" else self.python
        return time_anywhere(python, (self.model, output, timed / "0.npz"))

    def report(self, name, output, cost, words=(), goal=""):
        """Prints a line."""
        count = output.stat().st_size
        if output.suffix == ".xml":
            count += output.with_suffix(".bin").stat().st_size
        speed = self.speed(output, words)
        row = {"model": self.name, "form": name, "bytes": count, "task": self.score(output),
               "speed": speed, "cpu_s": cost.seconds, "peak_mb": cost.peak_mb, "goal": goal}
        self.rows.append(row)
        print(f"  {name:<19}{size(count):>8}  {show(speed)}  {row['task']}  {cost}"
              + (f"  [goal: {goal}]" if goal else ""), flush=True)

    def prepare(self, name, form):
        """One of ours."""
        method, with_samples, words, goal = form
        output = self.folder / f"{name}.onnx"
        samples = ("--calibration-data", self.folder / "samples") if with_samples else ()
        _, cost = wattwise(self.folder, "prepare", "--model-path", self.model, "--output-path",
                           output, "--no-bundle", "--no-cache", "--quantization-method", method,
                           *samples, *words)
        self.report(name, output, cost, words, goal)
        return output

    def run_peer(self, name):
        """One of the others."""
        ending = {"nncf": ".xml", "litert": ".tflite"}.get(name.split("_", maxsplit=1)[0], ".onnx")
        output = self.folder / f"{name}{ending}"
        python = python_with("litert", LITERT_TOOLS) if ending == ".tflite" else self.python
        _, cost = run([python, ROOT / "bench/peers.py", name, self.model, output,
                       self.folder / "samples"])
        self.report(name, output, cost)

    def attempt(self, name, action, *words):
        """A line that says why, where one fails."""
        try:
            return action(name, *words)
        except (RuntimeError, OSError) as error:
            self.rows.append({"model": self.name, "form": name, "error": str(error)})
            print(f"  {name:<19}{str(error)[:400]}", flush=True)
            return None


def as_tier(python, tier):
    """The environment in which ONNX Runtime finds a processor of that tier."""
    folder = ROOT / "tests/cpu_tiers"
    text, _ = run([python, "-c", "import tiers; print(tiers.MASK); print(tiers.masked_packages())"],
                  {"PYTHONPATH": str(folder)})
    mask, packages = text.split()
    return {"LD_PRELOAD": mask, "CPU_TIER": tier, "PYTHONPATH": packages}


def measure_tiers(_title, bench, form, output):
    """Answers, and speed, on the processors that this one can stand in for."""
    name, is_fixed = form
    for tier in TIERS:
        environment = as_tier(bench.python, tier)
        score = run([bench.python, ROOT / "bench/task_metrics.py", bench.task, output, bench.model],
                    environment)[0].strip()
        files = (bench.model, output, bench.folder / "timed/0.npz")
        speed = None if is_fixed else time_anywhere(bench.python, files, environment)
        bench.rows.append({"model": bench.name, "form": f"{name} on {tier}", "task": score,
                           "speed": speed})
        print(f"  {'  on ' + tier:<19}{show(speed)}  {score}", flush=True)


def measure(name):
    """The table of one model."""
    print(f"\n{name}, {size(model_path(name).stat().st_size)}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(name, pathlib.Path(folder))
        print(f"  {'float':<19}{bench.score(bench.model)}")
        _, forms, peers = CASES[name]
        for form, how in forms.items():
            output = bench.attempt(form, bench.prepare, how)
            if output and how[0] in ("dynamic", "static"):
                bench.attempt("  older processors", measure_tiers, bench, (form, bool(how[2])),
                              output)
        for peer in peers:
            bench.attempt(peer, bench.run_peer)
    return bench.rows


def main(words):
    """Measures the models that are named, or all."""
    words, to = select(words, CASES)
    print(cpu_features())
    print("columns: size, speed, task, cost")
    rows = [row for name in words or CASES for row in measure(name)]
    if to:
        to.write_text(json.dumps({"cpu": cpu_features(), "rows": rows}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
