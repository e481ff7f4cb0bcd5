# SPDX-License-Identifier: Apache-2.0
"""Power-efficient model deployment: prepare, run and account for ONNX models."""
from ._native import version as _version
from .deployment import DeploymentTarget, PowerEfficientDeployment, PowerProfile
from .model import LoadedModel
from .errors import Error

__version__ = _version()
__all__ = ["DeploymentTarget", "Error", "LoadedModel", "PowerEfficientDeployment", "PowerProfile",
           "__version__"]
