#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the passes make of models: size, exactness, speed and load, beside onnxsim and onnxslim.

    python3 bench/rewriting.py [MODEL ...]

Without models: those of `./setup models`, with the goals set for them. Speed is CPU time of the
untouched model / that of the other, one thread, run in turn in one process, with its 95 % interval.
What the answers are worth for the task (bench/task_metrics.py) stands beside, run by the
interpreter of .venv. The two other tools are installed on demand into an environment of their own
in the cache.
"""
import pathlib
import sys
import tempfile

from rows import size
from running import MODELS, ROOT, cpu_features, python_with, run, score, wattwise

# Goals for a machine with VNNI, and [in brackets] with AVX2 only: bytes, and speed.
GOALS = {
    ("ocr_reader", "rewritten"): "exact to 1e-5, 1.35x [1.2x]",
    ("ocr_reader", "weight_only"): "2.9 MB, the same speed, CER 0.15 % above float's",
    ("blazeface", "rewritten"): "1.35x [1.0x]",
    ("blazeface", "weight_only"): "165 kB, 1.35x [1.0x], 99 %, AUROC 0.9995",
    ("silero_vad_v5", "rewritten"): "exact to 1e-6, 1.35x",
    ("silero_vad_v5", "fp16"): "1.15 MB, flips 0.05 %",
    ("silero_vad_v5", "weight_only"): "850 kB, 1.3x, flips 0.3 %",
    ("silero_vad_v5", "sr=8000"): "0.5 MB, 1.45x",
    ("model", "weight_only"): "23 MB, cosine 0.999, 1.3x",
    ("model", "stored int8"): "1.0x, cosine 0.9995",
}
TASKS = {"ocr_reader": "lines", "blazeface": "faces", "silero_vad_v5": "speech"}


def rewritten(model, output, folder, *words):
    """The exact passes alone."""
    document, cost = wattwise(folder, "optimize", model, "--output-path", output, *words)
    passes = sum(item["milliseconds"] for item in document["passes"]) / 1000
    return f"passes {passes:.3f} s, all {cost}, {document['rounds']} rounds"


def prepared(method, *words):
    """A function that runs the passes and a method on a model."""
    def make(model, output, folder):
        _, cost = wattwise(folder, "prepare", "--model-path", model, "--output-path", output,
                           "--no-cache", "--no-bundle", "--quantization-method", method, *words)
        return f"all {cost}"
    return make


def stored_int8(model, output, folder):
    """Weights stored in 8 bits, arithmetic as it was."""
    settings = folder / "settings.json"
    settings.write_text('{"quantization": {"weight_only_arithmetic": "float"}}', encoding="utf-8")
    return prepared("weight_only", "--config", settings)(model, output, folder)


def fixed_rate(model, output, folder):
    """Rewritten for one rate of samples."""
    return rewritten(model, output, folder, "--fix-input", "sr=8000")


def forms_of(model, is_known):
    """What is made of a model, by name."""
    forms = {"rewritten": rewritten, "fp16": prepared("fp16"), "stored int8": stored_int8,
             "weight_only": prepared("weight_only")}
    if is_known and model.stem == "silero_vad_v5":
        forms["sr=8000"] = fixed_rate
    return forms


def other_tools():
    """Functions that run the rivals on a model, installed where they are not yet."""
    names = ("onnxsim", "onnxslim")
    try:
        folder = python_with("rivals", [*names, "onnxruntime"]).parent
    except RuntimeError as error:
        print(f"the other tools cannot be installed: {error}")
        return {}

    def runner(program):
        def make(model, output, _folder):
            return f"all {run([folder / program, model, output])[1]}"
        return make
    return {name: runner(name) for name in names}


def task_line(model, output):
    """What the answers are worth, for models whose task is known."""
    task = TASKS.get(model.stem)
    if task is None or MODELS not in model.parents:
        return ""
    try:
        return f"  {score(ROOT / '.venv/bin/python', task, output, model)}"
    except (RuntimeError, OSError) as error:
        return f"  {task}: {error}"


def timed_on(model, folder):
    """Arguments that hand over an input of the model's task, where one is known."""
    task = TASKS.get(model.stem)
    if task not in ("lines", "faces") or MODELS not in model.parents:
        return ()
    run([ROOT / ".venv/bin/python", ROOT / "bench/task_metrics.py", task, "--data",
         folder / "samples", model])
    return ("--data", folder / "timed")


def compare(model, output, folder):
    """One line about what was made of a model."""
    fixed = ("--fix-input", "sr=8000") if output.stem == "sr=8000" else ()
    found, _ = wattwise(folder, "compare", model, output, *fixed, *timed_on(model, folder))
    error = max(item["max_relative_error"] for item in found["outputs"].values())
    cosine = min(item["cosine"] for item in found["outputs"].values())
    speed = found["speed_ratio"]
    return (f"{size(found['second']['size_bytes']):>9}  {error:8.1e}  {cosine:.6f}  "
            f"{speed['median']:.3f}x ({speed['low']:.3f} to {speed['high']:.3f})  "
            f"{found['first']['load_ms']:5.1f} -> {found['second']['load_ms']:5.1f} ms")


def measure(model, forms):
    """Prints the table of one model."""
    print(f"\n{model.stem if model.parent == MODELS else model.parent.name + '/' + model.stem}, "
          f"{size(model.stat().st_size)}")
    worth = task_line(model, model)
    if worth:
        print(f"  {'as it was':<12}{worth}")
    for name, make in forms.items():
        with tempfile.TemporaryDirectory() as temporary:
            folder = pathlib.Path(temporary)
            output = folder / f"{name}.onnx"
            try:
                cost = make(model, output, folder)
                line = compare(model, output, folder)
            except RuntimeError as error:
                print(f"  {name:<12} {error}")
                continue
            goal = GOALS.get((model.stem, name), "") if MODELS in model.parents else ""
            print(f"  {name:<12} {line}  {cost}{task_line(model, output)}"
                  + (f"  [goal: {goal}]" if goal else ""), flush=True)


def main(words):
    """Measures the models that are named, or all."""
    models = [pathlib.Path(word).resolve() for word in words] or sorted(
        path for path in [*MODELS.glob("*.onnx"), *MODELS.glob("*/model.onnx")]
        if "operators" not in path.parts)
    if not models:
        sys.exit("there are no models; name some, or run ./setup models")
    tools = other_tools()
    print(cpu_features())
    print("columns: size, largest error of the largest value, cosine, speed, load, cost, task")
    for model in models:
        measure(model, {**forms_of(model, MODELS in model.parents), **tools})


if __name__ == "__main__":
    main(sys.argv[1:])
