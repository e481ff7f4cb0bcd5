# SPDX-License-Identifier: Apache-2.0
"""Everything that is added by a file has its row, and every data file its id."""

import json
import pathlib
import re
from dataclasses import dataclass

from source import Finding, is_test, without_comments


@dataclass(frozen=True)
class Table:
    """Sources below `folder` and where their rows stand."""

    folder: str
    rows: str  # a regular expression for the paths of the tables
    only_if: str = ""  # a file without this in it (<stem> is its name) needs no row


TABLES = [
    Table("src/optimize/passes", r"src/optimize/(passes/)?\w*table\.cc"),
    Table("src/quantize/methods", r"src/quantize/(methods/)?\w*table\.cc"),
    Table("src/cli/commands", r"src/cli/(commands/)?\w*table\.cc"),
    Table("src/report", r"src/report/\w+\.cc", r"\brender_<stem>\s*\("),
]


def _sources(tree, table):
    for path in tree.below(table.folder, {".cc"}):
        stem = pathlib.Path(path).stem
        is_direct = path == f"{table.folder}/{stem}.cc"
        if not is_direct or is_test(path) or stem.endswith("table"):
            continue
        wanted = table.only_if.replace("<stem>", stem)
        if re.search(wanted, tree.text(path)):
            yield path, stem


def check_rows(tree):
    """A pass, method, command or report format whose file exists is also listed."""
    for table in TABLES:
        places = [path for path in tree.paths if re.fullmatch(table.rows, path)]
        rows = {path: without_comments(tree.text(path)) for path in places}
        for path, stem in _sources(tree, table):
            listed = any(f'"{stem}"' in text for where, text in rows.items()
                         if where != path and re.search(r"Row\b", text))
            if not listed:
                yield Finding(path, 1, "row", f'no table has a row "{stem}" for this file')


def _check_id(tree, path, wanted):
    try:
        content = json.loads(tree.text(path))
    except json.JSONDecodeError as error:
        return Finding(path, error.lineno, "data", f"is not JSON: {error.msg}")
    found = content.get("id") if isinstance(content, dict) else None
    if not isinstance(found, str) or found.lower() != wanted.lower():
        return Finding(path, 1, "data", f'its "id" is {found!r}, its place says "{wanted}"')
    return None


def check_data(tree):
    """Profiles, devices and targets are found by an id that is also their name."""
    for folder in ("data/profiles", "data/devices"):
        for path in tree.below(folder):
            finding = _check_id(tree, path, pathlib.Path(path).stem)
            if finding:
                yield finding
    for name in sorted({path.split("/")[2] for path in tree.below("data/targets")}):
        path = f"data/targets/{name}/target.json"
        if path not in tree.paths:
            yield Finding(f"data/targets/{name}", 1, "data", "has no target.json")
        elif finding := _check_id(tree, path, name):
            yield finding


RULES = [check_rows, check_data]
