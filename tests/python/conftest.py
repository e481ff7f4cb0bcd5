# SPDX-License-Identifier: Apache-2.0
"""What every test has around it, and what several start from."""
import pytest
from tiny_model import tiny_model

from power_efficient_deployment import PowerEfficientDeployment


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """No test finds what the user or another test has prepared."""
    monkeypatch.setenv("WATTWISE_CACHE", str(tmp_path / "prepared"))


@pytest.fixture
def deployment(tmp_path):
    """A deployment with a database of its own."""
    with PowerEfficientDeployment(db_path=tmp_path / "test.duckdb") as made:
        yield made


@pytest.fixture
def model(tmp_path):
    """The path of a small model: x [n, 4] to y [n, 2]."""
    path = tmp_path / "tiny.onnx"
    path.write_bytes(tiny_model())
    return path
