#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs clang-tidy over the sources that changed since they last passed.

    tests/rules/tidy.py BUILD_FOLDER

A source is passed over if it, every header of ours that it includes, and .clang-tidy are as they
were when it last passed; what has passed is remembered in the cache folder.
"""
import concurrent.futures
import functools
import hashlib
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache"))
PASSED = CACHE / "wattwise" / "tidy"
INCLUDE = re.compile(r'^#include "([^"]+)"', re.MULTILINE)


@functools.cache
def headers_of(path):
    """The headers of ours that a file includes, directly or not; itself among them."""
    found = {path}
    for name in INCLUDE.findall(path.read_text()):
        for folder in (path.parent, ROOT / "src", ROOT / "include"):
            header = folder / name
            if header.is_file() and header not in found:
                found |= headers_of(header)
                break
    return frozenset(found)


def digest(source):
    state = hashlib.sha256((ROOT / ".clang-tidy").read_bytes())
    for path in sorted(headers_of(source)):
        state.update(path.read_bytes())
    return state.hexdigest()


def run(build, source):
    done = subprocess.run(["clang-tidy-14", "-p", build, "--quiet", str(source)], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    if done.returncode == 0:
        (PASSED / digest(source)).touch()
    return done.returncode, done.stdout


def main():
    PASSED.mkdir(parents=True, exist_ok=True)
    sources = sorted(path for path in (ROOT / "src").rglob("*.cc")
                     if not path.name.endswith("_test.cc"))
    changed = [source for source in sources if not (PASSED / digest(source)).exists()]
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for code, text in pool.map(lambda source: run(sys.argv[1], source), changed):
            if code:
                failed += 1
                print(text, end="")
    print(f"tidy: {len(changed)} of {len(sources)} sources checked, {failed} with findings")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
