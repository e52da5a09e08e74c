"""Which of the programs and packages of a deployment are here; nothing of them is imported."""

from __future__ import annotations

import json
import platform
import re
import sys
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from gban_edge.deploy.board_files import SYSTEM, program, text

# What has the module: NVIDIA's name on PyPI and in JetPack, then the same by CUDA version.
_TENSORRT = {
    "tensorrt": ("tensorrt", "tensorrt-cu13", "tensorrt-cu12"),
    "tensorrt_rtx": ("tensorrt-rtx", "tensorrt-rtx-cu13", "tensorrt-rtx-cu12"),
}
_HEADERS = ("usr/include/aarch64-linux-gnu", "usr/include/x86_64-linux-gnu", "usr/include")


def facts(root: Path = SYSTEM) -> dict[str, Any]:
    """``onnxruntime`` (version), ``tensorrt`` (module and version), ``system_tensorrt`` (a folder
    that only the system's Python sees), ``cuda`` (version), ``nvcc`` and ``headers`` (paths),
    ``environment`` (a virtual one: true or false), ``python``; without what is not here."""
    found: dict[str, Any] = {
        "python": platform.python_version(),
        "environment": sys.prefix != sys.base_prefix,
        "onnxruntime": version("onnxruntime", ("onnxruntime", "onnxruntime-gpu")),
        "tensorrt": tensorrt(),
        "system_tensorrt": system_tensorrt(root),
        "cuda": cuda(root),
        "nvcc": nvcc(root),
        "headers": headers(root),
    }
    return {key: value for key, value in found.items() if value is not None}


def tensorrt() -> dict[str, str] | None:
    """``module`` ("tensorrt" or "tensorrt_rtx") and ``version`` of what would be imported."""
    for module, distributions in _TENSORRT.items():
        found = version(module, distributions)
        if found is not None:
            return {"module": module, "version": found}
    return None


def version(module: str, distributions: tuple[str, ...]) -> str | None:
    """The version of ``module`` without importing it; "unknown" where nothing tells it, None where
    there is no such module."""
    try:
        spec = find_spec(module)
    except (ImportError, ValueError):
        return None
    if spec is None or spec.origin is None:  # a bare folder of that name is no module
        return None
    for name in distributions:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    written = re.search(r'^__version__ = "([^"]+)"', text(Path(spec.origin)) or "", re.MULTILINE)
    return written[1] if written else "unknown"


def system_tensorrt(root: Path) -> str | None:
    """Where Debian's package python3-libnvinfer has put the module."""
    folders = sorted((root / "usr" / "lib").glob("python3*/dist-packages/tensorrt"))
    return str(folders[0]) if folders else None


def cuda(root: Path) -> str | None:
    """The version of the toolkit in /usr/local/cuda."""
    try:
        listing = json.loads(text(root / "usr" / "local" / "cuda" / "version.json") or "")
        return str(listing["cuda"]["version"])
    except (ValueError, KeyError, TypeError):
        return None


def nvcc(root: Path) -> str | None:
    """Where the CUDA compiler is; JetPack does not put it on the PATH."""
    path = root / "usr" / "local" / "cuda" / "bin" / "nvcc"
    return program(root, "nvcc") or (str(path) if path.is_file() else None)


def headers(root: Path) -> str | None:
    """The folder of TensorRT's NvInfer.h."""
    for folder in _HEADERS:
        if (root / folder / "NvInfer.h").is_file():
            return str(root / folder)
    return None
