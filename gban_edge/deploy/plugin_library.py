"""Where the library of TensorRT plugins (csrc/tensorrt) is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

NAME = "libgban_edge_tensorrt.so"
VARIABLE = "GBAN_EDGE_TENSORRT"
PACKAGE = Path(__file__).resolve().parent.parent
CHECKOUT = PACKAGE.parent


def find(
    environment: Mapping[str, str] = os.environ, package: Path = PACKAGE, checkout: Path = CHECKOUT
) -> Path | None:
    """The plugin library, or None: what GBAN_EDGE_TENSORRT names, else the one that was installed
    beside the compiled core, else build/install and then the newest build/*/ of a checkout.

    Raises:
        FileNotFoundError: GBAN_EDGE_TENSORRT names no file.
    """
    named = environment.get(VARIABLE)
    if named:
        path = Path(named).expanduser()
        if not path.is_file():
            raise FileNotFoundError(
                f"{VARIABLE} must be the path of {NAME}, got {named}, which is not a file"
            )
        return path.resolve()
    for path in (package / NAME, *_built(checkout)):
        if path.is_file():
            return path
    return None


def _built(checkout: Path) -> list[Path]:
    """Without a csrc beside it, the package is installed, and a build folder is another's."""
    if not (checkout / "csrc").is_dir():
        return []
    newest_first = sorted(
        (checkout / "build").glob(f"*/{NAME}"), key=lambda path: path.stat().st_mtime, reverse=True
    )
    return [checkout / "build" / "install" / NAME, *newest_first]


def missing() -> str:
    """What to do where :func:`find` gives None."""
    return (
        f"no {NAME}: build it where TensorRT's headers and nvcc are (in a checkout: cmake -S . -B "
        "build/install -DGBAN_PYTHON=OFF && cmake --build build/install; TENSORRT_ROOT says where "
        f"TensorRT is), or name it in {VARIABLE}"
    )
