# SPDX-License-Identifier: Apache-2.0
"""Thousands of sentences: what the packages beside this interpreter say of themselves.

    python bench/library_texts.py    prints how many there are, and the hash of those that are taken

They stand in the documentation strings of PACKAGES, whose versions the environment pins, so that
they are the same wherever it is made; none is kept here.
"""
import ast
import hashlib
import importlib.util
import pathlib
import re

PACKAGES = ("numpy", "scipy", "nncf", "openvino", "onnx")
COUNT = 2000
PARAGRAPH = re.compile(r"\n\s*\n")
END = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
SENTENCE = re.compile(r"[A-Z][A-Za-z0-9 ,;:'()/.%-]{25,240}[.!?]")
LEAST_WORDS = 6
LEAST_LETTERS = 0.9  # a formula has less


def documentation(package):
    """The strings of its modules, classes and functions, in the order of files."""
    place = importlib.util.find_spec(package).submodule_search_locations[0]
    for path in sorted(pathlib.Path(place).rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                yield ast.get_docstring(node) or ""


def sentences_of(text):
    """Those of a documentation string that are prose."""
    for paragraph in PARAGRAPH.split(text):
        for sentence in END.split(re.sub(r"[`*]+", "", " ".join(paragraph.split()))):
            letters = sum(letter.isalpha() or letter == " " for letter in sentence)
            if (SENTENCE.fullmatch(sentence) and len(sentence.split()) >= LEAST_WORDS
                    and letters >= LEAST_LETTERS * len(sentence)):
                yield sentence


def all_sentences(texts):
    """Each once, however it is punctuated, in an order that has nothing to do with its place."""
    found = {}
    for text in texts:
        for sentence in sentences_of(text):
            found.setdefault(re.sub(r"\W+", " ", sentence.lower()), sentence)
    return sorted(found.values(), key=lambda sentence: hashlib.sha256(sentence.encode()).digest())


def sentences(count=COUNT):
    """So many of those of all packages."""
    return all_sentences(text for package in PACKAGES for text in documentation(package))[:count]


if __name__ == "__main__":
    everything = sentences(None)
    taken = hashlib.sha256("\n".join(everything[:COUNT]).encode()).hexdigest()
    print(f"{len(everything)}, of which {COUNT} are taken: {taken}")
