"""The network on a GPU through TensorRT, from an engine that gban-edge built and nothing else."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from gban_edge.runtime.backend import WAITS, Floats, Ids, OfFile, Output
from gban_edge.runtime.cuda_context import Context
from gban_edge.runtime.cuda_driver import CudaError, Driver, Gpu
from gban_edge.runtime.cuda_driver import driver as this_driver
from gban_edge.runtime.engine_file import EngineFile, file_digest
from gban_edge.runtime.ragged import checked
from gban_edge.runtime.tensorrt_session import Session, Slot


def unavailable(device: int = 0, module: str = "auto") -> str | None:
    """Why TensorRT cannot be used on GPU number ``device``, with the cure; None where it can.

    Args:
        module: "tensorrt", "tensorrt_rtx", or "auto": the first of these that is installed.

    Raises:
        ValueError: another module, or there are GPUs, but not so many.

    >>> unavailable() is None or isinstance(unavailable(), str)
    True
    """
    from gban_edge.deploy.tensorrt_module import find

    try:
        this_driver().check_device(device)
        find(module)
    except RuntimeError as error:
        return str(error)
    return None


def open_tensorrt(
    path: Path,
    *,
    device: int = 0,
    wait: str = "spin",
    trt: Any = None,
    driver: Driver | None = None,
) -> TensorRTBackend:
    """The backend of an engine (.engine), or of an ONNX file (.onnx) through the engine cache.

    For an ONNX file the engine in the cache is taken if it is this machine's and up to date, else
    one is built, for GPU 0, which takes a minute or more.

    Raises:
        FileNotFoundError: no such file.
        ValueError: neither of the two, a file that gban-edge did not write, or a damaged one.
        RuntimeError: no TensorRT or no GPU; an engine of another machine or version, which is
            not loaded; or what TensorRT fails with. Says the cure.
    """
    if path.suffix == ".onnx":
        from gban_edge.deploy.tensorrt_cache import engine_for

        file = engine_for(path)
    elif path.suffix == ".engine":
        file = EngineFile.read(path)
    else:
        raise ValueError(f"backend tensorrt reads an .engine or an .onnx file, got {path}")
    return TensorRTBackend(file, device, wait, trt, driver)


class TensorRTBackend(OfFile):
    """The network of an engine on GPU number ``device``.

    Everything is allocated, run once and captured here, one CUDA graph a length bucket; an
    utterance costs two small copies, a launch and the wait. It is padded to the smallest bucket
    that takes it; no value depends on what was there before.

    Args:
        wait: "spin" for the shortest latency at the cost of a busy core, or "block".
        trt: the Python module; by default the one that built the engine.
        driver: by default this machine's.

    Attributes:
        engine: the file and what its sidecar says.
        gpu: the GPU.
        precision: "fp32" or "fp16".
        no_graph: why TensorRT is asked anew for every utterance of some bucket, which is slower;
            None where each bucket has its graph, as it should.

    Raises:
        ValueError: an unknown ``wait`` or device, or an engine that is not what its sidecar says.
        RuntimeError: as :func:`open_tensorrt`.
    """

    def __init__(
        self,
        engine: EngineFile,
        device: int = 0,
        wait: str = "spin",
        trt: Any = None,
        driver: Driver | None = None,
    ) -> None:
        if wait not in WAITS:
            raise ValueError(f"wait must be one of {', '.join(WAITS)}, got {wait!r}")
        super().__init__(engine.facts)
        self.engine, self.precision, self._wait = engine, engine.facts.precision, wait
        driver = driver or this_driver()
        self.gpu = driver.check_device(device)
        if trt is None:
            from gban_edge.deploy.tensorrt_module import find

            trt = find(engine.key.module).trt
        check_machine(engine, trt, self.gpu)
        self._session = Session(engine, trt, Context(driver, device))
        self._finalizer = weakref.finalize(self, _close_quietly, self._session)
        reasons = [slot.no_graph for slot in self._session.slots if slot.no_graph is not None]
        self.no_graph: str | None = reasons[0] if reasons else None

    @property
    def name(self) -> str:
        graph = "" if self.no_graph is None else ", no graph"
        return f"{self.engine.key.module} {self.precision} {self.gpu.name}{graph}"

    def run(self, features: Sequence[Floats], ids: Sequence[Ids]) -> list[Output]:
        """As :meth:`Backend.run`; utterances one after another, and calls from several threads take
        turns. ValueError too for an utterance beyond the last bucket, before any is run."""
        self._session.check_open()
        work = [
            (self._slot(len(frames), len(words)), frames, words)
            for frames, words in checked(features, ids, self.config)
        ]
        return self._session.run(work, self._wait)

    def close(self) -> None:
        """Free everything now, and not with this object; a second call does nothing.

        Raises:
            CudaError: the driver's first error, after all was freed that could be.
        """
        self._finalizer.detach()
        self._session.close()

    def _slot(self, frames: int, words: int) -> Slot:
        fitting = [slot for slot in self._session.slots if slot.takes(frames, words)]
        if fitting:
            return min(fitting, key=lambda slot: slot.bucket)
        most = self.engine.key.buckets[-1]
        raise ValueError(
            f"an utterance of {frames} frames and {words} words is beyond the engine's last "
            f"bucket, {most[0]} frames and {most[1]} words; build it with larger --buckets, the "
            f"last at least {max(frames, most[0])}x{max(words, most[1])}"
        )


def check_machine(engine: EngineFile, trt: Any, gpu: Gpu) -> None:
    """That ``engine`` was built for this TensorRT, GPU and plugin library; then load the library.

    Raises:
        RuntimeError: it was not, and must not be loaded: says what differs and the cure; or the
            plugin library is missing.
    """
    from gban_edge.deploy import tensorrt_plugin

    library = tensorrt_plugin.library(engine.facts)
    now = replace(
        engine.key,
        tensorrt=str(trt.__version__),
        module=trt.__name__,
        gpu=gpu.name,
        capability="{}.{}".format(*gpu.capability),
        plugin=file_digest(library) if library else "",
    )
    stale = engine.key.difference(now)
    if stale is not None:
        raise RuntimeError(
            f"{engine.path} is not loaded: {stale}; build it anew on this machine: gban-edge build "
            f"FILE.onnx -o {engine.path}"
        )
    if library is not None:
        tensorrt_plugin.load(trt, library)


def _close_quietly(session: Session) -> None:
    with suppress(CudaError):  # nobody is there to be told
        session.close()
