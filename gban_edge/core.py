"""The compiled core, ``gban_edge._core``: imported on first use, so that importing never fails."""

from __future__ import annotations

import os
from functools import cache
from importlib import import_module
from types import ModuleType


@cache
def native() -> ModuleType:
    """The compiled module.

    Raises:
        RuntimeError: it is not built for this Python, or cannot be loaded; says why.
    """
    try:
        return import_module("gban_edge._core")
    except ImportError as error:
        raise RuntimeError(
            f"the native core is not built ({error}); install the package with a C++17 compiler: "
            "pip install ."
        ) from error


def processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
