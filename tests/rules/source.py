# SPDX-License-Identifier: Apache-2.0
"""The files of a source tree, and just enough C++ reading for the rules."""

import bisect
import pathlib
import re
import subprocess
from dataclasses import dataclass

SKIPPED_FOLDERS = {".git", "build", "dist", "node_modules", "__pycache__", "target", ".venv"}
CPP = {".cc", ".h"}


@dataclass(frozen=True, order=True)
class Finding:
    """One broken rule, printed as file:line: rule: message."""

    path: str
    line: int
    rule: str
    message: str

    def __str__(self):
        return f"{self.path}:{self.line}: {self.rule}: {self.message}"


class Tree:
    """All files that belong to the project, by their path from the root."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.paths = sorted(self._from_git() or self._from_disk())
        self._texts = {}

    def _from_git(self):
        if not (self.root / ".git").exists():
            return None
        command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        listed = subprocess.run(command, cwd=self.root, capture_output=True, check=False)
        names = listed.stdout.decode().split("\0")
        return [name for name in names if name and (self.root / name).is_file()]

    def _from_disk(self):
        files = (path.relative_to(self.root) for path in self.root.rglob("*") if path.is_file())
        return [path.as_posix() for path in files if not SKIPPED_FOLDERS & set(path.parts)]

    def text(self, path):
        """The content, or "" for a file that is not UTF-8 text."""
        if path not in self._texts:
            try:
                self._texts[path] = (self.root / path).read_text(encoding="utf-8")
            except UnicodeDecodeError:
                self._texts[path] = ""
        return self._texts[path]

    def below(self, folder, extensions=None):
        """Paths below a folder, optionally of some extensions."""
        prefix = folder + "/"
        found = [path for path in self.paths if path.startswith(prefix)]
        return [path for path in found if not extensions or pathlib.Path(path).suffix in extensions]

    def cpp(self):
        """All C++ files."""
        return [path for path in self.paths if pathlib.Path(path).suffix in CPP]


def is_test(path):
    """Whether a file only runs in tests."""
    name = pathlib.Path(path).stem
    return path.startswith("tests/") or name.endswith("_test") or name.startswith("test_")


TOKEN = re.compile(
    r'(?P<raw>R"(?P<tag>[^\s()\\]{0,16})\(.*?\)(?P=tag)")'
    r"|(?P<comment>//[^\n]*|/\*.*?\*/)"
    r'|(?P<string>"(?:\\.|[^"\\\n])*")'
    r"|(?P<separator>(?<=[0-9a-fA-F])'(?=[0-9a-fA-F]))"
    r"|(?P<char>'(?:\\.|[^'\\\n])+')",
    re.DOTALL,
)


DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.MULTILINE)


def _blank(text):
    return re.sub(r"[^\n]", " ", text)


def without_comments(text):
    """C++ with comments replaced by blanks; lines and columns stay."""
    return TOKEN.sub(lambda m: _blank(m[0]) if m["comment"] else m[0], text)


def only_code(text):
    """C++ with comments, literals and preprocessor lines replaced by blanks."""
    code = TOKEN.sub(lambda m: m[0] if m["separator"] else _blank(m[0]), text)
    return DIRECTIVE.sub(lambda m: _blank(m[0]), code)


def includes(text):
    """(line, name, is_angled) of each include."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if match:
            found.append((number, match[2], match[1] == "<"))
    return found


@dataclass
class Function:
    """A function's place and size; `last_line` is 0 for a declaration."""

    name: str
    first_line: int
    last_line: int
    parameters: int


SCOPE = re.compile(r"\b(namespace|class|struct|union|extern)\b")
NAME = re.compile(r"([~\w:]+|operator[^\w\s(]+)\s*\(")


DOOR = re.compile(r"\b(Env|Context|PassContext|Runtime)\b")


def count_parameters(arguments):
    """How many parts top-level commas separate, without the doors that a function is handed."""
    depth = 0
    parts = [""]
    for char in arguments:
        depth += char in "(<[{"
        depth -= char in ")>]}"
        if char == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
    return sum(part.strip() not in ("", "void") and not DOOR.search(part) for part in parts)


def _closing(text, opening):
    depth = 0
    for at in range(opening, len(text)):
        depth += text[at] == "("
        depth -= text[at] == ")"
        if depth == 0:
            return at
    return len(text)


def _as_function(head, first_line):
    """The function that a statement's head declares, or None."""
    head = re.sub(r"^\s*template\s*<[^(){}]*>", "", head)
    head = head.replace("operator()", "operator_call").replace("->", "  ")
    head = re.sub(r"\boperator\s*(==|<=>|!=|<=|>=|<|>|=|\[\])", "operator_sign", head)
    head = re.sub(r"__attribute__\s*\(\(.*?\)\)|\balignas\s*\([^)]*\)", "", head, flags=re.DOTALL)
    match = NAME.search(head)
    if not match or "=" in head[: match.start()]:
        return None
    if match[1] in ("static_assert", "decltype", "requires"):
        return None
    opening = match.end() - 1
    arguments = head[opening + 1 : _closing(head, opening)]
    return Function(match[1], first_line, 0, count_parameters(arguments))


def functions(text):
    """Functions defined or declared outside of other functions' bodies."""
    code = only_code(text)
    line_of = _line_counter(code)
    found = []
    scopes = []  # what the open braces are: SCOPE_BRACE, INIT_BRACE, a Function, or None
    start = 0
    for match in re.finditer(r"[{};]", code):
        head = code[start : match.start()]
        is_outside = all(scope == SCOPE_BRACE for scope in scopes)
        first = line_of(start + len(head) - len(head.lstrip()))
        if match[0] == "{":
            scopes.append(_opened(head, first) if is_outside else None)
            if isinstance(scopes[-1], Function):
                found.append(scopes[-1])
        elif match[0] == ";":
            if is_outside and (declared := _as_function(head, first)):
                found.append(declared)
        elif scopes:
            if isinstance(scopes[-1], Function):
                scopes[-1].last_line = line_of(match.start())
            if scopes.pop() == INIT_BRACE:
                continue
        if not scopes or scopes[-1] != INIT_BRACE:
            start = match.end()
    return found


SCOPE_BRACE = "scope"
INIT_BRACE = "member initializer"
MEMBERS = re.compile(r"\)\s*(noexcept\s*)?:(?!:).*[\w>]\s*$", re.DOTALL)


def _opened(head, first_line):
    """What a brace after `head` opens."""
    if MEMBERS.search(head):
        return INIT_BRACE
    function = _as_function(head, first_line)
    if function:
        return function
    return SCOPE_BRACE if SCOPE.search(head) and "=" not in head else None


def _line_counter(text):
    """A function from positions to line numbers."""
    breaks = [match.start() for match in re.finditer("\n", text)]
    return lambda position: bisect.bisect_left(breaks, position) + 1
