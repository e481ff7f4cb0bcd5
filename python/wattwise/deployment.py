# SPDX-License-Identifier: Apache-2.0
"""The Python face of the library: converts arguments and results, decides nothing."""
from __future__ import annotations

import inspect
import json
import logging
import math
import operator
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy

from . import _libraries, _native
from ._enums import DeploymentTarget, PowerProfile
from .errors import InvalidArgumentError
from .model import LoadedModel

Path = str | os.PathLike[str]

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING,
           "error": logging.ERROR}


def _log(level: str, module: str, message: str) -> None:
    logging.getLogger(f"wattwise.{module}").log(_LEVELS[level], "%s", message)


def _text(value: Any) -> str:
    if value is None or value is Ellipsis:
        return ""
    if isinstance(value, (PowerProfile, DeploymentTarget)):
        return str(value.value)
    text = os.fspath(value)
    if not isinstance(text, str):
        raise TypeError(f"{value!r} is bytes: pass a str, or os.fsdecode() of it")
    return text


def _path(value: Any) -> str:
    if value is None:
        raise TypeError("the path of the model is None: pass a str or a path")
    return _text(value)


def _callable(value: Any, name: str) -> Any:
    if value is not None and not callable(value):
        raise TypeError(f"{name} must be callable, it is {value!r}")
    return value


def _value(value: Any) -> Any:
    if isinstance(value, (str, os.PathLike)):
        return os.fspath(value)
    array = numpy.ascontiguousarray(_check_loops(value))
    if array.dtype == object and not all(isinstance(item, str) for item in array.flat):
        raise ValueError("the inputs hold objects that are neither numbers nor texts")
    return array


def _check_loops(value: Any, around: tuple[int, ...] = ()) -> Any:
    """A list that holds itself has no end."""
    if isinstance(value, (list, tuple)):
        if id(value) in around:
            raise ValueError("the inputs hold a list that holds itself")
        for item in value:
            _check_loops(item, (*around, id(value)))
    return value


def _is_numbers(value: Any) -> bool:
    while isinstance(value, (list, tuple)) and value:
        value = value[0]
    return isinstance(value, (int, float, numpy.number))


def _inputs(inputs: Any) -> Any:
    """A single value, a map of names, or a list of those (a batch), as the extension takes them."""
    if isinstance(inputs, Mapping):
        return [(str(name), _value(value)) for name, value in inputs.items()]
    _check_loops(inputs)
    if isinstance(inputs, (list, tuple)) and not _is_numbers(inputs):
        return {"batch": [_inputs(item) for item in inputs]}
    return [("", _value(inputs))]


def _check_finite(updates: Any, key: str = "") -> None:
    """JSON has no NaN and no infinity."""
    if isinstance(updates, Mapping):
        for name, value in updates.items():
            _check_finite(value, f"{key}.{name}" if key else str(name))
    elif isinstance(updates, float) and not math.isfinite(updates):
        raise InvalidArgumentError(f"the setting {key} cannot be {updates}: pass a number, or None "
                                   "where the setting may be unset")


def _data(data: Any, name: str, labelled: bool = False) -> Any:
    """Samples as the extension takes them: nothing, a path, or (what starts a pass, whether it
    does so once only). A pass gives (inputs, labels)."""
    if data is None:
        return None
    if isinstance(data, (str, os.PathLike)):
        return _text(data)
    if isinstance(data, Mapping) or not hasattr(data, "__iter__"):
        raise TypeError(f"{name} must be a path or an iterable with an item for each sample, it is "
                        f"a {type(data).__name__}")
    return lambda: map(_sample if labelled else lambda item: (_inputs(item), []), data), \
        isinstance(data, Iterator)


def _sample(item: Any) -> Any:
    """(inputs, labels) of an item: a pair, or inputs alone."""
    if isinstance(item, tuple) and len(item) == 2:
        return _inputs(item[0]), numpy.ravel(item[1]).astype(float).tolist()
    return _inputs(item), []


def _metric(function: Callable[..., Any]) -> Callable[[list[Any], list[list[float]]], float]:
    """A callable of outputs, or of outputs and labels, as the extension calls it."""
    try:
        inspect.signature(function).bind(None, None)
    except (TypeError, ValueError):
        return lambda outputs, labels: float(function(outputs))
    return lambda outputs, labels: float(function(outputs, labels))


def _evaluation(evaluation: Any) -> tuple[Any, str, Any]:
    """Data, the metric's name and the metric's function."""
    if callable(evaluation) and not hasattr(evaluation, "__iter__"):
        return None, "", _metric(evaluation)
    if not isinstance(evaluation, Mapping):
        return _data(evaluation, "evaluation", labelled=True), "", None
    if set(evaluation) - {"data", "metric"}:
        raise TypeError("evaluation takes the keys \"data\" and \"metric\", not "
                        f"{sorted(evaluation)}")
    metric = evaluation.get("metric")
    data = _data(evaluation.get("data"), "evaluation", labelled=True)
    return (data, "", _metric(metric)) if callable(metric) else (data, metric or "", None)


def _fixed(inputs: Mapping[str, Any] | None) -> dict[str, str]:
    """Values of fixed inputs as text: numbers, truth values and flat lists or arrays of them."""
    return {str(name): ",".join(str(item) for item in numpy.ravel(value).tolist())
            for name, value in (inputs or {}).items()}


def _opset(opset: int | None) -> int | None:
    return None if opset is None else operator.index(opset)


def _with_nan(metrics: dict[str, Any]) -> dict[str, Any]:
    """Figures that are absent read NaN, so that formatting them never fails."""
    return {key: math.nan if value is None and key != "thermal_throttling_risk" else value
            for key, value in metrics.items()}


class PowerEfficientDeployment:
    """Prepares models for a target under a power profile, runs them and reports what it cost.

    Results are maps whose keys docs/formats/results.md explains. Errors are subclasses of
    `wattwise.Error` and of the fitting built-in exception. Log records go to the loggers
    `wattwise.<module>`. A deployment may be used from several threads. Use it in a `with` block or
    call `cleanup()`.

    Args:
        db_path: the database file; by default $WATTWISE_DB, else one in the XDG data folder.
        power_profile: a `PowerProfile` or its name; BALANCED by default.
        deployment_target: a `DeploymentTarget` or its name; DESKTOP by default.
        data_folder: overlays the built-in data; may define targets, profiles and devices.
        config_files: JSON files with settings, folded in order.
        cache_folder: where preparations are kept for reuse; by default $WATTWISE_CACHE, else in
            the XDG cache folder.
        progress: `progress(stage, fraction)`, called during long calls; returning False cancels
            the call, which then raises `ExhaustedError` and leaves nothing half-written.
    """

    def __init__(self, db_path: Path | None = None,
                 power_profile: PowerProfile | str | None = None,
                 deployment_target: DeploymentTarget | str | None = None, *,
                 data_folder: Path | None = None, config_files: Iterable[Path] = (),
                 cache_folder: Path | None = None,
                 progress: Callable[[str, float], bool | None] | None = None) -> None:
        options = {
            "db_path": _text(db_path),
            "power_profile": _text(power_profile) or "BALANCED",
            "deployment_target": _text(deployment_target) or "DESKTOP",
            "data_folder": _text(data_folder),
            "cache_folder": _text(cache_folder),
            "config_files": [_text(path) for path in config_files],
            "onnxruntime_library": _libraries.onnxruntime_library(),
            "duckdb_library": _libraries.duckdb_library(),
        }
        self._native = _native.Deployment(options, _log, _callable(progress, "progress"))

    def prepare_model_for_deployment(
            self, model_path: Path, output_path: Path | None = None,
            model_type: str | None = None, quantization_method: str | None = None,
            calibration_data: Any = None, evaluation: Any = None, *, dry_run: bool = False,
            bundle: bool = True, fix_inputs: Mapping[str, Any] | None = None,
            opset: int | None = None, measure: bool = False,
            use_cache: bool = True) -> dict[str, Any]:
        """Optimizes, quantizes, verifies and packages a model. Returns the prepare result.

        `calibration_data` is a folder or a file of samples (docs/formats/datasets.md), or an
        iterable of inputs, of which one at a time is in memory; an iterator, which can be read
        only once, is kept in a temporary folder. Some of it, evenly spread, serves the comparison
        with the float model.
        `evaluation` is what the accuracy limit is about: labelled data, as a path or an iterable
        of (inputs, label) pairs; a callable that gets the list of the outputs' maps on
        `calibration_data`, and a list of labels if it takes two arguments, and returns a number
        that grows with quality; or a map of both, `{"data": ..., "metric": ...}`, whose metric
        may also be "accuracy" or "auroc", with ":" and an output's name where several fit.
        `fix_inputs` maps inputs to values that they then have for good, or names of free
        dimensions to sizes: `{"sr": 8000}`. `opset` is the ONNX operator set of the result, 7 to
        24, in place of the setting `optimization.opset`. `measure` times on this machine what each
        exact pass, and under an objective of latency or energy each method, is worth, and leaves
        out what is slower; `decisions` has the figures. `use_cache=False` neither reuses an
        earlier preparation of the same model nor keeps this one.
        """
        options = {
            "model_path": _path(model_path), "output_path": _text(output_path),
            "model_type": _text(model_type), "quantization_method": _text(quantization_method),
            "dry_run": dry_run, "bundle": bundle, "fixed_inputs": _fixed(fix_inputs),
            "opset": _opset(opset), "measure": bool(measure), "use_cache": bool(use_cache),
        }
        data = _data(calibration_data, "calibration_data")
        result = json.loads(self._native.prepare(options, data, _evaluation(evaluation)))
        result["power_efficiency_metrics"] = _with_nan(result["power_efficiency_metrics"])
        return result

    def load_model(self, model_path: Path, model_loader: Callable[..., Any] | None = None,
                   **options: Any) -> dict[str, Any]:
        """Loads a model, with `model_loader(model_path, **options)` if given.

        `model` in the result is a `LoadedModel`, or what the loader returned.
        """
        loader = None
        if _callable(model_loader, "model_loader") is not None:
            def loader(resolved: str) -> Any:
                return model_loader(resolved, **options)
        elif options:
            raise TypeError(f"load_model() got an unexpected option {next(iter(options))!r}; "
                            "options are for a model_loader")
        text, handle = self._native.load(_path(model_path), loader)
        result = json.loads(text)
        result["power_metrics"] = _with_nan(result["power_metrics"])
        result["model"] = self._own_handle(result) if handle is None else handle
        return result

    def run_inference(self, model_path: Path, inputs: Any,
                      inference_handler: Callable[..., Any] | None = None,
                      **options: Any) -> dict[str, Any]:
        """Runs once; loads on demand. Outputs are NumPy arrays by name, or what the handler
        `inference_handler(model, inputs, **options)` returned.

        `inputs` is an array, a text, the path of an image, sound or array file, a map of those by
        input name or kind (image, text, audio), or a list of those: a batch.
        """
        path = _path(model_path)
        if _callable(inference_handler, "inference_handler") is not None:
            def handler(model: Any) -> Any:
                model = self.load_model(path)["model"] if model is None else model
                return inference_handler(model, inputs, **options)
            text, outputs = self._native.run_handler(path, handler)
        elif options:
            raise TypeError(f"run_inference() got an unexpected option {next(iter(options))!r}; "
                            "options are for an inference_handler")
        else:
            text, outputs = self._native.run(path, _inputs(inputs))
        result = json.loads(text)
        result["outputs"] = outputs
        return result

    def unload_model(self, model_path: Path) -> bool:
        """True if it was loaded."""
        return self._native.unload(_path(model_path))

    def update_config(self, updates: Mapping[str, Any]) -> dict[str, Any]:
        """Folds a map of settings in; returns the whole configuration."""
        _check_finite(updates)
        return json.loads(self._native.update_config(json.dumps(updates)))

    def get_deployment_status(self, model_path: Path | None = None) -> dict[str, Any]:
        """What was prepared and run, and the state of this device."""
        return json.loads(self._native.status(_text(model_path)))

    def get_power_efficiency_report(self, model_path: Path | None = None,
                                    report_format: str = "json") -> Any:
        """A map for json, a string for markdown and html."""
        text = self._native.report(_text(model_path), report_format)
        return json.loads(text) if report_format.lower() == "json" else text

    def check_thermal_status(self) -> dict[str, Any]:
        """Temperatures of this machine now, and the throttling level they ask for."""
        return json.loads(self._native.thermal())

    _check_thermal_status = check_thermal_status

    def optimize_model(self, model_path: Path, output_path: Path | None = None,
                       samples: Any = None, *, dry_run: bool = False,
                       fix_inputs: Mapping[str, Any] | None = None,
                       opset: int | None = None, measure: bool = False) -> dict[str, Any]:
        """Runs the exact passes alone and writes the float model; says what each pass did.

        `samples` is as `calibration_data`, and `fix_inputs`, `opset` and `measure` are as they are,
        of `prepare_model_for_deployment`.
        """
        options = {"model_path": _path(model_path), "output_path": _text(output_path),
                   "dry_run": dry_run, "fixed_inputs": _fixed(fix_inputs),
                   "opset": _opset(opset), "measure": bool(measure)}
        return json.loads(self._native.optimize(options, _data(samples, "samples")))

    def inspect_model(self, model_path: Path) -> dict[str, Any]:
        """A model's ports, operators, parameters, MACs and bytes."""
        return json.loads(self._native.inspect(_path(model_path)))

    def compare_models(self, first_path: Path, second_path: Path, data: Any = None,
                       evaluation: Any = None, *, fix_inputs: Mapping[str, Any] | None = None,
                       plot_path: Path | None = None) -> dict[str, Any]:
        """Outputs' SQNR and cosine, sizes, load and interleaved CPU times of two models.

        `data`, of which every sample is run, and `evaluation` are as `calibration_data` and
        `evaluation` of `prepare_model_for_deployment`; `fix_inputs` are values that the second
        model has for good; `plot_path` is a picture to write, .html or .svg.
        """
        options = {"first_path": _path(first_path), "second_path": _path(second_path),
                   "plot_path": _text(plot_path), "fixed_inputs": _fixed(fix_inputs)}
        return json.loads(self._native.compare(options, _data(data, "data"),
                                               _evaluation(evaluation)))

    def diagnose(self) -> dict[str, Any]:
        """What this machine can measure, what is missing and what would unlock it."""
        return json.loads(self._native.diagnose())

    def cleanup(self) -> None:
        """Unloads everything and writes out what is journalled. Idempotent."""
        self._native.cleanup()

    def _own_handle(self, loaded: Mapping[str, Any]) -> LoadedModel | None:
        if loaded["execution_provider"] == "custom":
            return None  # the loader returned None
        return LoadedModel(self, loaded["model_path"], loaded["inputs"], loaded["outputs"])

    def __enter__(self) -> PowerEfficientDeployment:
        return self

    def __exit__(self, *_: object) -> None:
        self.cleanup()
