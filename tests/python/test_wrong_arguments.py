# SPDX-License-Identifier: Apache-2.0
"""What a caller gets wrong is said in one clear error, of the built-in kind that fits."""
import os
import pathlib
import subprocess

import numpy
import pytest

from power_efficient_deployment import PowerEfficientDeployment

PROGRAM = pathlib.Path(__file__).parents[2] / "build" / "release" / "wattwise"


def inputs_of(deployment, model):
    """Zeros for each input."""
    return {port["name"]: numpy.zeros([size if isinstance(size, int) and size > 0 else 1
                                       for size in port["shape"]], numpy.float32)
            for port in deployment.inspect_model(model)["inputs"]}


def test_a_loader_that_failed_is_forgotten(deployment, model):
    with pytest.raises(ZeroDivisionError):
        deployment.load_model(model, model_loader=lambda path, **_: 1 / 0)
    assert deployment.run_inference(model, inputs_of(deployment, model))["status"] == "success"
    assert deployment.load_model(model, model_loader=lambda path: "mine")["model"] == "mine"
    deployment.cleanup()
    assert deployment.load_model(model)["model"] == "mine", "the one that worked is remembered"


@pytest.mark.parametrize("call", [
    lambda d, m: d.load_model(m, model_loader=3),
    lambda d, m: d.run_inference(m, [1.0], inference_handler="handler"),
    lambda d, m: d.load_model(None),
    lambda d, m: d.load_model(os.fsencode(m)),
    lambda d, m: d.prepare_model_for_deployment(None),
    lambda d, m: PowerEfficientDeployment(progress=3)])
def test_wrong_kinds_are_type_errors(deployment, model, call):
    with pytest.raises(TypeError, match="callable|path|bytes"):
        call(deployment, model)


def test_an_empty_path_is_refused_everywhere(deployment):
    for call in (deployment.load_model, deployment.prepare_model_for_deployment,
                 deployment.unload_model, deployment.inspect_model, deployment.optimize_model,
                 lambda path: deployment.run_inference(path, [1.0])):
        with pytest.raises(ValueError, match="the path of the model is empty"):
            call("")


def test_lists_that_hold_themselves_end(deployment, model):
    endless = []
    endless.append(endless)
    twofold = ["text"]
    twofold += [twofold, twofold]
    for given in (endless, twofold, {"x": endless}):
        with pytest.raises(ValueError, match="holds itself"):
            deployment.run_inference(model, given)


def test_values_that_no_tensor_has(deployment, model):
    with pytest.raises(ValueError, match="neither numbers nor texts"):
        deployment.run_inference(model, numpy.array([None, 3], dtype=object))
    with pytest.raises(ValueError, match="texts cannot be fed"):
        deployment.run_inference(model, numpy.array(["a", "b"]))


def test_settings_that_are_no_numbers_are_named(deployment):
    for value in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="quantization.max_accuracy_drop_percent"):
            deployment.update_config({"quantization": {"max_accuracy_drop_percent": value}})


def test_a_library_that_was_named_must_serve(tmp_path, model):
    for words, variable in ((["--onnxruntime-library", "/no/library.so"], None),
                            ([], "/no/library.so")):
        environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
        environment |= {"WATTWISE_ORT_LIBRARY": variable} if variable else {}
        done = subprocess.run([PROGRAM, *words, "load", "--model-path", model], env=environment,
                              capture_output=True, text=True, check=False)
        assert done.returncode == 7, done.stderr
        assert "/no/library.so" in done.stderr
