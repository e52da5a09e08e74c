"""Build the native core with CMake and ninja; everything else stands in pyproject.toml.

GBAN_CUDA=auto (default) builds the CUDA kernels where nvcc works, 1 insists, 0 leaves them out.
GBAN_CUDA_ARCHITECTURES ("87-real") builds them for one kind of GPU alone, which is quicker.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pybind11
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext


class CMakeBuild(build_ext):
    """Configure and build CMakeLists.txt; the module lands where setuptools wants it."""

    def build_extension(self, ext: Extension) -> None:
        target = Path(self.get_ext_fullpath(ext.name)).resolve().parent
        source = Path(__file__).resolve().parent
        build = Path(self.build_temp).resolve()
        # Anew each time: pip builds in an environment that is gone the next time, and CMake's
        # cache would still name the ninja that was in it.
        shutil.rmtree(build, ignore_errors=True)
        build.mkdir(parents=True)
        configure = [
            "cmake", "-S", str(source), "-B", str(build), "-G", "Ninja",
            f"-DPython_EXECUTABLE={sys.executable}",
            f"-Dpybind11_DIR={pybind11.get_cmake_dir()}",
            f"-DCMAKE_LIBRARY_OUTPUT_DIRECTORY={target}",
            "-DCMAKE_BUILD_TYPE=Release",
            "-DGBAN_WERROR=OFF",  # a newer compiler's new warning must not stop a user
            f"-DGBAN_CUDA={os.environ.get('GBAN_CUDA', 'auto')}",
            f"-DGBAN_CUDA_ARCHITECTURES={os.environ.get('GBAN_CUDA_ARCHITECTURES', '')}",
        ]  # fmt: skip
        subprocess.run(configure, check=True)
        subprocess.run(["cmake", "--build", str(build), "--target", "_core"], check=True)


setup(ext_modules=[Extension("gban_edge._core", [])], cmdclass={"build_ext": CMakeBuild})
