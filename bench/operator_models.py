#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every pass alone, and all together, on the operators' test models and on random models.

    python3 bench/operator_models.py [RANDOM_MODELS]

Prints how many models each pass changed, and every model that answered otherwise afterwards. It
exits with 1 if there is one. 2,000 random models by default. The operators' models come from
`./setup models`, or from $WATTWISE_OPERATOR_MODELS.
"""
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
TESTS = ROOT / "build/release/optimize_test"


def main(words):
    """Runs the tests of the two collections with the wanted number of models."""
    count = words[0] if words else "2000"
    done = subprocess.run([str(TESTS), "--gtest_filter=OperatorModels.*:RandomModels.*",
                           "--gtest_brief=1"],
                          env={**os.environ, "WATTWISE_RANDOM_MODELS": count}, check=False)
    sys.exit(1 if done.returncode else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
