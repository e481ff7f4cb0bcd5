# SPDX-License-Identifier: Apache-2.0
"""What the benches print rests on lists and sums that can be checked without running them."""
import pathlib
import sys

import numpy
import pytest

BENCH = pathlib.Path(__file__).resolve().parents[2] / "bench"
sys.path.append(str(BENCH))
import peers  # noqa: E402  (found by the line above)
import preparing  # noqa: E402
import quantization  # noqa: E402
import task_metrics  # noqa: E402
import timing  # noqa: E402


def test_sentences_that_calibrate_are_not_scored():
    calibrating, scored = task_metrics.sentences()
    assert len(scored) >= 184
    assert len(set(calibrating) | set(scored)) == len(calibrating) + len(scored)


def test_every_peer_can_be_run():
    assert all(callable(peer.make) for peer in peers.PEERS.values())
    assert {peer.environment for peer in peers.PEERS.values()} == set(peers.ENVIRONMENTS)
    assert {model for peer in peers.PEERS.values() for model in peer.models} == set(
        quantization.CASES)


def test_versions_are_pinned():
    wanted = [package for packages in peers.ENVIRONMENTS.values() for package in packages]
    assert all(package.count("==") == 1 for package in wanted)


def test_forms_that_are_compared_are_measured():
    for forms, rivals, _ in preparing.GAINS.values():
        for model, form in forms.items():
            known = {*quantization.CASES[model][1], *peers.PEERS}
            assert {form, *rivals} <= known
    assert set(quantization.SETTINGS) <= {
        name.rpartition(", ")[2] for _, forms in quantization.CASES.values() for name in forms}


def test_gains_are_over_the_best_rival_and_in_the_median():
    def row(model, form, sqnr):
        return {"model": model, "form": form, "sqnr_db": sqnr}
    rows = [row("minilm", "dynamic, samples", 20.0), row("minilm", "ort_minmax", 5.0),
            row("ocr_reader", "static", 13.0), row("ocr_reader", "ort_minmax", 9.0),
            row("ocr_reader", "ort_entropy", 12.0), {"model": "ocr_reader", "form": "nncf_int8"},
            row("blazeface", "static", 12.0), row("blazeface", "ort_percentile", 10.0)]
    line, = preparing.gain_lines(rows)
    assert "+2.0 dB in the median (minilm +15.0, ocr_reader +1.0, blazeface +2.0)" in line


def test_scores_lie_apart_by_their_farthest_figure():
    points = [{"cosine": 99.0, "neighbour": 95.0}, {"cosine": 99.1, "neighbour": 94.5},
              {"cosine": 99.2, "neighbour": 95.1}]
    assert quantization.largest_spread(points) == pytest.approx(0.6)


def test_models_are_timed(model, tmp_path):
    sample = tmp_path / "samples" / "0.npz"
    sample.parent.mkdir()
    numpy.savez(sample, x=numpy.ones((2, 4), numpy.float32))
    assert timing.ratio(model, model, sample) > 0
    assert timing.plain(model, sample.parent) > 0
