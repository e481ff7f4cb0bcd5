# SPDX-License-Identifier: Apache-2.0
"""The calls that the guide shows, in its order, with real models."""
import json
import os
import pathlib
import subprocess
import sys

import numpy
import pytest

from power_efficient_deployment import DeploymentTarget, PowerEfficientDeployment, PowerProfile

CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache"))
MODELS = CACHE / "wattwise" / "models"
needs_models = pytest.mark.skipif(not (MODELS / "complete").exists(),
                                  reason="./setup models has not been run")


@pytest.fixture
def folder(tmp_path):
    """A folder with the text model and its tokenizer under the guide's names."""
    local = tmp_path / "local"
    local.mkdir()
    for name in ("model.onnx", "tokenizer.json"):
        (local / name).write_bytes((MODELS / "minilm" / name).read_bytes())
    return local


def deploy(tmp_path, profile, target):
    return PowerEfficientDeployment(db_path=tmp_path / "test.duckdb", power_profile=profile,
                                    deployment_target=target)


@needs_models
def test_basic_usage(tmp_path, folder):
    with deploy(tmp_path, PowerProfile.BALANCED, DeploymentTarget.ANDROID) as deployment:
        result = deployment.prepare_model_for_deployment(model_path=folder / "model.onnx",
                                                         model_type="text")
        assert result["status"] == "ready"
        assert result["size_reduction_ratio"] > 3.5
        assert result["output_model_path"].endswith("model_balanced_optimized.onnx")
        metrics = result["power_efficiency_metrics"]
        assert f"{metrics['power_consumption_mw']:.2f}" != "nan"
        info = deployment.load_model(model_path=result["output_model_path"])
        assert info["status"] == "loaded"
        answer = deployment.run_inference(model_path=result["output_model_path"],
                                          inputs="Sample input text")
        assert answer["inference_time_seconds"] > 0
        assert all(numpy.isfinite(value).all() for value in answer["outputs"].values())
        status = deployment.get_deployment_status(result["output_model_path"])
        assert status["statistics"]["inference_count"] == 1
        markdown = deployment.get_power_efficiency_report(report_format="markdown")
        assert "not available" in markdown
        report = deployment.get_power_efficiency_report(result["output_model_path"])
        figures = report["models"][result["output_model_path"]]["provenance"]
        assert figures["power_consumption_mw"]["origin"] == "estimated"


@needs_models
def test_custom_loader_and_handler(tmp_path):
    def loader(model_path, **_):
        import onnxruntime
        return onnxruntime.InferenceSession(model_path)

    def handler(model, inputs, **_):
        return model.run(None, {model.get_inputs()[0].name: inputs})[0]

    with deploy(tmp_path, PowerProfile.BALANCED, DeploymentTarget.DESKTOP) as deployment:
        path = MODELS / "blazeface.onnx"
        info = deployment.load_model(model_path=path, model_loader=loader)
        assert info["model"].get_inputs()
        frame = numpy.zeros((1, 128, 128, 3), numpy.float32)
        result = deployment.run_inference(path, frame, inference_handler=handler)
        assert isinstance(result["outputs"], numpy.ndarray)
        assert deployment.unload_model(path)


@needs_models
def test_outputs_equal_onnxruntime(tmp_path):
    import onnxruntime
    path = MODELS / "blazeface.onnx"
    frame = numpy.random.default_rng(1).random((1, 128, 128, 3), numpy.float32)
    expected = onnxruntime.InferenceSession(str(path)).run(None, {"input:0": frame})
    with deploy(tmp_path, "BALANCED", "DESKTOP") as deployment:
        result = deployment.run_inference(path, {"image": frame})
        got = sorted(float(v.sum()) for v in result["outputs"].values())
        assert numpy.allclose(got, sorted(float(v.sum()) for v in expected), rtol=1e-4)


def test_configuration(tmp_path):
    deployment = deploy(tmp_path, PowerProfile.BALANCED, DeploymentTarget.ANDROID)
    config = deployment.update_config({"quantization": {"preferred_method": "int4",
                                                        "fallback_method": "int8"}})
    assert config["power_profile"] == "CUSTOM"
    assert config["base_profile"] == "BALANCED"
    with pytest.raises(ValueError, match="quantization"):
        deployment.update_config({"quantisation": {}})


@needs_models
def test_batches_follow_the_configuration(tmp_path, folder):
    deployment = deploy(tmp_path, "BALANCED", "DESKTOP")
    texts = ["one", "two words", "three short words"]
    single = deployment.run_inference(folder / "model.onnx", texts)
    assert [d["action"] for d in single["decisions"]].count("split_batch") == 1
    deployment.update_config({"inference_optimization": {"optimal_batch_size": 3}})
    whole = deployment.run_inference(folder / "model.onnx", texts)
    assert "split_batch" not in [d["action"] for d in whole["decisions"]]
    for name, value in whole["outputs"].items():
        assert value.shape == single["outputs"][name].shape
        assert numpy.allclose(value, single["outputs"][name], atol=1e-4)
    fixed = deployment.run_inference(MODELS / "blazeface.onnx",
                                     [numpy.zeros((1, 128, 128, 3), numpy.float32)] * 2)
    assert all(value.shape[0] == 2 for value in fixed["outputs"].values())


@needs_models
def test_settings_of_the_runtime(tmp_path):
    deployment = deploy(tmp_path, "BALANCED", "DESKTOP")
    path = MODELS / "blazeface.onnx"
    frame = numpy.zeros((1, 128, 128, 3), numpy.float32)

    def active():
        return deployment.get_deployment_status()["active_models_count"]

    deployment.update_config({"memory_optimization": {"model_caching": False}})
    deployment.run_inference(path, frame)
    assert active() == 0
    deployment.load_model(path)
    deployment.run_inference(path, frame)
    assert active() == 1, "what was loaded by name stays"
    deployment.update_config({"inference_optimization": {"latency_deadline_ms": 0.001}})
    late = deployment.run_inference(path, frame)
    assert "missed_deadline" in [d["action"] for d in late["decisions"]]
    titles = [r["title"] for r in deployment.get_power_efficiency_report()["recommendations"]]
    assert any("deadline" in title for title in titles)


@needs_models
def test_a_handler_without_a_loader_gets_a_session_like_handle(tmp_path):
    path = MODELS / "blazeface.onnx"
    frame = numpy.zeros((1, 128, 128, 3), numpy.float32)

    def handler(model, inputs, **options):
        assert options == {"threshold": 0.5}
        return model.run([model.get_outputs()[0].name], {model.get_inputs()[0].name: inputs})[0]

    with deploy(tmp_path, "BALANCED", "DESKTOP") as deployment:
        result = deployment.run_inference(path, frame, inference_handler=handler, threshold=0.5)
        assert result["outputs"].dtype == numpy.float32
        with pytest.raises(TypeError, match="threshold"):
            deployment.run_inference(path, frame, threshold=0.5)


@needs_models
def test_records_reach_python_logging(tmp_path, caplog):
    with caplog.at_level("DEBUG", logger="wattwise"):
        deploy(tmp_path, "BALANCED", "DESKTOP").load_model(MODELS / "blazeface.onnx")
    assert any(record.name == "wattwise.runtime" and "loaded" in record.message
               for record in caplog.records)


@needs_models
@pytest.mark.parametrize("raised", [KeyboardInterrupt, ZeroDivisionError])
def test_what_a_callback_raises_cancels_and_leaves_nothing(tmp_path, raised):
    model = tmp_path / "face.onnx"
    model.write_bytes((MODELS / "blazeface.onnx").read_bytes())

    def progress(stage, fraction):
        if fraction > 0.3:
            raise raised

    deployment = PowerEfficientDeployment(db_path=tmp_path / "test.duckdb", progress=progress)
    with pytest.raises(raised):
        deployment.prepare_model_for_deployment(model)
    assert sorted(p.name for p in tmp_path.iterdir() if "duckdb" not in p.name) == ["face.onnx"]


@needs_models
def test_exceptions_of_loaders_come_back_as_they_are(tmp_path):
    def loader(path):
        raise LookupError("no such thing")

    with pytest.raises(LookupError, match="no such thing"):
        deploy(tmp_path, "BALANCED", "DESKTOP").load_model("anything.onnx", model_loader=loader)


def test_thermal_status_is_never_invented(tmp_path):
    status = deploy(tmp_path, PowerProfile.THERMAL_AWARE,
                    DeploymentTarget.ANDROID)._check_thermal_status()
    assert (status["thermal_status"] == "UNKNOWN") == (status["origin"] == "absent")
    assert status["throttling_level"] in range(6)


def test_errors_are_the_built_in_ones_too(tmp_path):
    deployment = deploy(tmp_path, "BALANCED", "ANDROID")
    with pytest.raises(FileNotFoundError, match="missing.onnx"):
        deployment.prepare_model_for_deployment(tmp_path / "missing.onnx")
    (tmp_path / "broken.onnx").write_bytes(b"\x08\x07garbage")
    with pytest.raises(ValueError, match="broken.onnx"):
        deployment.prepare_model_for_deployment(tmp_path / "broken.onnx")
    with pytest.raises(ValueError, match="BALANCED"):
        PowerEfficientDeployment(power_profile="BALANCD")
    assert not list(tmp_path.glob("*optimized*"))


def test_command_line_keeps_state_between_processes(tmp_path):
    environment = {**os.environ, "WATTWISE_DB": str(tmp_path / "cli.duckdb")}
    shim = pathlib.Path(__file__).parents[2] / "power_efficient_deployment.py"

    def run(*words):
        return subprocess.run([sys.executable, shim, *words], env=environment, text=True,
                              capture_output=True, check=False)

    status = run("--json", "status")
    assert status.returncode == 0, status.stderr
    assert json.loads(status.stdout)["deployed_models_count"] == 0
    refused = run("prepar")
    assert refused.returncode == 2
    assert 'Did you mean "prepare"?' in refused.stderr
    missing = run("prepare", "--model-path", str(tmp_path / "none.onnx"))
    assert missing.returncode == 3
    assert missing.stderr.count("\n") == 1
    assert json.loads(run("--json", "status").stdout)["deployed_models"] == {}
    assert run("status", "--model-path", str(tmp_path / "none.onnx")).returncode == 3
    (tmp_path / "broken.onnx").write_bytes(b"\x08\x07garbage")
    failed = run("prepare", "--model-path", str(tmp_path / "broken.onnx"))
    assert failed.returncode == 5
    assert failed.stderr.count("\n") == 1
    status = json.loads(run("--json", "status").stdout)
    assert status["deployed_models_count"] == 0
    assert status["failed_models_count"] == 1
    assert [model["status"] for model in status["deployed_models"].values()] == ["failed"]
    report = run("report", "--format", "markdown", "--output", str(tmp_path / "report.md"))
    assert report.returncode == 0
    assert "failed" in (tmp_path / "report.md").read_text()
