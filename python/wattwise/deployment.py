# SPDX-License-Identifier: Apache-2.0
"""The Python face of the library: converts arguments and results, decides nothing."""
import enum
import json
import logging
import math
import os

import numpy

from . import _libraries, _native

PowerProfile = enum.Enum("PowerProfile", {name: name for name in _native.power_profiles()})
PowerProfile.__doc__ = "Power profiles; values are the ids of data/profiles/."
DeploymentTarget = enum.Enum("DeploymentTarget",
                             {name: name for name in _native.deployment_targets()})
DeploymentTarget.__doc__ = "Deployment targets; values are the ids of data/targets/."

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING,
           "error": logging.ERROR}


def _log(level, module, message):
    logging.getLogger(f"wattwise.{module}").log(_LEVELS[level], "%s", message)


def _text(value):
    if value is None or value is Ellipsis:
        return ""
    return str(value.value) if isinstance(value, enum.Enum) else os.fspath(value)


def _value(value):
    if isinstance(value, (str, os.PathLike)):
        return os.fspath(value)
    return numpy.ascontiguousarray(value)


def _is_numbers(value):
    while isinstance(value, (list, tuple)) and value:
        value = value[0]
    return isinstance(value, (int, float, numpy.number))


def _inputs(inputs):
    """A single value, a map of names, or a list of those (a batch), as the extension takes them."""
    if isinstance(inputs, dict):
        return [(str(name), _value(value)) for name, value in inputs.items()]
    if isinstance(inputs, (list, tuple)) and not _is_numbers(inputs):
        return {"batch": [_inputs(item) for item in inputs]}
    return [("", _value(inputs))]


def _with_nan(metrics):
    """Figures that are absent read NaN, so that formatting them never fails."""
    return {key: math.nan if value is None and key != "thermal_throttling_risk" else value
            for key, value in metrics.items()}


class PowerEfficientDeployment:
    """Prepares models for a target under a power profile, runs them and reports what it cost.

    Errors are subclasses of `wattwise.Error` and of the fitting built-in exception. A deployment
    may be used from several threads. Use it in a `with` block or call `cleanup()`.
    """

    def __init__(self, db_path=None, power_profile=None, deployment_target=None, *,
                 data_folder=None, config_files=(), progress=None):
        if power_profile is Ellipsis:
            power_profile = None
        options = {
            "db_path": _text(db_path),
            "power_profile": _text(power_profile) or "BALANCED",
            "deployment_target": _text(deployment_target) or "DESKTOP",
            "data_folder": _text(data_folder),
            "config_files": [_text(path) for path in config_files],
            "onnxruntime_library": _libraries.onnxruntime_library(),
            "duckdb_library": _libraries.duckdb_library(),
        }
        self._native = _native.Deployment(options, _log, progress)
        self._loader_options = {}

    def prepare_model_for_deployment(self, model_path, output_path=None, model_type=None,
                                     quantization_method=None, calibration_data=None,
                                     evaluation=None, *, dry_run=False, bundle=True):
        """Optimizes, quantizes, verifies and packages a model. Returns the prepare result.

        `calibration_data` is an iterable of inputs; here it serves the comparison with the float
        model. `evaluation` is not supported by this version.
        """
        if evaluation is not None:
            raise NotImplementedError("this version has no task metrics; leave evaluation out")
        options = {
            "model_path": _text(model_path), "output_path": _text(output_path),
            "model_type": _text(model_type), "quantization_method": _text(quantization_method),
            "dry_run": dry_run, "bundle": bundle,
        }
        samples = [_inputs(sample) for sample in calibration_data or ()]
        result = json.loads(self._native.prepare(options, samples))
        result["power_efficiency_metrics"] = _with_nan(result["power_efficiency_metrics"])
        return result

    def load_model(self, model_path, model_loader=None, **options):
        """Loads a model, with `model_loader(model_path, **options)` if given."""
        path = _text(model_path)
        loader = None
        if model_loader is not None:
            def loader(resolved):
                return model_loader(resolved, **options)
        text, handle = self._native.load(path, loader)
        result = json.loads(text)
        result["power_metrics"] = _with_nan(result["power_metrics"])
        result["model"] = handle if handle is not None else self
        return result

    def run_inference(self, model_path, inputs, inference_handler=None, **options):
        """Runs once; loads on demand. Outputs are NumPy arrays by name, or what the handler
        `inference_handler(model, inputs, **options)` returned."""
        path = _text(model_path)
        if inference_handler is not None:
            text, outputs = self._native.run_handler(
                path, lambda model: inference_handler(model, inputs, **options))
        else:
            text, outputs = self._native.run(path, _inputs(inputs))
        result = json.loads(text)
        result["outputs"] = outputs
        return result

    def unload_model(self, model_path):
        """True if it was loaded."""
        return self._native.unload(_text(model_path))

    def update_config(self, updates):
        """Folds a map of settings in; returns the whole configuration."""
        return json.loads(self._native.update_config(json.dumps(updates)))

    def get_deployment_status(self, model_path=None):
        """What was prepared and run, and the state of this device."""
        return json.loads(self._native.status(_text(model_path)))

    def get_power_efficiency_report(self, model_path=None, report_format="json"):
        """A map for json, a string for markdown and html."""
        text = self._native.report(_text(model_path), report_format)
        return json.loads(text) if report_format.lower() == "json" else text

    def check_thermal_status(self):
        """Temperatures of this machine now, and the throttling level they ask for."""
        return json.loads(self._native.thermal())

    _check_thermal_status = check_thermal_status

    def inspect_model(self, model_path):
        """A model's ports, operators, parameters, MACs and bytes."""
        return json.loads(self._native.inspect(_text(model_path)))

    def cleanup(self):
        """Unloads everything and writes out what is journalled. Idempotent."""
        self._native.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.cleanup()
