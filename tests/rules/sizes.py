# SPDX-License-Identifier: Apache-2.0
"""How long and how deep things may get."""

import pathlib
import re

from source import CPP, Finding, functions, is_test

CODE = CPP | {".py", ".rs", ".js", ".mjs", ".ts", ".sh", ".cmake", ".sql", ".css", ".html", ".c"}
MAX_FILE_LINES = 400
MAX_TEST_LINES = 600
MAX_HEADER_LINES = 250
MAX_FUNCTION_LINES = 50
MAX_LINE_COLUMNS = 100
MAX_PARAMETERS = 4  # besides the doors (Env, Context, Runtime) that are passed in
MAX_SOURCE_DEPTH = 2
MAX_TOP_FOLDERS = 10
MAX_ARCHITECTURE_LINES = 200

# (rule, path): why this file may be larger.
EXCEPTIONS = {
    ("parameters", "src/engine/runtime.cc"): "ONNX Runtime fixes its logging callback's parameters",
}


def is_code(tree, path):
    """Whether a file is written by hand in a programming language."""
    if pathlib.Path(path).suffix in CODE or path.endswith("CMakeLists.txt"):
        return True
    return "." not in pathlib.Path(path).name and tree.text(path).startswith("#!")


def _line_limit(path):
    if path == "ARCHITECTURE.md":
        return MAX_ARCHITECTURE_LINES
    if is_test(path):
        return MAX_TEST_LINES
    return MAX_HEADER_LINES if path.endswith(".h") else MAX_FILE_LINES


def check_files(tree):
    """Lines of a file, and columns of a line."""
    for path in tree.paths:
        if not is_code(tree, path) and path != "ARCHITECTURE.md":
            continue
        lines = tree.text(path).splitlines()
        limit = _line_limit(path)
        if len(lines) > limit and ("file", path) not in EXCEPTIONS:
            message = f"{len(lines)} lines; at most {limit}: split it"
            yield Finding(path, len(lines), "file", message)
        for number, line in enumerate(lines, 1):
            if is_code(tree, path) and len(line) > MAX_LINE_COLUMNS:
                message = f"{len(line)} columns; at most {MAX_LINE_COLUMNS}"
                yield Finding(path, number, "line", message)


def _python_functions(text):
    """(name, first line, last line, parameters) by indentation."""
    lines = text.splitlines()
    for index, line in enumerate(lines):
        match = re.match(r"(\s*)(?:async )?def (\w+)", line)
        if not match:
            continue
        inside = re.compile(rf"\s{{{len(match[1]) + 1}}}|\s*$|\s*[)\]}}]")
        last = index
        for later in range(index + 1, len(lines)):
            if not inside.match(lines[later]):
                break
            last = later if lines[later].strip() else last
        yield match[2], index + 1, last + 1


def check_functions(tree):
    """Lines and parameters of a function."""
    for path in tree.paths:
        if path.endswith(".py"):
            for name, first, last in _python_functions(tree.text(path)):
                yield from _too_long(path, name, first, last)
        if pathlib.Path(path).suffix not in CPP:
            continue
        for function in functions(tree.text(path)):
            yield from _too_long(path, function.name, function.first_line, function.last_line)
            too_many = function.parameters > MAX_PARAMETERS
            if too_many and ("parameters", path) not in EXCEPTIONS:
                message = (f"{function.name} has {function.parameters} parameters; "
                           f"at most {MAX_PARAMETERS}: pass a struct")
                yield Finding(path, function.first_line, "parameters", message)


def _too_long(path, name, first, last):
    length = last - first + 1
    if length > MAX_FUNCTION_LINES and ("function", path) not in EXCEPTIONS:
        message = f"{name} has {length} lines; at most {MAX_FUNCTION_LINES}: split it"
        yield Finding(path, first, "function", message)


def check_folders(tree):
    """Depth below src/, and how many folders the root has."""
    for path in tree.below("src"):
        depth = len(path.split("/")) - 2
        if depth > MAX_SOURCE_DEPTH:
            message = f"lies {depth} folders deep below src/; at most {MAX_SOURCE_DEPTH}"
            yield Finding(path, 1, "depth", message)
    folders = {path.split("/")[0] for path in tree.paths if "/" in path and path[0] != "."}
    if len(folders) > MAX_TOP_FOLDERS:
        message = f"{len(folders)} folders in the root; at most {MAX_TOP_FOLDERS}"
        yield Finding(sorted(folders)[-1], 1, "folders", message)


RULES = [check_files, check_functions, check_folders]
