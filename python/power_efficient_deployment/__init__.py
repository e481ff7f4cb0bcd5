# SPDX-License-Identifier: Apache-2.0
"""The library under the name that its guide uses."""
from wattwise import DeploymentTarget, Error, PowerEfficientDeployment, PowerProfile

__all__ = ["DeploymentTarget", "Error", "PowerEfficientDeployment", "PowerProfile"]
