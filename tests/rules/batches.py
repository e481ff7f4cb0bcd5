# SPDX-License-Identifier: Apache-2.0
"""Names that sources of one module may not share, since they are compiled together."""

import re

from source import Finding, is_test, only_code

ALONE = "src/quantize/simd/"  # compiled each for a processor of its own
UNNAMED = re.compile(r"^namespace \{$(.*?)^\}  // namespace$", re.MULTILINE | re.DOTALL)
CONSTANT = re.compile(r"^(?:static |inline )*(?:constexpr|const)\b[^;(){=]*?\b(k[A-Z]\w*)\s*[={[(]",
                      re.MULTILINE)
ALIAS = re.compile(r"^using (\w+) = ([^;]*);", re.MULTILINE)
TYPE = re.compile(r"^(?:struct|class|enum class|enum|union)\s+(\w+)[^;]*?[{=]", re.MULTILINE)
FUNCTION = re.compile(r"^[\w:<][^;{}=#]*?(?<!:)\b(\w+)(\([^;{}]*?\))(?: const)?(?: noexcept)? \{",
                      re.MULTILINE)
ENUM = re.compile(r"^enum (?:class )?\w+[^{;]*\{([^}]*)\}", re.MULTILINE)
LAST_NAME = re.compile(r"(?<=[\w>&*] )\w+(?=[,)=]|$)|(?<=[&*])\w+(?=[,)=]|$)")


def _definitions(text):
    """(line, kind, key) of what unnamed namespaces at the file's level define."""
    code = only_code(text)
    for space in UNNAMED.finditer(text):
        for position, kind, key in _definitions_in(code[space.start(1) : space.end(1)]):
            yield code.count("\n", 0, space.start(1) + position) + 1, kind, key


def _definitions_in(body):
    """The same of one namespace's body, with positions in it."""
    for kind, pattern in (("name", CONSTANT), ("name", TYPE)):
        for match in pattern.finditer(body):
            yield match.start(1), kind, match[1]
    for match in ALIAS.finditer(body):
        yield match.start(1), f"alias of {' '.join(match[2].split())}", match[1]
    for match in FUNCTION.finditer(body):
        types = LAST_NAME.sub("", re.sub(r"\s+", " ", match[2]))
        yield match.start(1), "function", match[1] + types
    for match in ENUM.finditer(body):
        for item in re.finditer(r"\bk[A-Z]\w*", match[1]):
            yield match.start(1) + item.start(), "enumerator", item[0]


def _clashes(kind, known):
    """Whether such a definition may not stand beside those; equal aliases and enumerators may."""
    may_be_alike = kind == "enumerator" or kind.startswith("alias")
    return bool(known - {kind}) if may_be_alike else bool(known)


def check_batches(tree):
    """What stands in unnamed namespaces of a module has names of its own."""
    modules = {}
    for path in tree.below("src", {".cc"}):
        if path.startswith(ALONE):
            continue
        modules.setdefault((path.split("/")[1], is_test(path)), []).append(path)
    for paths in modules.values():
        seen = {}
        for path in paths:
            own = set()
            for line, kind, key in _definitions(tree.text(path)):
                others = {(other, where) for other, where in seen.get(key, ()) if where != path}
                if _clashes(kind, {other for other, _ in others}):
                    message = f"{key} is defined in {min(where for _, where in others)}, too"
                    yield Finding(path, line, "batch", message)
                own.add((key, kind))
            for key, kind in own:
                seen.setdefault(key, set()).add((kind, path))


RULES = [check_batches]
