"""What TensorRT says while it builds: warnings to keep, errors to tell."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from gban_edge.deploy.tensorrt_module import Machine


class Log(Protocol):
    """TensorRT's ILogger as made by :func:`make_log`.

    Attributes:
        warnings: each once, in order.
        errors: in order.
    """

    warnings: list[str]
    errors: list[str]


def make_log(trt: Any, tell: Callable[[str], None] | None = None) -> Any:
    """A :class:`Log` of the module ``trt``, whose ILogger it must derive from; ``tell`` is given
    every line but the verbose ones."""
    severity = trt.ILogger.Severity
    names = {
        severity.INTERNAL_ERROR: "internal error",
        severity.ERROR: "error",
        severity.WARNING: "warning",
        severity.INFO: "info",
    }

    class Collected(trt.ILogger):  # type: ignore[misc]  # the module is known when it is loaded
        def __init__(self) -> None:
            trt.ILogger.__init__(self)  # pybind11 wants this in place of super()
            self.warnings: list[str] = []
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            kind = names.get(severity)
            if kind in ("internal error", "error"):
                self.errors.append(message)
            elif kind == "warning" and message not in self.warnings:
                self.warnings.append(message)
            if kind is not None and tell is not None:
                tell(f"{kind}: {message}")

    return Collected()


CURES = {
    "start": "see that its driver is of the same CUDA version (nvidia-smi, or gban-edge info)",
    "read": "export the model file again with this version of gban-edge (gban-edge export)",
    "take the shapes of": "use other --buckets",
    "build an engine of": (
        "free memory of the GPU or limit the builder's (--workspace 256), and see all that it says "
        "with --verbose"
    ),
}


def failed(machine: Machine, what: str, path: Path, told: Log) -> RuntimeError:
    """The error for a step of :data:`CURES` that failed, with TensorRT's own first words."""
    reason = told.errors[0].strip() if told.errors else "it did not say why"
    return RuntimeError(
        f"{machine.module} {machine.version} could not {what} {path}: {reason}; {CURES[what]}"
    )
