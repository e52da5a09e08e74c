"""The network on the CPU: the core's engine (csrc/include/gban/engine.h)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from gban_edge.core import native
from gban_edge.runtime.backend import Floats, Ids, ModelFile, OfFile, Output, output_of


class CpuBackend(OfFile):
    """The network of ``file`` with its weights packed for this processor's instruction set.

    Args:
        precision: how weights are stored, "fp32", "fp16" or "int8"; sums are fp32 always.
        threads: how many a call may use, the calling one included.

    Raises:
        ValueError: an unknown precision, threads below 1, or a network that the engine does not
            run; names those that it does.
    """

    def __init__(self, file: ModelFile, precision: str = "fp32", threads: int = 1) -> None:
        if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
            raise ValueError(f"threads must be an integer of at least 1, got {threads!r}")
        self._engine: Any = native().Engine(os.fsencode(file.path), precision)
        super().__init__(file)
        self._threads = threads

    @property
    def name(self) -> str:
        return f"cpu {self._engine.precision} {self._engine.isa}"

    def run(self, features: Sequence[Floats], ids: Sequence[Ids]) -> list[Output]:
        """As :meth:`Backend.run`; no result depends on the threads or on who shares the call."""
        return [
            output_of(one) for one in self._engine.run(list(features), list(ids), self._threads)
        ]
