# SPDX-License-Identifier: Apache-2.0
"""Finds the libraries that Python packages already bring, so that a process holds one copy."""
import importlib.util
import os
import pathlib


def _first(package, patterns):
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return ""
    origin = pathlib.Path(spec.origin)
    folders = [origin] if origin.suffix == ".so" else [origin.parent]
    for folder in folders:
        if folder.is_file():
            return str(folder)
        for pattern in patterns:
            for path in sorted(folder.glob(pattern)):
                return str(path)
    return ""


def onnxruntime_library():
    """Path in $WATTWISE_ORT_LIBRARY, else of the library in ONNX Runtime's package, or ""."""
    named = os.environ.get("WATTWISE_ORT_LIBRARY")
    return named or _first("onnxruntime", ["capi/libonnxruntime.so.*"])


def duckdb_library():
    """Path of DuckDB's extension module, which exports the C API, or ""."""
    return _first("_duckdb", ["*.so"]) or _first("duckdb", ["*.so"])
