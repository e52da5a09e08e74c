"""Reading what the kernel says about a board, under any root, so that a test can make one up."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

# Runs a program and gives what it printed; None where it is missing, failed or took too long.
Runner = Callable[[Sequence[str]], "str | None"]

SYSTEM = Path("/")
_SECONDS = 10.0


def text(path: Path) -> str | None:
    """What ``path`` holds, without the NUL that ends a device-tree string; None if unreadable."""
    try:
        return path.read_bytes().decode("utf-8", "replace").rstrip("\0\n ")
    except OSError:
        return None


def number(path: Path) -> int | None:
    """The whole number that ``path`` holds; None if it is unreadable or holds anything else."""
    try:
        return int(text(path) or "")
    except ValueError:
        return None


def program(root: Path, name: str) -> str | None:
    """Where the program ``name`` is: on the PATH, or under another root in its usr/bin."""
    if root == SYSTEM:
        return shutil.which(name)
    path = root / "usr" / "bin" / name
    return str(path) if os.access(path, os.X_OK) else None


def runner(root: Path) -> Runner:
    """Runs the programs of ``root``."""

    def run(command: Sequence[str]) -> str | None:
        path = program(root, command[0])
        if path is None:
            return None
        try:
            done = subprocess.run(
                [path, *command[1:]],
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout if done.returncode == 0 else None

    return run


def no_programs(command: Sequence[str]) -> str | None:
    """A runner that runs nothing, for callers that must be quick."""
    return None
