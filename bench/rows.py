# SPDX-License-Identifier: Apache-2.0
"""Rows of a long bench in a file, one JSON object a line, each written when it is known.

The first line says what the rows are of. Those of a unit, as one file of one model is, stand
between {"begun": true} and {"done": true}, each with "model" and "unit". A unit without the latter
failed or was cut short; it is measured again, and what it said before counts no more.
"""
import json
import sys


class Rows:
    """Those of one file, which is continued where there is one."""

    def __init__(self, path, header):
        self.path, self.units, self.done = path, {}, set()
        path.parent.mkdir(parents=True, exist_ok=True)
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        lines = list(parsed(text))
        if lines and lines[0] != header:
            sys.exit(f"{path} holds rows of another processor or program: remove it, or name "
                     "another file by --rows")
        self.file = path.open("a", encoding="utf-8")
        if text and not text.endswith("\n"):
            self.file.write("\n")
        for line in lines[1:]:
            self.take(line)
        if not lines:
            self.write(header)

    def write(self, line):
        """At once, so that whatever ends the program later leaves it."""
        self.file.write(json.dumps(line) + "\n")
        self.file.flush()

    def take(self, line):
        """Counts what a line says."""
        at = line["model"], line["unit"]
        if "begun" in line:
            self.units[at] = []
            self.done.discard(at)
        elif "done" in line:
            self.done.add(at)
        else:
            self.units.setdefault(at, []).append(line)

    def add(self, model, unit, **figures):
        """A row, or begun=True or done=True."""
        line = {"model": model, "unit": unit, **figures}
        self.take(line)
        self.write(line)

    def is_done(self, model, unit):
        """Whether it need not be measured."""
        return (model, unit) in self.done

    def all(self):
        """Every row that counts."""
        return [row for rows in self.units.values() for row in rows]


def parsed(text):
    """The objects of a text's lines, without a line that was not finished."""
    for line in text.splitlines():
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            continue


def show(speed):
    """A ratio with its ends."""
    if speed is None:
        return ""
    return f"{speed['median']:.3f}x ({speed['low']:.3f} to {speed['high']:.3f})"


def size(count):
    """Bytes as people write them."""
    return f"{count / 1e6:.2f} MB" if count >= 1e6 else f"{count / 1e3:.0f} kB"


def tables(rows):
    """Lines of Markdown: for each model its files, those that failed, and the older processors."""
    for model in dict.fromkeys(row["model"] for row in rows):
        mine = [row for row in rows if row["model"] == model]
        yield from ["", f"| {model} | size | speed | task | cost |", "|---|---|---|---|---|"]
        for row in mine:
            if "bytes" in row:
                speed = f"{row['speed']['median']:.2f}x{'*' if row.get('busy') else ''}"
                yield (f"| {row['form']} | {size(row['bytes'])} | {speed} | {row['task']} "
                       f"| {row['cpu_s']:.1f} CPU s, {row['peak_mb']:.0f} MB |")
        yield from (f"\n{row['form'].strip()}: {row['error']}" for row in mine if "error" in row)
        older = {}
        for row in mine:
            if row.get("tier") and row["speed"]:
                older.setdefault(row["unit"], {})[row["tier"]] = row["speed"]["median"]
        tiers = list(dict.fromkeys(tier for found in older.values() for tier in found))
        if older:
            yield from ["", f"| {model} on | {' | '.join(tiers)} |",
                        "|---" * (1 + len(tiers)) + "|"]
            for unit, found in older.items():
                cells = (f"{found[tier]:.2f}x" if tier in found else "" for tier in tiers)
                yield f"| {unit} | {' | '.join(cells)} |"
