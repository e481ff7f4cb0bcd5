# SPDX-License-Identifier: Apache-2.0
"""Which module may include which, and who may touch the outside world."""

import re
from dataclasses import dataclass

from source import Finding, includes, is_test, only_code, without_comments

# From the ground up; modules of one row do not know each other.
RANKS = [
    {"core"},
    {"config", "model", "device", "store", "input"},
    {"engine"},
    {"measure"},
    {"optimize"},
    {"quantize"},
    {"targets", "runtime", "report"},
    {"deploy"},
    {"cli", "serve"},
    {"python"},  # the wheel's command line is the program's
]
RANK = {module: rank for rank, modules in enumerate(RANKS) for module in modules}
PUBLIC = "include/wattwise/"


@dataclass(frozen=True)
class Door:
    """Something that only the files below `allowed` may use."""

    name: str
    pattern: str
    allowed: tuple
    applies_to_tests: bool = False
    is_include: bool = False


ENVIRONMENT = ("src/core/system_env.cc",)
DOORS = [
    Door("onnxruntime", r"(^|/)onnxruntime", ("src/engine/",), True, True),
    Door("duckdb", r"^duckdb", ("src/store/",), True, True),
    Door("protobuf", r"^(protozero|google/protobuf)/", ("src/model/",), True, True),
    Door("python", r"^(pybind11|nanobind|Python\.h)", ("python/",), True, True),
    Door("media", r"^(stb/|sndfile|samplerate|zip\.h)", ("src/input/",), True, True),
    Door("hash", r"^xxhash", ("src/core/hash.cc",), True, True),
    Door("printing", r"\bstd::(cout|cerr|clog)\b|\b(f?printf|f?puts|putchar|fmt::print)\s*\(",
         ("src/cli/",)),
    Door("exit", r"(?<![\w.>])(std::)?(_?exit|_Exit|quick_exit|abort)\s*\(", ("src/cli/",)),
    Door("files", r"\bstd::(i|o)?fstream\b|\bstd::filesystem\b|#include <(fstream|filesystem)>"
         r"|\b(fopen|freopen|opendir|mkstemp|mkdtemp|mmap)\s*\(|(?<![\w>])::open(at)?\s*\(",
         ENVIRONMENT),
    Door("clock", r"\b(system|steady|high_resolution)_clock\b|\bstd::this_thread::sleep"
         r"|\b(clock_gettime|gettimeofday|nanosleep|usleep)\s*\(|\btime\s*\(\s*(nullptr|0)\s*\)",
         ENVIRONMENT),
    Door("libraries", r"\bdlopen\s*\(", ("src/engine/", "src/store/")),
    Door("variables", r"\b(secure_)?getenv\s*\(", ENVIRONMENT),
]

# (door, path): why this file may.
EXCEPTIONS = {
    ("printing", "bench/rounding_kernels.cc"): "a program of its own, which has no other output",
}


def module_of(path):
    """The module that a file belongs to, or None."""
    parts = path.split("/")
    if parts[0] == "src" and len(parts) > 2:
        return parts[1]
    return "python" if parts[0] == "python" else None


def _check_include(path, line, name):
    """The finding that including src/`name` from `path` makes, or None."""
    own, other = module_of(path), name.split("/")[0]
    if own is None or other == own or other not in RANK:
        return None
    if own not in RANK:
        return Finding(path, line, "rank", f"the module {own} has no rank in tests/rules/layers.py")
    if RANK[other] < RANK[own]:
        return None
    where = "beside" if RANK[other] == RANK[own] else "above"
    return Finding(path, line, "rank", f"{own} includes {name}, which stands {where} it")


def check_ranks(tree):
    """Includes go downward; public headers know only the standard library and each other."""
    for path in tree.cpp():
        for line, name, angled in includes(tree.text(path)):
            if path.startswith(PUBLIC):
                is_standard = angled and re.fullmatch(r"[a-z0-9_]+", name)
                if not is_standard and not name.startswith("wattwise/"):
                    yield Finding(path, line, "public", f"a public header must not include {name}")
            elif not angled:
                finding = _check_include(path, line, name)
                if finding:
                    yield finding


def _is_allowed(door, path):
    inside = any(path.startswith(prefix) for prefix in door.allowed)
    exempt = is_test(path) and not door.applies_to_tests
    return inside or exempt or (door.name, path) in EXCEPTIONS


def _uses(door, text):
    """(line, what) of each use."""
    if door.is_include:
        return [(line, name) for line, name, _ in includes(text) if re.search(door.pattern, name)]
    found = []
    code = only_code(text).splitlines()
    for number, line in enumerate(without_comments(text).splitlines(), 1):
        is_directive = line.lstrip().startswith("#include")
        match = re.search(door.pattern, line if is_directive else code[number - 1])
        if match:
            found.append((number, match[0].strip()))
    return found


def check_doors(tree):
    """Each outside thing is reached through one place."""
    for path in tree.cpp():
        for door in DOORS:
            if _is_allowed(door, path):
                continue
            for line, what in _uses(door, tree.text(path)):
                places = " and ".join(door.allowed)
                yield Finding(path, line, "door", f"{what} ({door.name}) belongs into {places}")


RULES = [check_ranks, check_doors]
