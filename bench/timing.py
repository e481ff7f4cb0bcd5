# SPDX-License-Identifier: Apache-2.0
"""CPU times of models, on one thread.

    python bench/timing.py ratio MODEL OTHER SAMPLE    prints CPU time of MODEL / that of OTHER
    python bench/timing.py plain MODEL FOLDER          prints CPU seconds for each sample once

Models may be ONNX, OpenVINO (.xml) or LiteRT (.tflite) files, samples are .npz files. Both models
run in one process, in turn.
"""
import pathlib
import sys
import time

import numpy

from task_metrics import open_session

ROUNDS = 61
LEAST_SECONDS = 0.02  # that a round takes


def measure_once(session, feeds, runs):
    """CPU seconds of so many runs."""
    before = time.process_time()
    for _ in range(runs):
        session.run(None, feeds)
    return time.process_time() - before


def ratio(model, other, sample):
    """The median over the rounds."""
    first, second = open_session(model), open_session(other)
    feeds = dict(numpy.load(sample))
    measure_once(second, feeds, 3)
    runs = max(1, int(LEAST_SECONDS / max(measure_once(first, feeds, 3) / 3, 1e-5)))
    return numpy.median([measure_once(first, feeds, runs) / measure_once(second, feeds, runs)
                         for _ in range(ROUNDS)])


def plain(model, folder):
    """What inference alone costs."""
    session = open_session(model)
    return sum(measure_once(session, dict(numpy.load(path)), 1)
               for path in sorted(folder.glob("*.npz")))


if __name__ == "__main__":
    print({"ratio": ratio, "plain": plain}[sys.argv[1]](*map(pathlib.Path, sys.argv[2:])))
