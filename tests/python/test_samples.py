# SPDX-License-Identifier: Apache-2.0
"""Real inputs for a preparation: from files and from what Python iterates over."""
import numpy
import pytest
from tiny_model import tiny_model


def compared_on(deployment, model, data):
    """What a preparation with this data says that it was compared on."""
    result = deployment.prepare_model_for_deployment(
        model, quantization_method="none", calibration_data=data, bundle=False, dry_run=True)
    return result["accuracy"]["data"]


def test_a_folder_and_a_file_of_samples(deployment, model, tmp_path):
    folder = tmp_path / "samples"
    folder.mkdir()
    for index in range(3):
        numpy.savez(folder / f"{index}.npz", x=numpy.ones((1, 4), numpy.float32))
    assert compared_on(deployment, model, folder) == f"3 of 3 samples from {folder}"
    rows = tmp_path / "rows.npy"
    numpy.save(rows, numpy.ones((50, 4), numpy.float32))
    assert compared_on(deployment, model, str(rows)) == f"32 of 50 samples from {rows}"


def test_iterables_are_read_one_at_a_time(deployment, model):
    alive = []

    class Counted(numpy.ndarray):
        """An array that tells when it goes."""

        def __del__(self):
            alive.pop()

    most = 0

    def samples(count):
        nonlocal most
        for _ in range(count):
            alive.append(1)
            most = max(most, len(alive))
            yield {"x": numpy.ones((1, 4), numpy.float32).view(Counted)}

    data = compared_on(deployment, model, samples(400))
    assert data == "32 of 400 samples from the caller"
    assert most < 40, "an iterator's samples must not pile up"
    assert compared_on(deployment, model, [[1.0, 2.0, 3.0, 4.0]] * 2).startswith("2 of 2 samples")


def test_data_that_cannot_work_is_refused(deployment, model):
    with pytest.raises(TypeError, match="calibration_data must be a path or an iterable"):
        compared_on(deployment, model, {"x": numpy.ones((8, 4))})
    with pytest.raises(TypeError, match="it is a int"):
        compared_on(deployment, model, 3)
    with pytest.raises(ValueError, match="there are no samples"):
        compared_on(deployment, model, [])
    with pytest.raises(ValueError, match="preparing sample 2 from the caller"):
        compared_on(deployment, model, [numpy.ones((1, 4)), numpy.ones((1, 5))])
    with pytest.raises(FileNotFoundError, match="nowhere"):
        compared_on(deployment, model, "nowhere")

    def broken():
        yield numpy.ones((1, 4))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        compared_on(deployment, model, broken())


def test_operator_set_of_one_call(deployment, model, tmp_path):
    for make in (deployment.optimize_model,
                 lambda *paths, opset: deployment.prepare_model_for_deployment(
                     *paths, quantization_method="none", bundle=False, opset=opset)):
        older = tmp_path / "older.onnx"
        make(model, older, opset=9)
        assert deployment.inspect_model(older)["opsets"]["ai.onnx"] == 9
        with pytest.raises(TypeError):
            make(model, older, opset="9")


def test_fixed_inputs(deployment, model, tmp_path):
    fixed = tmp_path / "fixed.onnx"
    done = deployment.optimize_model(model, fixed, fix_inputs={"n": 2})
    assert done["decisions"][0]["action"] == "fix_input"
    assert deployment.inspect_model(fixed)["inputs"][0]["shape"] == [2, 4]
    with pytest.raises(ValueError, match="neither an input nor a free dimension"):
        deployment.optimize_model(model, fixed, fix_inputs={"m": 2})


WEIGHTS = numpy.array([1, 0, 0, 1, 1, 1, -1, 2], numpy.float32).reshape(4, 2)


def judged(deployment, model, evaluation, **options):
    """The accuracy of a preparation with this evaluation."""
    return deployment.prepare_model_for_deployment(
        model, quantization_method="none", evaluation=evaluation, bundle=False, dry_run=True,
        **options)["accuracy"]


def labelled(count):
    """Pairs of inputs and classes, of which the model gets three quarters right."""
    rows = numpy.random.default_rng(1).standard_normal((count, 4)).astype(numpy.float32)
    classes = (rows @ WEIGHTS).argmax(1)
    classes[::4] = 1 - classes[::4]
    return [({"x": row[None]}, label) for row, label in zip(rows, classes)]


def test_labelled_pairs_give_the_share_of_right_answers(deployment, model):
    for data in (labelled(40), iter(labelled(40))):
        accuracy = judged(deployment, model, data)
        assert accuracy["compared_by"] == "accuracy of y"
        assert accuracy["drop_percent"] == 0
        assert accuracy["task"] == {"metric": "accuracy of y", "original": 0.75, "prepared": 0.75,
                                    "samples": 40, "data": "the caller"}


def test_a_metric_of_the_callers(deployment, model):
    seen = []

    def metric(outputs):
        seen.append(outputs)
        return 10 - len(seen)

    data = [inputs for inputs, _ in labelled(5)]
    accuracy = judged(deployment, model, metric, calibration_data=data)
    assert accuracy["task"]["original"] == 9 and accuracy["task"]["prepared"] == 8
    assert accuracy["drop_percent"] == pytest.approx(100 / 9)
    numpy.testing.assert_allclose(seen[0][2]["y"], data[2]["x"] @ WEIGHTS, rtol=1e-5)

    def right(outputs, labels):
        return sum(int(output["y"].argmax()) == label[0]
                   for output, label in zip(outputs, labels)) / len(labels)

    accuracy = judged(deployment, model, {"data": labelled(8), "metric": right})
    assert accuracy["task"]["original"] == 0.75
    assert accuracy["compared_by"] == "the caller's metric"


def test_evaluations_that_cannot_work_are_refused(deployment, model):
    with pytest.raises(ValueError, match="it has no label"):
        judged(deployment, model, [inputs for inputs, _ in labelled(3)])
    with pytest.raises(ValueError, match="pass data for the evaluation"):
        judged(deployment, model, lambda outputs: 1.0)
    with pytest.raises(ValueError, match="is 0, of which no share can be lost"):
        judged(deployment, model, {"data": labelled(3), "metric": lambda outputs: 0})
    with pytest.raises(TypeError, match="keys"):
        judged(deployment, model, {"samples": []})
    with pytest.raises(ZeroDivisionError):
        judged(deployment, model, {"data": labelled(3), "metric": lambda outputs: 1 / 0})


def test_two_models_are_compared_on_every_sample(deployment, model, tmp_path):
    other = tmp_path / "other.onnx"
    other.write_bytes(tiny_model().replace(WEIGHTS.tobytes(), (-WEIGHTS).tobytes()))
    plot = tmp_path / "plot.html"
    data = labelled(48)
    done = deployment.compare_models(model, other, [inputs for inputs, _ in data], data,
                                     plot_path=plot)
    assert done["samples"] == 48 and done["data"] == "the caller"
    assert done["task"]["original"] == 0.75 and done["task"]["prepared"] == 0.25
    assert done["compared_by"] == "accuracy of y"
    assert done["drop_percent"] == pytest.approx(100 * 0.5 / 0.75)
    assert done["first_divergence"]["value"] == "y"
    assert done["values"] == [{"value": "y", "op_type": "MatMul", "max_relative_error": 2.0}]
    page = plot.read_text()
    assert page.count("<circle") == 1 and "y (MatMul): 2" in page and "other.onnx" in page


def test_a_model_with_a_fixed_input_is_compared_with_the_free_one(deployment, model, tmp_path):
    fixed = tmp_path / "fixed.onnx"
    deployment.optimize_model(model, fixed, fix_inputs={"n": 2})
    done = deployment.compare_models(model, fixed, fix_inputs={"n": 2})
    assert done["outputs"]["y"]["sqnr_db"] == "inf" and done["task"] is None
    with pytest.raises(ValueError, match="must end in .html or .svg"):
        deployment.compare_models(model, model, plot_path=tmp_path / "plot.png")
