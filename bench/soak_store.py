#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Eight processes write and read one database: no error, no lost row, how long `status` takes.

    .venv/bin/python bench/soak_store.py [SECONDS]

Four run inferences through the Python package, two ask for the status, one for the report, one
prepares a model, each in a loop. Exits with 1 if a row was lost or a process failed.
"""
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
WATTWISE = ROOT / "build/release/wattwise"
MODEL = pathlib.Path.home() / ".cache/wattwise/models/blazeface.onnx"

RUNNER = """
import sys, time, numpy
from wattwise import PowerEfficientDeployment
count, end = 0, time.monotonic() + float(sys.argv[2])
with PowerEfficientDeployment() as deployment:
    while time.monotonic() < end:
        deployment.run_inference(sys.argv[1], numpy.zeros((1, 128, 128, 3), numpy.float32))
        count += 1
print(count)
"""


def loop(words, seconds):
    """A shell-free child that repeats a command; prints the duration of each run, or its error."""
    code = ("import subprocess, sys, time\n"
            "end = time.monotonic() + float(sys.argv[1])\n"
            "while time.monotonic() < end:\n"
            "    start = time.monotonic()\n"
            "    done = subprocess.run(sys.argv[2:], capture_output=True, text=True)\n"
            "    if done.returncode: sys.exit(done.stderr)\n"
            "    print(time.monotonic() - start, flush=True)\n")
    return [sys.executable, "-c", code, str(seconds), str(WATTWISE), *words]


def run(seconds, folder):
    model = folder / "face.onnx"
    shutil.copy(MODEL, model)
    other = folder / "other.onnx"
    shutil.copy(MODEL, other)
    environment = {**os.environ, "WATTWISE_DB": str(folder / "soak.duckdb")}
    commands = {
        **{f"inference {i}": [sys.executable, "-c", RUNNER, str(model), str(seconds)]
           for i in range(4)},
        "status 0": loop(["--json", "status"], seconds),
        "status 1": loop(["--json", "status"], seconds),
        "report": loop(["report", "--format", "markdown"], seconds),
        "prepare": loop(["prepare", "--model-path", str(other), "--deployment-target", "ANDROID"],
                        seconds),
    }
    children = {name: subprocess.Popen(words, env=environment, stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, text=True)
                for name, words in commands.items()}
    outputs = {}
    for name, child in children.items():
        out, error = child.communicate()
        if child.returncode:
            sys.exit(f"{name} failed: {error.strip()}")
        outputs[name] = [float(word) for word in out.split()]
    status = subprocess.run([WATTWISE, "--json", "status"], env=environment, text=True,
                            capture_output=True, check=True)
    models = json.loads(status.stdout)["deployed_models"]
    return outputs, models, str(model)


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60
    with tempfile.TemporaryDirectory() as name:
        outputs, models, model = run(seconds, pathlib.Path(name).resolve())
    made = int(sum(sum(values) for key, values in outputs.items() if key.startswith("inference")))
    kept = models[model]["statistics"]["inference_count"]
    waits = sorted(outputs["status 0"] + outputs["status 1"])
    print(f"{made} inferences made, {kept} recorded, "
          f"{len(outputs['prepare'])} preparations, {len(outputs['report'])} reports")
    print(f"status: {len(waits)} calls, median {statistics.median(waits):.3f} s, "
          f"slowest {waits[-1]:.3f} s")
    if made != kept:
        sys.exit(f"{made - kept} rows were lost")


if __name__ == "__main__":
    start = time.monotonic()
    main()
    print(f"took {time.monotonic() - start:.0f} s")
