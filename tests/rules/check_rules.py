#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks the rules of the house that a compiler does not: layers, sizes, tables, documents, words.

    tests/rules/check_rules.py [ROOT]

Prints `file:line: rule: message` for each finding and exits with 1 if there is any.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import batches  # noqa: E402
import documents  # noqa: E402
import layers  # noqa: E402
import sizes  # noqa: E402
import tables  # noqa: E402
import words  # noqa: E402
from source import Tree  # noqa: E402

RULES = batches.RULES + layers.RULES + sizes.RULES + tables.RULES + documents.RULES + words.RULES


def findings(root):
    """All findings of a tree, in the order of its files."""
    tree = Tree(root)
    return sorted(finding for rule in RULES for finding in rule(tree))


def main(arguments):
    """The exit status."""
    root = arguments[0] if arguments else pathlib.Path(__file__).resolve().parents[2]
    found = findings(root)
    for finding in found:
        print(finding)
    count = "no findings" if not found else f"{len(found)} findings"
    print(f"rules: {count}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
