# SPDX-License-Identifier: Apache-2.0
"""What no file may say."""

import pathlib
import re

from sizes import is_code
from source import Finding

OWN = "tests/rules/"
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|\b[Ss]tub(s|bed)?\b")
MACHINE = re.compile(r"(?<![\w.$}~-])/(root|home|work|Users)/[\w.]")
HOST = re.compile(r"\bhttps?://(?!localhost|127\.0\.0\.1)[\w.-]+")
SCRIPT_NAMES = {"CMakeLists.txt", "CMakePresets.json", "pyproject.toml", "package.json",
                "requirements.in", "setup.lock", "Cargo.toml"}
SCRIPTS = {".sh", ".cmake"}
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "misc", "common", "manager"}
SPDX = "SPDX-License-Identifier: Apache-2.0"
HAND_WRITTEN = {".cc", ".h", ".py", ".rs", ".cmake", ".sh", ".sql", ".js", ".mjs", ".css"}


def _is_script(tree, path):
    name = pathlib.Path(path)
    starts_as_one = "." not in name.name and tree.text(path).startswith("#!")
    return name.name in SCRIPT_NAMES or name.suffix in SCRIPTS or starts_as_one


def check_words(tree):
    """Nothing is left for later, no machine's paths, no hosts in what builds and installs."""
    for path in tree.paths:
        if path.startswith(OWN):
            continue
        is_script = _is_script(tree, path)
        for number, line in enumerate(tree.text(path).splitlines(), 1):
            if match := UNFINISHED.search(line):
                message = f'"{match[0]}": finish it or leave it out'
                yield Finding(path, number, "unfinished", message)
            if match := MACHINE.search(line):
                yield Finding(path, number, "machine", f'"{match[0]}" is a path of one machine')
            if is_script and (match := HOST.search(line)):
                yield Finding(path, number, "host", f'"{match[0]}": name the package, not its host')


def check_licence(tree):
    """Every hand-written source says its licence in its first three lines."""
    for path in tree.paths:
        if pathlib.Path(path).suffix not in HAND_WRITTEN and not path.endswith("CMakeLists.txt"):
            continue
        if tree.text(path) and is_code(tree, path):
            if SPDX not in "\n".join(tree.text(path).splitlines()[:3]):
                yield Finding(path, 1, "licence", f'lacks the line "{SPDX}"')


def check_names(tree):
    """Files are named by what they are about."""
    for path in tree.below("src") + tree.below("include"):
        stem = pathlib.Path(path).stem
        if stem in VAGUE_NAMES or VAGUE_NAMES & set(stem.split("_")):
            yield Finding(path, 1, "name", "says nothing about its content")


RULES = [check_words, check_licence, check_names]
