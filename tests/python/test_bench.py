# SPDX-License-Identifier: Apache-2.0
"""What the benches print rests on lists and sums that can be checked without running them."""
import pathlib
import re
import sys

import numpy
import pytest

BENCH = pathlib.Path(__file__).resolve().parents[2] / "bench"
sys.path.append(str(BENCH))
import library_texts  # noqa: E402  (found by the line above)
import peers  # noqa: E402
import preparing  # noqa: E402
import quantization  # noqa: E402
import rows  # noqa: E402
import running  # noqa: E402
import task_metrics  # noqa: E402
import tier_texts  # noqa: E402
import timing  # noqa: E402
import typical_samples  # noqa: E402


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
    for name, packages in peers.ENVIRONMENTS.items():
        brought = (peers.LOCKS / f"{name}.txt").read_text("utf-8").split()
        assert all(package.count("==") == 1 for package in (*packages, *brought))
        plain = {re.sub("[-_.]+", "-", package).lower() for package in brought}
        assert {re.sub("[-_.]+", "-", package).lower() for package in packages} <= plain


@pytest.fixture
def broken_environments(monkeypatch):
    """Nothing can be installed."""
    def fail(*_):
        raise RuntimeError("no matching distribution")
    monkeypatch.setattr(quantization, "python_with", fail)
    quantization.environment.cache_clear()
    yield
    quantization.environment.cache_clear()


HEADER = {"cpu": "any"}


def bench_of(path):
    """One without a model, whose rows go to the file."""
    made = object.__new__(quantization.Bench)
    made.name, made.folder, made.rows = "blazeface", path.parent, rows.Rows(path, HEADER)
    made.model, made.unit = path, ""
    return made


def test_a_tool_without_an_environment_gives_a_row(broken_environments, tmp_path):
    bench = bench_of(tmp_path / "rows")
    bench.measure("olive_static", bench.run_peer)
    row, = bench.rows.all()
    assert row["error"] == "its environment cannot be made: no matching distribution"
    assert not bench.rows.is_done("blazeface", "olive_static")


def test_a_model_without_data_does_not_stop_the_others(monkeypatch, tmp_path):
    def fail(*_):
        raise OSError("no such file")
    monkeypatch.setattr(quantization, "Bench", fail)
    found = rows.Rows(tmp_path / "rows", HEADER)
    quantization.measure("minilm", quantization.choose([]), found)
    assert [row["error"] for row in found.all()] == ["no such file"]


def test_rows_outlive_the_program_and_are_not_measured_twice(tmp_path):
    bench = bench_of(tmp_path / "rows")
    bench.measure("made", lambda name: bench.add(name, "well", bytes=1))
    bench.measure("failed", lambda name: bench.add(name, "well", bytes=0) or open(tmp_path))

    def cut_short(name):
        bench.add(name, "half")
        raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        bench.measure("cut", cut_short)
    with bench.rows.path.open("a", encoding="utf-8") as file:
        file.write('{"model": "blaz')  # as a crash leaves it
    again = bench_of(tmp_path / "rows")
    again.measure("made", lambda name: pytest.fail("it is known"))
    again.measure("failed", lambda name: again.add(name, "better", bytes=2))
    found = {row["form"]: row.get("bytes") for row in bench_of(tmp_path / "rows").rows.all()}
    assert found == {"made": 1, "failed": 2, "cut": None}


def test_rows_of_another_processor_are_not_mixed_in(tmp_path):
    rows.Rows(tmp_path / "rows", HEADER)
    with pytest.raises(SystemExit, match="another processor"):
        rows.Rows(tmp_path / "rows", {"cpu": "another"})


def test_tables_show_files_failures_and_older_processors():
    speed = {"median": 2.0, "low": 1.9, "high": 2.1}
    lines = list(rows.tables([
        {"model": "m", "unit": "a", "form": "a", "bytes": 2000, "speed": speed, "task": "well",
         "cpu_s": 1.0, "peak_mb": 50},
        {"model": "m", "unit": "c", "form": "c", "bytes": 3000, "speed": speed, "task": "well",
         "cpu_s": 1.0, "peak_mb": 50, "busy": True},
        {"model": "m", "unit": "a", "form": "  on avx", "tier": "avx", "speed": speed},
        {"model": "m", "unit": "b", "form": "b", "error": "no"}]))
    assert "| a | 2 kB | 2.00x | well | 1.0 CPU s, 50 MB |" in lines
    assert "| c | 3 kB | 2.00x* | well | 1.0 CPU s, 50 MB |" in lines
    assert "| a | 2.00x |" in lines
    assert "\nb: no" in lines


def test_models_forms_and_tools_are_chosen_by_name():
    assert set(quantization.choose([]).models) == set(quantization.CASES)
    chosen = quantization.choose(["--models", "minilm", "--peers", "nncf_int8", "--ours"])
    assert (chosen.models, chosen.peers, chosen.ours) == (["minilm"], ["nncf_int8"], [])
    with pytest.raises(SystemExit):
        quantization.choose(["--peers", "none_such"])


def test_a_program_that_takes_too_long_is_ended():
    with pytest.raises(RuntimeError, match="signal 9"):
        running.run([sys.executable, "-c", "while True: pass"], limit=0.2)


def test_programs_say_why_they_fail():
    with pytest.raises(RuntimeError, match="^the reason$"):
        running.run([sys.executable, "-c", "print('more'); raise SystemExit('the reason')"])


def test_typical_samples_are_within_twice_the_median():
    extremes = numpy.array([[1.0, 10.0], [1.1, 19.0], [0.9, 11.0], [2.5, 10.0], [1.0, 500.0]])
    assert typical_samples.are_typical(extremes).tolist() == [True, True, True, False, False]


def test_sentences_of_libraries_are_prose_each_once():
    text = """Return the mean of all values along an axis.

    >>> numpy.mean([1, 2])

    It is computed in a wider type where that is needed.  Return the mean, of all values
    along an axis. x = [1, 2, 3], y = {4: 5}. Short one.
    """
    assert sorted(library_texts.all_sentences([text, text])) == [
        "It is computed in a wider type where that is needed.",
        "Return the mean of all values along an axis."]


def test_agreement_of_equal_and_of_turned_embeddings():
    generator = numpy.random.default_rng(1)
    one = generator.standard_normal((50, 8))
    same = task_metrics.agreement(one, 2 * one)
    assert same["cosine"] == pytest.approx(100) and same["neighbour"] == 100
    assert task_metrics.agreement(one, generator.standard_normal((50, 8)))["neighbour"] < 50


def test_an_older_processor_is_held_against_its_own_float_model_and_one(monkeypatch, tmp_path):
    generator = numpy.random.default_rng(1)
    made = {}

    def embedded(_texts, model, tier):  # the file answers alike everywhere, the float model not
        key = model if model == "made" else (model, tier)
        return made.setdefault(key, generator.standard_normal((40, 8)))
    monkeypatch.setattr(tier_texts, "embedded", embedded)
    monkeypatch.setattr(tier_texts, "write_texts", lambda *_: tmp_path / "texts.npz")
    monkeypatch.setattr(tier_texts, "known_tiers", lambda: ["native", "avx"])
    found = tier_texts.measure(tmp_path, "made", "float")
    native, avx = found["native"]["points"], found["avx"]["points"]
    assert native["cosine"] == native["cosine_one"] == avx["cosine_one"] != avx["cosine"]
    assert found["avx"]["text"].count("neighbour") == 3


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


def test_scores_lie_apart_by_their_ends():
    points = [{"cosine": 99.0, "neighbour": 95.0}, {"cosine": 99.1, "neighbour": 94.5},
              {"cosine": 99.2, "neighbour": 95.1}]
    assert quantization.spreads(points) == {
        "cosine": pytest.approx(0.2), "neighbour": pytest.approx(0.6)}


def test_models_are_timed(model, tmp_path):
    sample = tmp_path / "samples" / "0.npz"
    sample.parent.mkdir()
    numpy.savez(sample, x=numpy.ones((2, 4), numpy.float32))
    assert timing.ratio(model, model, sample) > 0
    assert timing.plain(model, sample.parent) > 0
