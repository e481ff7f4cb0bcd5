# SPDX-License-Identifier: Apache-2.0
"""What the documents name exists."""

import fnmatch
import re

from source import Finding

ARCHITECTURE = "ARCHITECTURE.md"
GUIDES = ("README.md", ARCHITECTURE)
PATH = re.compile(r"\.?[\w.*<>-]+(/[\w.*<>{},-]+)*/?")
EXTENSION = re.compile(r"\.(cc|h|py|json|md|sql|cmake|txt|html|js|rs|sh|lock|toml|yml|onnx)$")
TYPE = re.compile(r"[A-Z][a-z0-9]+\w*")
FUNCTION = re.compile(r"([a-z_]\w*)\(\)")
# Folders from which a short path may be meant.
BASES = ("", "src/", "include/wattwise/")


def quoted(text):
    """(line, words) of each `...` outside of code blocks."""
    in_block = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            in_block = not in_block
        elif not in_block:
            for match in re.finditer(r"`([^`]+)`", line):
                yield number, match[1]


def _path_exists(tree, word):
    """Whether a file or folder matches; <name> stands for any part."""
    pattern = re.sub(r"<[^>]*>", "*", word).rstrip("/")
    for base in BASES:
        wanted = base + pattern
        for path in tree.paths:
            if fnmatch.fnmatch(path, wanted) or fnmatch.fnmatch(path, wanted + "/*"):
                return True
    return False


def _is_path(tree, word):
    if not PATH.fullmatch(word):
        return False
    first = word.split("/")[0]
    is_ours = any(path.startswith(base + first + "/") for base in BASES for path in tree.paths)
    return bool(EXTENSION.search(word)) or ("/" in word and is_ours)


def _missing(tree, code, word):
    """What is wrong with a quoted word, or None."""
    if _is_path(tree, word):
        return None if _path_exists(tree, word) else f"there is no {word}"
    function = FUNCTION.fullmatch(word)
    if function or TYPE.fullmatch(word):
        name = function[1] if function else word
        return None if re.search(rf"\b{name}\b", code) else f"the sources have no {name}"
    return None


def check_architecture(tree):
    """Paths, types and functions that ARCHITECTURE.md quotes."""
    if ARCHITECTURE not in tree.paths:
        yield Finding(ARCHITECTURE, 1, "document", "is missing")
        return
    code = "\n".join(tree.text(path) for path in tree.cpp())
    for line, word in quoted(tree.text(ARCHITECTURE)):
        problem = _missing(tree, code, word)
        if problem:
            yield Finding(ARCHITECTURE, line, "document", problem)


def check_root(tree):
    """Every file of the root is explained."""
    guides = "\n".join(tree.text(path) for path in GUIDES if path in tree.paths)
    for path in tree.paths:
        is_explained = path in GUIDES or re.search(rf"(?<![\w/]){re.escape(path)}\b", guides)
        if "/" not in path and not path.startswith(".") and not is_explained:
            yield Finding(path, 1, "document", "neither README.md nor ARCHITECTURE.md names it")


RULES = [check_architecture, check_root]
