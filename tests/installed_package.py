"""The C++ package and its examples, built and installed once in a test run.

Fixtures of conftest.py hand them to test_install.py, test_robot_example.py and test_docs_cpp.py,
which two workers of pytest-xdist may run at the same time: the first builds, the other waits.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import ROOT


def run(*command: object, ok: bool = True) -> subprocess.CompletedProcess[str]:
    """A finished command and what it printed; where ``ok`` it must have succeeded."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert not ok or done.returncode == 0, done.stdout + done.stderr
    return done


def cmake(*arguments: object) -> subprocess.CompletedProcess[str]:
    beside = Path(sys.executable).parent / "cmake"  # of this environment, else the system's
    return run(beside if beside.exists() else shutil.which("cmake"), *arguments)


def ninja() -> list[str]:
    beside = Path(sys.executable).parent / "ninja"
    return ["-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={beside}"] if beside.exists() else []


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """The folder ``name`` of this test run, which the first worker that asks has filled."""
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent  # that of all workers
    folder, done = base / name, base / f"{name}.done"
    with (base / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            done.touch()
    return folder


def install(folder: Path) -> None:
    """Build the library in ``folder``/build, without Python and CUDA; install it to /prefix."""
    # No interpreter is to be looked for, so one that cannot be found does no harm.
    options = ["-DGBAN_PYTHON=OFF", "-DGBAN_CUDA=0", "-DPython_EXECUTABLE=/nowhere/python"]
    # -O1, which compiles faster than a release and computes the same.
    speed = ["-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_CXX_FLAGS_DEBUG=-O1"]
    cmake("-S", ROOT, "-B", folder / "build", *ninja(), *options, *speed)
    cmake("--build", folder / "build", "--parallel", "2")
    cmake("--install", folder / "build", "--prefix", folder / "prefix")


def build_examples(folder: Path, prefix: Path) -> None:
    """Build examples/cpp in ``folder`` against the package installed at ``prefix``."""
    options = [f"-DCMAKE_PREFIX_PATH={prefix}", "-DCMAKE_CXX_FLAGS=-Werror -O1"]
    cmake("-S", ROOT / "examples" / "cpp", "-B", folder, *ninja(), *options)
    cmake("--build", folder, "--parallel", "2")
