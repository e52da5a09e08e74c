"""The network on a GPU: the core's CUDA engine, one graph of kernels an utterance."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from gban_edge.core import native
from gban_edge.runtime.backend import (
    WAITS,
    Floats,
    Ids,
    ModelFile,
    OfFile,
    Output,
    output_of,
)


def unavailable(device: int = 0) -> str | None:
    """Why GPU number ``device`` cannot be used, with the cure; None where it can.

    Raises:
        ValueError: there are GPUs, but not so many.

    >>> unavailable() is None or isinstance(unavailable(), str)
    True
    """
    core = native()
    if not core.cuda_built():
        return (
            "not built in (GBAN_CUDA=0); put nvcc on the PATH and install anew: "
            "GBAN_CUDA=1 pip install ."
        )
    if not hasattr(core, "CudaEngine"):
        return "the core has no CUDA engine; install it anew: GBAN_CUDA=1 pip install ."
    devices = core.cuda_devices()
    found = devices["found"]
    if not devices["driver"]:
        return "no GPU driver; install NVIDIA's"
    if not found:
        return f"no GPU found ({devices['reason']})"
    if not 0 <= device < len(found):
        raise ValueError(f"device must lie in 0..{len(found) - 1}, got {device}")
    return None


def open_cuda(
    file: ModelFile, precision: str, device: int, wait: str = "spin"
) -> CudaBackend | str:
    """The backend, or why it cannot run ``file``'s network here; ValueError for the device."""
    reason = unavailable(device)
    if reason is not None:
        return reason
    try:
        return CudaBackend(file, precision, device, wait)
    except (ValueError, RuntimeError) as error:
        return str(error)


class CudaBackend(OfFile):
    """The network of ``file`` on GPU number ``device``.

    Args:
        precision: how weights are stored, "fp32" or "fp16".
        wait: "spin" for the shortest latency at the cost of a busy core, or "block".

    Raises:
        ValueError: a network, a precision or sizes that the engine does not run.
        RuntimeError: the device is missing or has too little memory, in CUDA's words.
    """

    def __init__(
        self, file: ModelFile, precision: str = "fp32", device: int = 0, wait: str = "spin"
    ) -> None:
        if wait not in WAITS:
            raise ValueError(f"wait must be one of {', '.join(WAITS)}, got {wait!r}")
        core = native()
        self._engine: Any = core.CudaEngine(os.fsencode(file.path), precision, device, wait)
        super().__init__(file)
        self._precision = precision
        self.gpu: str = core.cuda_devices()["found"][device]["name"]

    @property
    def name(self) -> str:
        return f"cuda {self._precision} {self.gpu}"

    def run(self, features: Sequence[Floats], ids: Sequence[Ids]) -> list[Output]:
        """As :meth:`Backend.run`; calls from several threads take turns."""
        return [output_of(one) for one in self._engine.run(list(features), list(ids))]
