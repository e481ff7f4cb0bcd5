# SPDX-License-Identifier: Apache-2.0
"""int8 files answer alike on processors that add products in 16 saturating bits and on those with
VNNI: the real ONNX Runtime runs them as either would. A file of the full range, which differs,
shows that the runs are able to."""
import os
import pathlib
import subprocess
import sys

import numpy
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests" / "cpu_tiers"))
import tiers  # noqa: E402  (found by the line above)

PROGRAM = ROOT / "build" / "release" / "wattwise"
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache"))
READER = CACHE / "wattwise" / "models" / "ocr_reader.onnx"


@pytest.fixture(params=tiers.PAIRS)
def pair(request):
    """Two ways to run a model that may differ by saturation only."""
    why_not = tiers.obstacle()
    if why_not:
        pytest.skip(why_not)
    saturating, exact, needed = tiers.PAIRS[request.param]
    missing = needed - tiers.features()
    if missing:
        pytest.skip(f"this processor lacks {', '.join(sorted(missing))}")
    return saturating, exact


def ends(generator, *shape):
    """Weights near the ends of their range, so that most pairs of the full range saturate."""
    return (generator.choice([-1, 1, 1], shape) *
            generator.uniform(0.6, 1, shape)).astype(numpy.float32)


def save(path, nodes, constants, ports):
    """A model of these nodes; ports are (name, shape) of x and of y."""
    given, made = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
                   for name, shape in ports)
    graph = helper.make_graph(nodes, "made", [given], [made],
                              [numpy_helper.from_array(value, name)
                               for name, value in constants.items()])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8),
              path)


def products(path):
    """Two matrix products, the first of an odd number of values, and an LSTM."""
    generator = numpy.random.default_rng(1)
    save(path,
         [helper.make_node("MatMul", ["x", "w1"], ["h"]),
          helper.make_node("Relu", ["h"], ["r"]),
          helper.make_node("MatMul", ["r", "w2"], ["m"]),
          helper.make_node("LSTM", ["m", "w", "r_"], ["l"], hidden_size=48),
          helper.make_node("Squeeze", ["l", "axis"], ["y"])],
         {"w1": ends(generator, 67, 96), "w2": ends(generator, 96, 64),
          "w": ends(generator, 1, 192, 64) / 40, "r_": ends(generator, 1, 192, 48) / 40,
          "axis": numpy.array([1])},
         [("x", [6, 1, 67]), ("y", [6, 1, 48])])
    return {"x": generator.uniform(0, 1, (6, 1, 67)).astype(numpy.float32)}


def convolutions(path):
    """Convolutions of several taps, of two outputs a group, and pointwise; channels in threes."""
    generator = numpy.random.default_rng(2)
    shapes = {"w1": (66, 33, 3, 3), "w2": (66, 33, 3, 3), "w3": (96, 66, 1, 1),
              "w4": (48, 96, 5, 5)}
    nodes, value = [], "x"
    for name, shape in shapes.items():
        made = "h" + name
        side = shape[2] // 2
        nodes += [helper.make_node("Conv", [value, name], [made], pads=[side] * 4,
                                   group=2 if name == "w2" else 1),
                  helper.make_node("Relu", [made], ["r" + name])]
        value = "r" + name
    nodes.append(helper.make_node("GlobalMaxPool", [value], ["y"]))
    constants = {name: ends(generator, *shape) / numpy.prod(shape[1:], dtype=numpy.float32)
                 for name, shape in shapes.items()}
    save(path, nodes, constants, [("x", [1, 33, 40, 40]), ("y", [1, 48, 1, 1])])
    return {"x": generator.uniform(0, 1, (1, 33, 40, 40)).astype(numpy.float32)}


def prepare(model, folder, method, inputs, weight_range="pair_aware"):
    """The file that the method makes of the model, calibrated by the inputs."""
    data = folder / "data"
    data.mkdir(exist_ok=True)
    numpy.savez(data / "sample.npz", **inputs)
    output = folder / f"{method}_{weight_range}.onnx"
    settings = folder / f"{weight_range}.json"
    settings.write_text(f'{{"quantization": {{"weight_range": "{weight_range}"}}}}', "utf-8")
    done = subprocess.run(
        [PROGRAM, "prepare", "--model-path", model, "--output-path", output, "--no-bundle",
         "--no-cache", "--quantization-method", method, "--calibration-data", data, "--config",
         settings, "--json"],
        env={**os.environ, "WATTWISE_DB": str(folder / "test.duckdb")}, capture_output=True,
        text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert f'"quantization_method": "{method}"' in done.stdout, done.stdout
    assert ('"use_full_range"' in done.stdout) == (weight_range == "full")
    return output


def are_equal(first, second):
    """Bit by bit."""
    return [value.tobytes() for value in first] == [value.tobytes() for value in second]


def check(model, folder, method, inputs, pair):
    saturating, exact = pair
    made = prepare(model, folder, method, inputs)
    assert are_equal(tiers.answers(made, inputs, *saturating), tiers.answers(made, inputs, *exact))
    full = prepare(model, folder, method, inputs, "full")
    assert not are_equal(tiers.answers(full, inputs, *saturating),
                         tiers.answers(full, inputs, *exact)), "these runs cannot differ"


@pytest.mark.slow
def test_products(pair, tmp_path):
    model = tmp_path / "products.onnx"
    check(model, tmp_path, "dynamic", products(model), pair)


def test_convolutions(pair, tmp_path):
    model = tmp_path / "convolutions.onnx"
    check(model, tmp_path, "static", convolutions(model), pair)


@pytest.mark.slow
@pytest.mark.skipif(not READER.exists(), reason="./setup models has not been run")
@pytest.mark.parametrize("method", ["static", "dynamic"])
def test_a_real_model(pair, tmp_path, method):
    line = numpy.random.default_rng(3).uniform(-1, 1, (1, 3, 48, 160)).astype(numpy.float32)
    check(READER, tmp_path, method, {"x": line}, pair)
