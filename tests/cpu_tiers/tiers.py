# SPDX-License-Identifier: Apache-2.0
"""Runs models with ONNX Runtime as other x86-64 processors would run them, at full speed: with a
copy of the runtime that asks mask_cpuid.c, and not the processor, which instructions there are."""
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile

import numpy
import onnxruntime
from patch_cpuid import patch

HERE = pathlib.Path(__file__).resolve().parent
BUILD = HERE.parents[1] / "build" / "release"
MASK = BUILD / "libcpu_mask.so"

# Ways to run a model that may differ by saturation only: what saturates, what does not but computes
# floats alike, and what the processor must have.
PAIRS = {
    "AVX2, its exact kernels": (("avx2",), ("avx2", "exact"), {"avx2"}),
    "AVX2, AVX-VNNI": (("avx2",), ("avxvnni",), {"avx2", "avx_vnni"}),
    "AVX-512, AVX-512 VNNI": (("avx512",), ("native",), {"avx512bw", "avx512_vnni"}),
}


def features():
    """The processor's, as Linux names them."""
    for line in pathlib.Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        if line.startswith("flags"):
            return set(line.split(":")[1].split())
    return set()


def obstacle():
    """Why no tier can be run here; None if they can."""
    if platform.machine() != "x86_64" or sys.platform != "linux":
        return "CPUID is masked on x86-64 Linux only"
    if not MASK.exists():
        return f"{MASK} has not been built"
    missing = [tool for tool in ("objdump", "readelf") if not shutil.which(tool)]
    return f"{' and '.join(missing)} (binutils) not found" if missing else None


def masked_packages():
    """The folder of a package `onnxruntime` that asks the mask. Made once for each version."""
    source = pathlib.Path(onnxruntime.__file__).parent
    folder = BUILD / "cpu_tiers" / onnxruntime.__version__
    if folder.exists():
        return folder
    folder.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        package = pathlib.Path(temporary) / "made" / "onnxruntime"
        shutil.copytree(source, package, copy_function=os.symlink)
        library = next((source / "capi").glob("onnxruntime_pybind11_state*.so"))
        copy = package / "capi" / library.name
        copy.unlink()
        if patch(library, copy) == 0:
            raise RuntimeError(f"{library} asks for no features")
        package.parent.rename(folder)
    return folder


def environment(tier):
    """In which a program finds a processor of that tier of mask_cpuid.c."""
    return {**os.environ, "LD_PRELOAD": str(MASK), "CPU_TIER": tier,
            "PYTHONPATH": str(masked_packages())}


def answers(model, inputs, tier, *options):
    """Outputs of the model, in order, as `tier` of mask_cpuid.c computes them."""
    with tempfile.TemporaryDirectory() as temporary:
        fed, made = (os.path.join(temporary, name) for name in ("inputs.npz", "outputs.npz"))
        numpy.savez(fed, **inputs)
        done = subprocess.run(
            [sys.executable, HERE / "answers.py", model, fed, made, *options],
            env=environment(tier), capture_output=True, text=True, timeout=300, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{model} as {tier}: {done.stderr or done.returncode}")
        return list(numpy.load(made).values())
