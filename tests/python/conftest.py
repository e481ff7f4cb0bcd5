# SPDX-License-Identifier: Apache-2.0
"""What several tests start from."""
import pytest
from tiny_model import tiny_model

from power_efficient_deployment import PowerEfficientDeployment


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
