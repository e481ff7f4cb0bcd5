# SPDX-License-Identifier: Apache-2.0
"""The program from outside: what it prints and returns is what tests/golden holds.

Each folder there is a case: `command` has one command line a line, run in turn in one new folder
that holds the case's other files, tiny.onnx and an empty folder; `expected` is what they gave.
After a wanted change,

    python tests/python/test_golden.py

writes every `expected` anew; read the difference before committing it.
"""
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

import pytest
from tiny_model import tiny_model

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "build" / "release" / "wattwise"
GOLDEN = ROOT / "tests" / "golden"
CASES = sorted(path.name for path in GOLDEN.iterdir())
# What differs from run to run or from machine to machine, in JSON and in text.
VOLATILE = {"device_state", "finished_at", "timestamp", "inference_time_seconds", "energy_mj",
            "thermal_throttling", "throttling_level", "total_inference_time_seconds",
            "average_inference_time_ms", "p50_inference_time_ms", "p99_inference_time_ms",
            "last_used_at", "thermal", "battery", "memory", "power", "time", "energy", "took"}
MASK = "<masked>"


def masked_json(value):
    """The document without its volatile values."""
    if isinstance(value, dict):
        return {key: MASK if key in VOLATILE else masked_json(item) for key, item in value.items()}
    return [masked_json(item) for item in value] if isinstance(value, list) else value


def masked(text, folder):
    """What was printed, without what may differ."""
    text = text.replace(str(folder), "<folder>")
    if text.startswith("{"):
        return json.dumps(masked_json(json.loads(text)), indent=1, ensure_ascii=False) + "\n"
    names = "|".join(sorted(VOLATILE))
    return re.sub(rf"^({names})  +\S.*$", rf"\1 {MASK}", text, flags=re.MULTILINE)


def run(line, folder):
    """One command line as it is shown in `expected`."""
    environment = {"HOME": str(folder), "WATTWISE_DB": str(folder / "test.duckdb"),
                   "PATH": os.environ["PATH"]}
    done = subprocess.run([PROGRAM, *shlex.split(line)], cwd=folder, env=environment,
                          capture_output=True, text=True, timeout=60, check=False)
    shown = f"$ wattwise {line}".rstrip() + f"\nexit {done.returncode}\n"
    for name, text in (("stdout", done.stdout), ("stderr", done.stderr)):
        shown += f"-- {name}\n{masked(text, folder)}" if text else ""
    return shown


def results(case):
    """All commands of a case."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name).resolve()
        (folder / "tiny.onnx").write_bytes(tiny_model())
        (folder / "folder").mkdir()
        for path in (GOLDEN / case).iterdir():
            if path.name not in ("command", "expected"):
                (folder / path.name).write_bytes(path.read_bytes())
        lines = (GOLDEN / case / "command").read_text().splitlines()
        return "".join(run(line, folder) for line in lines)


@pytest.mark.parametrize("case", CASES)
def test_golden(case):
    assert results(case) == (GOLDEN / case / "expected").read_text()


def test_exit_codes_are_those_of_the_table():
    table = (ROOT / "src" / "core" / "error_table.h").read_text()
    known = {int(code) for code in re.findall(r'", (\d+),\s*"\w+Error"', table)}
    seen = {int(code) for case in CASES
            for code in re.findall(r"^exit (\d+)$", (GOLDEN / case / "expected").read_text(), re.M)}
    assert len(known) == 8
    assert seen <= known | {0}
    assert {0, 2, 3, 4, 5, 6} <= seen


if __name__ == "__main__":
    for one in CASES:
        (GOLDEN / one / "expected").write_text(results(one))
    sys.exit(0)
