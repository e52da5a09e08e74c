"""Memory, a stream and graphs on one GPU, through its driver (cuda_driver.py)."""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Callable
from ctypes import byref, c_uint64, c_void_p
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gban_edge.runtime.cuda_driver import NOT_READY, CudaError, Driver

DEVICE_MAP = 0x02  # CU_MEMHOSTALLOC_DEVICEMAP
NON_BLOCKING = 0x01  # CU_STREAM_NON_BLOCKING: does not wait for the default stream
BLOCKING_EVENT = 0x01 | 0x02  # CU_EVENT_BLOCKING_SYNC, CU_EVENT_DISABLE_TIMING
# CU_STREAM_CAPTURE_MODE_THREAD_LOCAL, as trtexec has it: what other threads of the process do (a
# camera's, another network's) cannot break the capture, as it would in the global mode; and a call
# of this thread that a graph cannot hold is an error here, which the relaxed mode would let pass.
THREAD_LOCAL = 1
# CUDA_ERROR_STREAM_CAPTURE_* and CUDA_ERROR_CAPTURED_EVENT: the work cannot be a graph, and all
# else is well.
CAPTURE_ERRORS = range(900, 909)


@dataclass(frozen=True)
class Memory:
    """GPU memory: its address there and its bytes."""

    address: int
    size: int


@dataclass(frozen=True, eq=False)
class Mapped:
    """Pinned host memory that the GPU reads and writes in place.

    Attributes:
        array: uint8 [bytes], as the CPU sees it; it must not be used after the context's close.
        address: as the GPU sees it.
    """

    array: NDArray[np.uint8]
    address: int


class _Primary:
    """A GPU's primary context and what is alive on it; it refers to no :class:`Context`."""

    def __init__(self, driver: Driver, device: int) -> None:
        self.driver, self.device = driver, driver.handle(device)
        made = c_void_p()
        driver.call("cuDevicePrimaryCtxRetain", byref(made), self.device)
        self.context: int | None = made.value
        # (the call that frees it, its handle), in the order of their making
        self.alive: list[tuple[str, int | None]] = []

    def push(self) -> None:
        if self.context is None:
            raise RuntimeError("the GPU's context is closed")
        self.driver.call("cuCtxPushCurrent_v2", self.context)

    def pop(self) -> None:
        self.driver.call("cuCtxPopCurrent_v2", byref(c_void_p()))

    def made(self, destroy: str, create: str, out: Any, *arguments: Any, asked: str = "") -> Any:
        """What ``create`` writes to ``out``; ``destroy`` will free it."""
        self.driver.call(create, byref(out), *arguments, asked=asked)
        self.alive.append((destroy, out.value))
        return out.value

    def free(self) -> CudaError | None:
        """Free everything, the last made first; the first error, after all was tried."""
        if self.context is None:
            return None
        errors = [self._tried("cuCtxPushCurrent_v2", self.context)]
        pushed = errors[0] is None
        errors += [self._tried(destroy, handle) for destroy, handle in reversed(self.alive)]
        if pushed:  # else it would be the thread's own that goes
            errors.append(self._tried("cuCtxPopCurrent_v2", byref(c_void_p())))
        errors.append(self._tried("cuDevicePrimaryCtxRelease_v2", self.device))
        self.alive.clear()
        self.context = None
        return next((error for error in errors if error is not None), None)

    def _tried(self, name: str, argument: Any) -> CudaError | None:
        try:
            self.driver.call(name, argument)
        except CudaError as error:
            return error
        return None


class Context:
    """GPU number ``device``'s primary context, the one that TensorRT uses, and what is made on it.

    Calls go between ``with context:``, which makes it the calling thread's and gives that thread
    back the one that it had. Everything is freed by :meth:`close`, or with this object.

    Raises:
        ValueError: there are GPUs, but not so many.
        CudaError: the driver has no context to give, as when memory is short.
    """

    def __init__(self, driver: Driver, device: int = 0) -> None:
        self.gpu = driver.check_device(device)
        self._primary = _Primary(driver, device)
        self._finalizer = weakref.finalize(self, self._primary.free)

    def __enter__(self) -> Context:
        self._primary.push()
        return self

    def __exit__(self, *_: object) -> None:
        self._primary.pop()

    def allocate(self, size: int) -> Memory:
        """GPU memory of ``size`` bytes, at least 1; what is in it is undefined."""
        asked = f"{size} bytes of GPU memory"
        out = c_uint64()
        address = self._primary.made("cuMemFree_v2", "cuMemAlloc_v2", out, size, asked=asked)
        return Memory(address, size)

    def mapped(self, size: int) -> Mapped:
        """Zeros, ``size`` bytes, at least 1. Orin and later keep it in the CPU's caches."""
        asked = f"{size} bytes of pinned memory"
        host = self._primary.made(
            "cuMemFreeHost", "cuMemHostAlloc", c_void_p(), size, DEVICE_MAP, asked=asked
        )
        address = c_uint64()
        self._primary.driver.call("cuMemHostGetDevicePointer_v2", byref(address), host, 0)
        array = np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(host))
        array[:] = 0
        return Mapped(array, address.value)

    def stream(self) -> Stream:
        return Stream(self._primary)

    def close(self) -> None:
        """Free everything; a second call does nothing.

        Raises:
            CudaError: the first of the driver's errors, after all was tried.
        """
        self._finalizer.detach()
        error = self._primary.free()
        if error is not None:
            raise error


class Stream:
    """Work in order on a context, apart from the default stream.

    Attributes:
        handle: the CUstream, which is the runtime API's cudaStream_t.
    """

    def __init__(self, primary: _Primary) -> None:
        self._primary, self._driver = primary, primary.driver
        self.handle: int = primary.made(
            "cuStreamDestroy_v2", "cuStreamCreate", c_void_p(), NON_BLOCKING
        )
        self._event = primary.made("cuEventDestroy_v2", "cuEventCreate", c_void_p(), BLOCKING_EVENT)

    def clear(self, memory: Memory) -> None:
        """Zero ``memory``."""
        self._driver.call("cuMemsetD8Async", memory.address, 0, memory.size, self.handle)

    def done(self) -> bool:
        """Whether all work is finished; CudaError where it failed."""
        code = self._driver.result("cuStreamQuery", self.handle)
        if code not in (0, NOT_READY):
            raise self._driver.error("cuStreamQuery", code)
        return code == 0

    def wait(self, how: str) -> None:
        """Return when all work is finished: "spin" watches for it, "block" sleeps until then."""
        if how == "spin":
            while not self.done():
                pass
        else:
            self._driver.call("cuEventRecord", self._event, self.handle)
            self._driver.call("cuEventSynchronize", self._event)

    def capture(self, record: Callable[[], None]) -> Graph:
        """The work that ``record`` puts on this stream, as a graph; it does not run.

        Raises:
            CudaError: with a code of CAPTURE_ERRORS where the work cannot be a graph.
        """
        self._driver.call("cuStreamBeginCapture_v2", self.handle, THREAD_LOCAL)
        drawn = c_void_p()
        try:
            try:
                record()
            except BaseException:
                self._driver.result("cuStreamEndCapture", self.handle, byref(drawn))
                raise
            self._driver.call("cuStreamEndCapture", self.handle, byref(drawn))
            return Graph(self._primary, self, drawn.value)
        finally:
            if drawn.value is not None:
                self._driver.call("cuGraphDestroy", drawn.value)


class Graph:
    """Captured work, ready on the GPU."""

    def __init__(self, primary: _Primary, stream: Stream, drawn: int | None) -> None:
        self._driver, self._stream = primary.driver, stream.handle
        self._graph = primary.made(
            "cuGraphExecDestroy", "cuGraphInstantiateWithFlags", c_void_p(), drawn, 0
        )
        self._driver.call("cuGraphUpload", self._graph, self._stream)

    def launch(self) -> None:
        """Put it on the stream that it was captured from."""
        self._driver.call("cuGraphLaunch", self._graph, self._stream)
