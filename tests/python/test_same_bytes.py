# SPDX-License-Identifier: Apache-2.0
"""The same request gives the same bytes, in another process and with other threads."""
import os
import pathlib
import subprocess

import pytest
from tiny_model import tiny_model

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "build" / "release" / "wattwise"
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache"))
MODELS = CACHE / "wattwise" / "models"
REAL = ["blazeface.onnx", "ocr_classifier.onnx", "silero_vad_v5.onnx", "silero_vad_legacy.onnx"]
CORES = sorted(os.sched_getaffinity(0))
# Environment and processors of two runs: what decides how many threads a library makes.
RUNS = [({"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}, CORES[:1]),
        ({"OMP_NUM_THREADS": "7", "MKL_NUM_THREADS": "7"}, CORES)]


def prepare(model, output, method, run):
    """Model and bundle that one process makes, by their path from the output's folder."""
    variables, cores = run
    output.parent.mkdir()
    done = subprocess.run(
        [PROGRAM, "prepare", "--model-path", model, "--output-path", output, "--no-cache",
         "--quantization-method", method, "--deployment-target", "ANDROID"],
        env={**os.environ, **variables, "WATTWISE_DB": str(output.parent.parent / "test.duckdb")},
        preexec_fn=lambda: os.sched_setaffinity(0, cores), capture_output=True, text=True,
        timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return {path.relative_to(output.parent): path.read_bytes()
            for path in sorted(output.parent.rglob("*")) if path.is_file()}


def check(tmp_path, model, method):
    first, second = (prepare(model, tmp_path / str(number) / "out.onnx", method, run)
                     for number, run in enumerate(RUNS))
    assert len(first) > 2, "a model and its bundle"
    assert list(first) == list(second)
    assert [path for path in first if first[path] != second[path]] == []


def test_a_tiny_model(tmp_path):
    model = tmp_path / "tiny.onnx"
    model.write_bytes(tiny_model())
    check(tmp_path, model, "none")


@pytest.mark.skipif(not (MODELS / "complete").exists(), reason="./setup models has not been run")
@pytest.mark.parametrize("method", ["auto", "weight_only", "int4"])
@pytest.mark.parametrize("name", REAL)
def test_real_models(tmp_path, name, method):
    check(tmp_path, MODELS / name, method)
