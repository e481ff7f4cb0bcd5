#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What quantization makes of models, beside other tools: size, task, speed and cost.

    python3 bench/quantization.py [--models NAME ...] [--ours [FORM ...]] [--peers [NAME ...]]
                                  [--rows FILE]

From a fresh checkout: sets up what is missing, builds the program, gets the models, and makes the
environments of the other tools (bench/peers.py) in the cache, with every version pinned. Without
words everything is measured; --peers or --ours without names leaves that side out. Rows go to FILE
(build/quantization.jsonl) as they come; what is there already, of the same program on the same
processor, is not measured again, and what failed is. Tables of all its rows end the output; in them
an asterisk marks speeds that were measured while more ran than there are cores.

Speed is CPU time of the float model in ONNX Runtime / that of the other, one thread, in turn in one
process: the median of three processes and their ends. The task is scored on data that nothing was
calibrated on (bench/task_metrics.py). Cost is CPU time and peak memory of the whole program. A tool
that fails says why, also one whose environment cannot be made. Below our files stands on how many
inputs every bit of their answers is the same where integers saturate and where not, and how int8
files do on older processors (bench/processors.py); below a model, what bench/preparing.py tells.
"""
import argparse
import functools
import hashlib
import json
import pathlib
import sys
import tempfile
import typing

import preparing
from peers import ENVIRONMENTS, LOCKS, PEERS
from rows import Rows, show, size, tables
from running import (CACHE, MODELS, PROCESSES, ROOT, WATTWISE, build, cpu_features, python_with,
                     is_busy, run, score, spread, time_files, wattwise)

PEER_SECONDS = 3600  # that another tool may take for one model
ON_OLDER = ("dynamic", "static", "auto")  # methods whose files are tried on older processors
SETTINGS = {"nearest": {"techniques": ["-clipping_search"]}}  # form -> section of quantization


class Form(typing.NamedTuple):
    """One of our files."""
    method: str
    goal: str = ""
    with_samples: bool = False
    words: tuple = ()


OF_OTHERS = Form("")  # of files that are not ours: no goal, no words

# Model -> task, and our forms.
CASES = {
    "minilm": ("texts", {
        "dynamic": Form("dynamic", "0.6 CPU s, 200 MB"),
        "dynamic, samples": Form("dynamic", "23 MB, cosine 0.998, neighbour 0.94, 2.6x [AVX2: "
                                 "1.7x, 0.997]", True),
        "int4, nearest": Form("int4", "0.6 CPU s"),
        "int4": Form("int4"),
        "int4, samples": Form("int4", "12.5 MB, cosine 0.977, 2.4x, 5 CPU s", True),
        "weight_only": Form("weight_only", "23 MB, cosine 0.999, 1.3x"),
    }),
    "ocr_reader": ("lines", {
        "static": Form("static", "3.0 MB, CER 0.25 %, 2.4x [AVX2: 1.85x]", True),
        "weight_only": Form("weight_only", "2.9 MB, 1.35x"),
        "int4, nearest": Form("int4"),
        "int4, samples": Form("int4", "2.2 MB, CER 0.5 %", True),
    }),
    "blazeface": ("faces", {
        "auto": Form("auto", "165 kB, AUROC 0.9995, 99 %, 1.35x", True),
        "static": Form("static", "", True),
    }),
    "silero_vad_v5": ("speech", {
        "dynamic": Form("dynamic", "850 kB, flips 0.3 %, 1.5x [AVX2: 1.45x]"),
        "weight_only": Form("weight_only", "850 kB, flips 0.3 %"),
        "dynamic, sr=8000": Form("dynamic", "350 kB", False, ("--fix-input", "sr=8000")),
    }),
}


def model_path(name):
    """Where ./setup put it."""
    return MODELS / name / "model.onnx" if name == "minilm" else MODELS / f"{name}.onnx"


@functools.cache
def environment(name):
    """(interpreter of one of the tools' environments, None), or (None, why there is none)."""
    try:
        return python_with(f"peers-{name}", ENVIRONMENTS[name], LOCKS / f"{name}.txt"), None
    except (RuntimeError, OSError) as error:
        return None, f"its environment cannot be made: {error}"


class Bench:
    """One model with its data, in a temporary folder; rows go to `rows`."""

    def __init__(self, name, folder, rows):
        self.name, self.folder, self.rows = name, folder, rows
        self.model = model_path(name)
        self.task = CASES[name][0]
        self.python, _ = environment("onnx")
        self.unit = ""
        self.run_here("task_metrics.py", self.task, "--data", folder / "samples", self.model)

    def run_here(self, program, *words):
        """What a program of this folder prints, run where files are scored."""
        return run([self.python, ROOT / "bench" / program, *words])[0].strip()

    def add(self, form, text, **figures):
        """A row, printed and kept."""
        self.rows.add(self.name, self.unit, form=form, **figures)
        print(f"  {form:<19}{text}", flush=True)

    def speed(self, output, words=()):
        """Float time / the other's."""
        timed = self.folder / ("timed_fixed" if words else "timed")
        if output.suffix == ".onnx":
            return spread([wattwise(self.folder, "compare", self.model, output, "--data", timed,
                                    *words)[0]["speed_ratio"]["median"] for _ in range(PROCESSES)])
        return time_files(self.python, (self.model, output, timed / "0.npz"))

    def sqnr(self, output):
        """Of the outputs, in dB; None where streams or another format leave none."""
        if output.suffix != ".onnx" or self.task == "speech":
            return None
        return float(self.run_here("task_metrics.py", self.task, "--sqnr", output, self.model))

    def report(self, name, output, cost, form=OF_OTHERS):
        """The line of a file; what lies beside it under its name is part of it."""
        count = sum(path.stat().st_size for path in output.parent.glob(f"{output.stem}*"))
        worth = score(self.python, self.task, output, self.model)
        sqnr, speed = self.sqnr(output), self.speed(output, form.words)
        text = (f"{size(count):>8}  {show(speed)}  {worth}"
                + (f", {sqnr:.1f} dB" if sqnr is not None else "") + f"  {cost}"
                + (f"  [goal: {form.goal}]" if form.goal else ""))
        self.add(name, text, bytes=count, task=worth.text, points=worth.points, sqnr_db=sqnr,
                 speed=speed, busy=is_busy(), cpu_s=cost.seconds, peak_mb=cost.peak_mb,
                 goal=form.goal)

    def prepare(self, name, form):
        """One of ours."""
        output = self.place(name, ".onnx")
        samples = ("--calibration-data", self.folder / "samples") if form.with_samples else ()
        settings = self.folder / "settings.json"
        section = SETTINGS.get(name.rpartition(", ")[2], {})
        settings.write_text(json.dumps({"quantization": section}), encoding="utf-8")
        _, cost = wattwise(self.folder, "--config", settings, "prepare", "--model-path", self.model,
                           "--output-path", output, "--no-bundle", "--no-cache",
                           "--quantization-method", form.method, *samples, *form.words)
        self.report(name, output, cost, form)
        self.attempt("  same bits", self.compare_bits, name, output)
        if form.method in ON_OLDER:
            self.attempt("  older processors", self.try_older, name, output)

    def compare_bits(self, title, name, output):
        """Where integers saturate and where not."""
        found = json.loads(self.run_here("processors.py", "bits", self.task, output, self.model))
        text = "; ".join(f"{pair}: {same} of {count}" for pair, (same, count) in found.items())
        self.add(title, text or "this processor stands in for no pair", file=name, pairs=found)

    def try_older(self, _title, name, output):
        """Answers, and speed, on the processors that this one can stand in for."""
        is_fixed = bool(CASES[self.name][1][name].words)
        sample = () if is_fixed else (self.folder / "timed/0.npz",)
        found = json.loads(self.run_here("processors.py", "tiers", self.task, output, self.model,
                                         CACHE / "wattwise/bench", *sample))
        for tier, worth in found.items():
            self.add(f"  on {tier}", f"{show(worth['speed'])}  {worth['text']}", file=name,
                     tier=tier, task=worth["text"], points=worth["points"], speed=worth["speed"])
        apart = spreads([worth["points"] for worth in found.values()])
        text = ", ".join(f"{key} {value:.3f}" for key, value in apart.items())
        self.add("  scores apart", f"{text} points  [goal: 0.3]", file=name, apart=apart)

    def run_peer(self, name):
        """One of the others."""
        peer = PEERS[name]
        output = self.place(name, peer.ending)
        python, why_not = environment(peer.environment)
        if why_not:
            raise RuntimeError(why_not)
        samples = self.folder / ("typical" if peer.typical else "samples")
        if not samples.exists():
            self.run_here("typical_samples.py", self.model, self.folder / "samples", samples)
        _, cost = run([python, ROOT / "bench/peers.py", name, self.model, output, samples],
                      limit=PEER_SECONDS)
        self.report(name, output, cost)

    def run_float(self, name):
        """What the others are held against."""
        worth = score(self.python, self.task, self.model, self.model)
        count = self.model.stat().st_size
        self.add(name, f"{size(count):>8}  {worth}", task=worth.text, points=worth.points)

    def place(self, name, ending):
        """A path in a folder of its own."""
        folder = self.folder / "files" / name.replace(", ", "_").replace("=", "_")
        folder.mkdir(parents=True)
        return folder / f"made{ending}"

    def attempt(self, name, action, *words):
        """A line that says why, where one fails; whether none did."""
        try:
            action(name, *words)
        except (RuntimeError, OSError, ValueError) as error:
            self.add(name, f"{error}"[:400], error=str(error))
            return False
        return True

    def measure(self, unit, action, *words):
        """What is not in the rows yet."""
        if self.rows.is_done(self.name, unit):
            return
        self.unit = unit
        self.rows.add(self.name, unit, begun=True)
        if self.attempt(unit, action, *words):
            self.rows.add(self.name, unit, done=True)


def spreads(points):
    """How far each figure lies apart at most."""
    return {name: max(item[name] for item in points) - min(item[name] for item in points)
            for name in points[0]}


def measure(name, chosen, rows):
    """One model."""
    print(f"\n{name}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        try:
            bench = Bench(name, pathlib.Path(folder), rows)
        except (RuntimeError, OSError) as error:
            print(f"  no data: {error}")
            rows.add(name, "data", form="data", error=str(error))
            return
        bench.measure("float", bench.run_float)
        for form, how in CASES[name][1].items():
            if form in chosen.ours:
                bench.measure(form, bench.prepare, how)
        for title, work in preparing.WORKS.items():
            if chosen.ours:
                bench.measure(title, work, bench)
        for peer, how in PEERS.items():
            if name in how.models and peer in chosen.peers:
                bench.measure(peer, bench.run_peer)


def make_environments(chosen):
    """Before anything is timed; says which cannot be made."""
    needed = {"onnx", *(PEERS[peer].environment for peer in chosen.peers
                        if set(PEERS[peer].models) & set(chosen.models))}
    for name in sorted(needed):
        python, why_not = environment(name)
        print(f"{name}: {why_not or python}", flush=True)
    _, why_not = environment("onnx")
    if why_not:
        sys.exit(f"files are scored with the environment onnx: {why_not}")


def choose(words):
    """What the arguments name; everything where they name nothing."""
    forms = dict.fromkeys(form for _, forms in CASES.values() for form in forms)
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    for option, known, count in (("models", CASES, "+"), ("ours", forms, "*"),
                                 ("peers", PEERS, "*")):
        parser.add_argument(f"--{option}", nargs=count, choices=list(known), default=list(known),
                            metavar="NAME", help=f"of {'; '.join(known)}")
    parser.add_argument("--rows", type=pathlib.Path, default=ROOT / "build/quantization.jsonl")
    return parser.parse_args(words)


def main(words):
    """Measures what is asked for, and prints all that the file of rows holds then."""
    chosen = choose(words)
    build("cpu_mask", "rounding_kernels_bench")
    make_environments(chosen)
    program = hashlib.sha256(WATTWISE.read_bytes()).hexdigest()
    rows = Rows(chosen.rows, {"cpu": cpu_features(), "program": program})
    print(f"{cpu_features()}\ncolumns: size, speed, task, SQNR of outputs, cost")
    for name in chosen.models:
        measure(name, chosen, rows)
    for line in (*tables(rows.all()), "", preparing.kernel_line(),
                 *preparing.gain_lines(rows.all())):
        print(line)


if __name__ == "__main__":
    main(sys.argv[1:])
