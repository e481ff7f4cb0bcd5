# SPDX-License-Identifier: Apache-2.0
"""Hands `python power_efficient_deployment.py ...` over to the installed package."""
import os
import pathlib
import sys

try:
    from wattwise import DeploymentTarget, PowerEfficientDeployment, PowerProfile  # noqa: F401
except ImportError:
    python = pathlib.Path(__file__).resolve().parent / ".venv" / "bin" / "python"
    installed_here = pathlib.Path(sys.prefix) == python.parents[1]
    if __name__ != "__main__" or not python.exists() or installed_here:
        raise
    os.execv(python, [str(python), __file__, *sys.argv[1:]])

if __name__ == "__main__":
    from wattwise.__main__ import main

    main()
