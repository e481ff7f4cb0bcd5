# SPDX-License-Identifier: Apache-2.0
"""What bench/quantization.py tells of preparing: memory and time that samples cost, the kernel that
rounds, and decibels gained over what others do."""
import os
import statistics

from running import ROOT, run, wattwise

FEW, MANY = 10, 1000  # samples whose memory is compared
KERNELS = ROOT / "build/release/rounding_kernels_bench"
CALIBRATORS = ("ort_minmax", "ort_minmax_typical", "ort_entropy", "ort_percentile")

# Title -> form of each model with its rivals, of which the best counts, and the goal in dB.
GAINS = {
    "int8 from samples over the best of ONNX Runtime's calibrators": (
        {"minilm": "dynamic, samples", "ocr_reader": "static", "blazeface": "static"},
        CALIBRATORS, 2),
    "int4 from samples over rounding to nearest": (
        {"minilm": "int4, samples", "ocr_reader": "int4, samples"}, ("int4, nearest",), 3),
}
# Model -> method that reads its samples.
CALIBRATED = {"minilm": "dynamic", "ocr_reader": "static", "blazeface": "static"}


def prepare_from(bench, method, samples):
    """The cost of preparing with a folder of samples."""
    return wattwise(bench.folder, "prepare", "--model-path", bench.model, "--output-path",
                    bench.folder / "counted.onnx", "--no-bundle", "--no-cache",
                    "--quantization-method", method, "--calibration-data", samples)[1]


def memory_growth(title, bench):
    """Peak memory with many samples / that with few; they are the task's, again and again, the
    largest first, so that numbers differ and not sizes."""
    method = CALIBRATED.get(bench.name)
    if method is None:
        return
    given = sorted((bench.folder / "samples").glob("*.npz"),
                   key=lambda path: (-path.stat().st_size, path))
    peaks = []
    for count in (FEW, MANY):
        folder = bench.folder / f"samples_{count}"
        folder.mkdir()
        for at in range(count):
            os.link(given[at % len(given)], folder / f"{at:04}.npz")
        peaks.append(prepare_from(bench, method, folder).peak_mb)
    growth = peaks[1] / peaks[0]
    bench.add(title, f"{method}: {growth:.3f} ({peaks[0]:.0f} and {peaks[1]:.0f} MB)  [goal: 1.05]",
              growth=growth)


def time_share(title, bench):
    """CPU time of preparing with samples / that of running the float model on them."""
    method = CALIBRATED.get(bench.name)
    if method is None:
        return
    samples = bench.folder / "samples"
    cost = prepare_from(bench, method, samples).seconds
    plain = float(bench.run_here("timing.py", "plain", bench.model, samples))
    bench.add(title, f"{method}: {cost / plain:.2f} ({cost:.2f} and {plain:.2f} CPU s)  "
              "[goal: 1.5]", share=cost / plain)


WORKS = {f"RSS {MANY} / {FEW}": memory_growth, "cost / inference": time_share}


def kernel_line():
    """Of bench/rounding_kernels.cc, in 10^9 weights a second and core."""
    if not KERNELS.exists():
        return "rounding: build the target rounding_kernels_bench"
    return f"rounding, 10^9 weights a second: {run([KERNELS])[0].splitlines()[0]}  [goal: 1.5]"


def gain_lines(rows):
    """What GAINS asks of the rows, where both sides were measured."""
    found = {(row["model"], row["form"]): row["sqnr_db"] for row in rows
             if row.get("sqnr_db") is not None}
    for title, (forms, rivals, goal) in GAINS.items():
        gains = {}
        for model, form in forms.items():
            others = [found[model, rival] for rival in rivals if (model, rival) in found]
            if (model, form) in found and others:
                gains[model] = found[model, form] - max(others)
        if gains:
            listed = ", ".join(f"{model} {gain:+.1f}" for model, gain in gains.items())
            median = statistics.median(gains.values())
            yield f"{title}: {median:+.1f} dB in the median ({listed})  [goal: {goal}]"
