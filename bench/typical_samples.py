# SPDX-License-Identifier: Apache-2.0
"""The samples on which a model answers as on most.

    python bench/typical_samples.py MODEL SAMPLES TO

Tools that take ranges from the smallest and the largest value lose all precision to a few inputs
that are like no other: on three of 100 crops, none of which shows a face, a score of a detector of
faces is 117 to 497 times as large as on most. Somebody who knows the tool would leave these out,
which is done here: links are made in the folder TO to those files of the folder SAMPLES on which
no output is larger than twice the median of its largest values.
"""
import os
import pathlib
import sys

import numpy

from task_metrics import open_session

MOST = 2


def are_typical(extremes):
    """Of each sample; extremes are [sample, output]."""
    return (extremes <= MOST * numpy.median(extremes, axis=0)).all(axis=1)


def link_typical(model, samples, to):
    """How many of how many."""
    session = open_session(model)
    paths = sorted(samples.glob("*.npz"))
    extremes = numpy.array([[numpy.abs(answer).max() for answer in
                             session.run(None, dict(numpy.load(path)))] for path in paths])
    kept = are_typical(extremes)
    to.mkdir(parents=True)
    for path, is_kept in zip(paths, kept):
        if is_kept:
            os.link(path, to / path.name)
    return f"{kept.sum()} of {len(paths)}"


if __name__ == "__main__":
    print(link_typical(*map(pathlib.Path, sys.argv[1:])))
