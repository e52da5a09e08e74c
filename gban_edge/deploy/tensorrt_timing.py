"""TensorRT's timing cache: what it measured of kernels, so that the next build need not."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gban_edge.deploy.tensorrt_log import Log
from gban_edge.deploy.tensorrt_module import Machine
from gban_edge.files import write_bytes

VARIABLE = "GBAN_EDGE_CACHE"


def cache_folder() -> Path:
    """Where engines and timing caches are kept: $GBAN_EDGE_CACHE, or ~/.cache/gban-edge/engines."""
    named = os.environ.get(VARIABLE)
    return Path(named).expanduser() if named else Path.home() / ".cache" / "gban-edge" / "engines"


@dataclass(frozen=True)
class TimingCache:
    """The cache of one TensorRT version on one kind of GPU.

    Attributes:
        path: its file; None where there is none to keep: TensorRT-RTX measures on the device when
            it runs, and its bindings call these methods deprecated.
    """

    path: Path | None

    @classmethod
    def of(cls, machine: Machine, folder: Path) -> TimingCache:
        """That of ``machine``, in ``folder``."""
        if machine.module != "tensorrt":
            return cls(None)
        name = f"timing-{machine.version}-{machine.gpu}-{machine.capability}"
        return cls(folder / (re.sub(r"[^A-Za-z0-9.-]+", "_", name) + ".cache"))

    def give(self, config: Any, told: Log) -> None:
        """Have the builder use it; one that it cannot use is said and begun anew."""
        if self.path is None:
            return
        try:
            stored = self.path.read_bytes()
        except OSError:  # none yet; a folder that cannot be used is told by keep
            stored = b""
        before = len(told.errors)
        if stored and not _set(config, stored):
            del told.errors[before:]  # no error of the build: only time is lost
            told.warnings.append(f"timing cache {self.path} could not be used: begun anew")
            stored = b""
        if not stored:
            _set(config, b"")

    def keep(self, config: Any, told: Log) -> None:
        """Write what the builder knows now, whole; the engine is good where that fails."""
        known = config.get_timing_cache() if self.path is not None else None
        if self.path is None or known is None:
            return
        try:
            write_bytes(self.path, bytes(known.serialize()))
        except OSError as error:
            told.warnings.append(f"timing cache {self.path} could not be written ({error})")


def _set(config: Any, stored: bytes) -> bool:
    timings = config.create_timing_cache(stored)
    return timings is not None and bool(config.set_timing_cache(timings, False))
