# SPDX-License-Identifier: Apache-2.0
"""The command line: `python -m wattwise`."""
import os
import sys

from . import _libraries, _native


def main():
    """Runs the command line with this process's arguments and exits with its code."""
    for variable, path in (("WATTWISE_ORT_LIBRARY", _libraries.onnxruntime_library()),
                           ("WATTWISE_DUCKDB_LIBRARY", _libraries.duckdb_library())):
        if path:
            os.environ.setdefault(variable, path)
    sys.exit(_native.main(["wattwise", *sys.argv[1:]]))


if __name__ == "__main__":
    main()
