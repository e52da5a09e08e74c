"""The module that runs the CUDA kernels' bodies on the CPU (csrc/tests/emulated_module.cpp)."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from functools import cache
from typing import Any

from helpers import ROOT


@cache
def emulated_module() -> Any:
    """`make ctest` builds it; else it is built here, in the same place."""
    build = ROOT / "build" / "cmake"
    if not list(build.glob("_emulated*.so")):
        import pybind11

        subprocess.run(
            ["cmake", "-S", ROOT, "-B", build, "-G", "Ninja", "-DGBAN_PYTHON=OFF",
             "-DGBAN_TESTS=ON", "-DGBAN_CUDA=0", f"-DPython_EXECUTABLE={sys.executable}",
             f"-Dpybind11_DIR={pybind11.get_cmake_dir()}"], check=True,
        )  # fmt: skip
        subprocess.run(["cmake", "--build", build, "--target", "_emulated"], check=True)
    (path,) = build.glob("_emulated*.so")
    spec = importlib.util.spec_from_file_location("_emulated", path)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded
