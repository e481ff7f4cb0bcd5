# SPDX-License-Identifier: Apache-2.0
"""The handle of a model that the library itself has loaded."""
from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .deployment import PowerEfficientDeployment


@dataclasses.dataclass(frozen=True)
class Port:
    """An input or output: its name, ONNX element type, and shape (None or a name where free)."""
    name: str
    type: str
    shape: list[int | str | None]


class LoadedModel:
    """Runs like `onnxruntime.InferenceSession`, under the control of its deployment."""

    def __init__(self, deployment: PowerEfficientDeployment, path: str,
                 inputs: Sequence[Mapping[str, Any]], outputs: Sequence[Mapping[str, Any]]) -> None:
        self._deployment = deployment
        self._path = path
        self._inputs = [Port(**port) for port in inputs]
        self._outputs = [Port(**port) for port in outputs]

    def get_inputs(self) -> list[Port]:
        """The model's inputs."""
        return list(self._inputs)

    def get_outputs(self) -> list[Port]:
        """The model's outputs."""
        return list(self._outputs)

    def run(self, output_names: Sequence[str] | None, inputs: Any) -> list[Any]:
        """The named outputs, or all of them in the model's order."""
        outputs = self._deployment.run_inference(self._path, inputs)["outputs"]
        names = output_names or [port.name for port in self._outputs]
        unknown = [name for name in names if name not in outputs]
        if unknown:
            raise ValueError(f"{self._path} has no output {unknown[0]!r}; it has "
                             f"{', '.join(outputs)}")
        return [outputs[name] for name in names]
