# SPDX-License-Identifier: Apache-2.0
"""What the benches share: where things are, running programs with their cost, the processor."""
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import typing
import venv

ROOT = pathlib.Path(__file__).resolve().parents[1]
WATTWISE = pathlib.Path(os.environ.get("WATTWISE", ROOT / "build/release/wattwise"))
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache"))
MODELS = CACHE / "wattwise/models"
PROCESSES = 3  # memory lies otherwise in each, which matters more than what one process shows
FEATURES = ("sse4_1", "avx", "fma", "avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16",
            "amx_int8", "asimd", "asimddp", "i8mm", "sve")


def cpu_features():
    """Those that matter for products, in the order of FEATURES."""
    try:
        text = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.machine()
    lines = [line for line in text.splitlines() if line.startswith(("flags", "Features"))]
    flags = set(lines[0].split()) if lines else set()
    name = next((line.split(":", 1)[1].strip() for line in text.splitlines()
                 if line.startswith("model name")), platform.machine())
    return f"{name}; {' '.join(flag for flag in FEATURES if flag in flags)}"


def is_busy():
    """Whether more runs here than there are cores, so that speeds tell of caches, not of models."""
    return os.getloadavg()[0] > os.cpu_count()


class Cost(typing.NamedTuple):
    """What a program took."""
    seconds: float  # of CPU time
    peak_mb: float  # of resident memory

    def __str__(self):
        return f"{self.seconds:.2f} CPU s, {self.peak_mb:.0f} MB"


def last_line(text, code):
    """Why a program failed."""
    lines = text.strip().splitlines()
    ended = f"signal {-code} ended it" if code < 0 else f"it returns {code} and says nothing"
    return lines[-1] if lines and code > 0 else ended


def run(words, environment=None, limit=None):
    """(standard output, cost) of a program; its last line as an error. `environment` is added;
    after `limit` seconds the program is ended."""
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as messages:
        with subprocess.Popen([str(word) for word in words], stdout=output,
                              stderr=messages,
                              env={**os.environ, **(environment or {})}) as program:
            timer = threading.Timer(limit or 0, program.kill)
            if limit:
                timer.start()
            _, status, used = os.wait4(program.pid, 0)
            program.returncode = os.waitstatus_to_exitcode(status)
            timer.cancel()
        output.seek(0)
        messages.seek(0)
        text = output.read()
        if program.returncode != 0:
            raise RuntimeError(last_line(messages.read() or text, program.returncode))
    return text, Cost(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def build(*targets):
    """The program and what else is named, from this checkout, with the models; where $WATTWISE
    names a program, nothing."""
    if "WATTWISE" in os.environ:
        return
    run([ROOT / "setup", "models"])
    run(["cmake", "-S", ROOT, "--preset", "release"])
    run(["cmake", "--build", ROOT / "build/release", "--target", "wattwise", *targets])


def wattwise(folder, *words):
    """(document, cost) of one command."""
    text, cost = run([WATTWISE, "--db-path", folder / "bench.duckdb", "--json", *words])
    return json.loads(text), cost


class Score(typing.NamedTuple):
    """What a model's answers are worth for its task."""
    text: str
    points: dict  # name -> percent

    def __str__(self):
        return self.text


def score(python, task, output, model, environment=None):
    """That of a file beside the float model, by bench/task_metrics.py."""
    words = [python, ROOT / "bench/task_metrics.py", task, output, model]
    text, _ = run(words, environment)
    return Score(**json.loads(text))


def spread(ratios):
    """The median of some processes, and the ends."""
    return {"median": statistics.median(ratios), "low": min(ratios), "high": max(ratios)}


def time_files(python, files, environment=None):
    """Float time / the other's: files are float model, other, input."""
    words = [python, ROOT / "bench/timing.py", "ratio", *files]
    return spread([float(run(words, environment)[0]) for _ in range(PROCESSES)])


def python_with(name, packages, versions=None):
    """The interpreter of an environment in the cache that has these packages; installs them.
    `versions` is a file with the version of whatever they bring."""
    folder = CACHE / "wattwise" / name
    python, complete = folder / "bin/python", folder / "complete"
    wanted = "\n".join(packages) + (versions.read_text(encoding="utf-8") if versions else "")
    if not complete.exists() or complete.read_text(encoding="utf-8") != wanted:
        venv.create(folder, clear=True, with_pip=True)
        run([python, "-m", "pip", "install", "-q", *packages,
             *(("-c", versions) if versions else ())])
        complete.write_text(wanted, encoding="utf-8")
    return python


def select(words, known):
    """The names among a bench's arguments, all known, and the file after --json, if any."""
    to = None
    if "--json" in words:
        at = words.index("--json")
        to = pathlib.Path(words[at + 1])
        words = words[:at] + words[at + 2:]
    unknown = [word for word in words if word not in known]
    if unknown:
        sys.exit(f"{unknown[0]} is none of {', '.join(known)}")
    return words, to
