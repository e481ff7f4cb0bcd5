# SPDX-License-Identifier: Apache-2.0
"""What a preparation warns of is seen without asking for decisions."""
import os
import subprocess

import pytest
from test_golden import PROGRAM
from tiny_model import tiny_model


@pytest.fixture
def small(tmp_path):
    """A product that is too small to gain by integers."""
    path = tmp_path / "small.onnx"
    path.write_bytes(tiny_model(32, [(i * 37 % 101 - 50) / 50 for i in range(32 * 32)]))
    return path


def test_named_methods_that_slow_a_model_down_are_logged(deployment, small, caplog):
    named = deployment.prepare_model_for_deployment(small, quantization_method="dynamic")
    told = [record for record in caplog.records if record.levelname == "WARNING"]
    assert [record.name for record in told] == ["wattwise.deploy"]
    assert "1 of 1 quantized products are estimated to be slower" in told[0].getMessage()
    warned = [decision for decision in named["decisions"] if decision["action"] == "warn"]
    assert [decision["subject"] for decision in warned] == ["dynamic"]
    caplog.clear()
    deployment.prepare_model_for_deployment(small, quantization_method="auto")
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_the_command_line_prints_warnings_beside_the_result(small, tmp_path, words):
    done = subprocess.run(
        [PROGRAM, *words, "prepare", "--model-path", small, "--quantization-method", "dynamic",
         "--dry-run"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True,
        env={"HOME": str(tmp_path), "WATTWISE_DB": str(tmp_path / "db"), **os.environ})
    assert "warning deploy: dynamic: 1 of 1 quantized products" in done.stderr
    assert done.stdout.startswith("{" if words else "planned")
