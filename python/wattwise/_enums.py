# SPDX-License-Identifier: Apache-2.0
"""The ids of data/profiles/ and data/targets/ as enumerations (CMake writes their types)."""
import enum

from . import _native

PowerProfile = enum.Enum("PowerProfile", {name: name for name in _native.power_profiles()})
PowerProfile.__doc__ = "Power profiles; values are the ids of data/profiles/."
DeploymentTarget = enum.Enum("DeploymentTarget",
                             {name: name for name in _native.deployment_targets()})
DeploymentTarget.__doc__ = "Deployment targets; values are the ids of data/targets/."
