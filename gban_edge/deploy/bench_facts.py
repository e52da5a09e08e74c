"""What ran: the model file, the packages, the core."""

from __future__ import annotations

import platform
import sys
from pathlib import Path
from typing import Any

import numpy as np

import gban_edge
from gban_edge.core import native
from gban_edge.runtime.backend import PRECISIONS
from gban_edge.runtime.engine_file import file_digest

# Packages that a backend may have loaded; those that it has not are left out.
_BACKENDS = ("onnxruntime", "onnx", "tensorrt", "tensorrt_rtx")


def model_facts(path: Path) -> dict[str, Any]:
    """``file``, ``bytes`` and ``sha256`` of the model file."""
    return {"file": str(path), "bytes": path.stat().st_size, "sha256": file_digest(path)}


def versions() -> dict[str, str]:
    """Of this package, Python, numpy, the core and of what the backend has loaded."""
    core = native()
    found = {
        "gban-edge": gban_edge.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "compiler": core.compiler(),
        "kernel sources": core.KERNEL_SOURCES,
    }
    if core.cuda_built():
        found["nvcc"] = str(core.CUDA_COMPILER)
    for name in _BACKENDS:
        if name in sys.modules:
            found[name] = str(getattr(sys.modules[name], "__version__", "unknown"))
    return found


def kind_and_precision(backend: str, asked: str | None) -> tuple[str, str]:
    """Of a backend's name, "cpu fp32 avx512", its kind and its precision; else that asked for.

    >>> kind_and_precision("onnxruntime fp16 CPU", "fp32")
    ('onnxruntime', 'fp16')
    """
    words = backend.split()
    named = [word for word in words if word in PRECISIONS]
    return words[0], named[0] if named else asked or "fp32"
