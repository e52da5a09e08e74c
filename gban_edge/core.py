"""The way to the native core, ``gban_edge._core``, which needs a C++17 compiler to be built."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType


def native() -> ModuleType:
    """The native core, imported when it is first needed, so that ``import gban_edge`` always works.

    Raises:
        RuntimeError: it is not built; the message names the cure.
    """
    try:
        return import_module("gban_edge._core")
    except ImportError as error:
        raise RuntimeError(
            f"the native core is not built ({error}); install the package with a C++17 compiler: "
            "pip install ."
        ) from error
