#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs clang-tidy over the sources that changed since they last passed.

    tests/rules/tidy.py BUILD_FOLDER

It takes what the build compiles, without tests: in a unity build, sources that are read together
with their headers once. A unit is passed over if every file of ours that it includes, and
.clang-tidy, are as they were when it last passed, which is remembered in the cache folder.
"""
import concurrent.futures
import functools
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache"))
PASSED = CACHE / "wattwise" / "tidy"
INCLUDE = re.compile(r'^#include "([^"]+)"', re.MULTILINE)
# A unity build includes sources; nobody else may.
CHECKS = {True: "--checks=-bugprone-suspicious-include", False: "--checks="}


@functools.cache
def files_of(path):
    """The files of ours that a file includes, directly or not; itself among them."""
    found = {path}
    for name in INCLUDE.findall(path.read_text()):
        for folder in (path.parent, ROOT / "src", ROOT / "include"):
            file = folder / name
            if file.is_file() and file not in found:
                found |= files_of(file)
                break
    return frozenset(found)


def digest(unit):
    state = hashlib.sha256((ROOT / ".clang-tidy").read_bytes())
    for path in sorted(files_of(unit)):
        state.update(path.read_bytes())
    return state.hexdigest()


def units_of(build):
    """What the build compiles from src, but for tests."""
    with open(pathlib.Path(build) / "compile_commands.json", encoding="utf-8") as file:
        commands = json.load(file)
    units = {pathlib.Path(command["file"]) for command in commands
             if "_test.dir/" not in command["command"]}
    return sorted(unit for unit in units
                  if unit.is_relative_to(ROOT / "src") or unit.parent.name == "Unity")


def run(build, unit):
    checks = CHECKS[unit.parent.name == "Unity"]
    # Some of the build's options are for GCC alone.
    done = subprocess.run(["clang-tidy-14", "-p", build, "--quiet", checks,
                           "--extra-arg=-Wno-unused-command-line-argument", str(unit)], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    if done.returncode == 0:
        (PASSED / digest(unit)).touch()
    return done.returncode, done.stdout


def main():
    PASSED.mkdir(parents=True, exist_ok=True)
    units = units_of(sys.argv[1])
    changed = [unit for unit in units if not (PASSED / digest(unit)).exists()]
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for code, text in pool.map(lambda unit: run(sys.argv[1], unit), changed):
            if code:
                failed += 1
                print(text, end="")
    print(f"tidy: {len(changed)} of {len(units)} units checked, {failed} with findings")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
