"""Commands that need the training code, which is in a checkout of the project and in no package."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

# Modules that train/ imports, all of the extra [train].
TRAINING = ("torch", "scipy", "soundfile", "matplotlib", "rapidfuzz", "markdown_it")
SPEAKING = ("espeakng_loader", "scipy", "soundfile")


def find_checkout() -> Path:
    """The checkout that this package is in, or else the one that is the current folder.

    Raises:
        RuntimeError: neither; says how to get one.
    """
    places = (Path(__file__).resolve().parent.parent, Path.cwd())
    for place in places:
        if (place / "train" / "run_folds.py").is_file() and (place / "gban_edge").is_dir():
            return place
    raise RuntimeError(
        f"this gban-edge is installed in {places[0]} without its training code (train/), and the "
        "current folder has none: get the sources of gban-edge, by git clone or as an archive, "
        "and run `gban-edge train` in their folder, or `make run`, which sets up all it needs"
    )


def require(modules: Sequence[str], what: str) -> None:
    """RuntimeError that names the pip command where one of ``modules`` is not installed."""
    missing = [name for name in modules if not _there(name)]
    if missing:
        raise RuntimeError(
            f"{what} needs {', '.join(missing)}, not installed here: "
            'pip install "gban-edge[train]", or `make setup` in the checkout'
        )


def _there(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ValueError:  # a module that is blocked: sys.modules holds None
        return False


def hand_over(script: Path, arguments: Sequence[str]) -> NoReturn:
    """Become ``python script arguments``, whose exit status and signals are then this command's."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, str(script), *arguments])
