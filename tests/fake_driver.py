"""libcuda.so.1 in Python, for the TensorRT backend's tests: memory is the process's, and what is
put on a stream runs when somebody waits for it, so that a result read too early is wrong.

tests/fake_cuda.c, which is C, is what holds the calls' arguments to CUDA's.
"""

from __future__ import annotations

import ctypes
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

from gban_edge.runtime.cuda_driver import SIGNATURES

OUT_OF_MEMORY, NO_CONTEXT, BAD_HANDLE, NOT_READY, LOST, INVALIDATED = 2, 201, 400, 600, 719, 901
WORDS = {OUT_OF_MEMORY: b"out of memory", LOST: b"unspecified launch failure"}
FREE_OF_CONTEXT = ("cuInit", "cuGetError", "cuDevice", "cuCtx")


class Stream:
    """Attributes: pending, what has not run; drawn, what is captured, None unless capturing."""

    def __init__(self) -> None:
        self.pending: list[Callable[[], None]] = []
        self.drawn: list[Callable[[], None]] | None = None
        self.invalid = False
        self.asked = 0

    def add(self, work: Callable[[], None]) -> None:
        (self.pending if self.drawn is None else self.drawn).append(work)

    def finish(self) -> None:
        while self.pending:
            self.pending.pop(0)()


class Function:
    """A function of the library, whose types can be set as ctypes has it."""

    argtypes: Any = None
    restype: Any = None

    def __init__(self, library: FakeLibrary, name: str) -> None:
        self.library, self.name = library, name

    def __call__(self, *arguments: Any) -> int:
        return self.library.called(self.name, arguments)


class FakeLibrary:
    """What libcuda.so.1 exports, of what is used.

    Attributes:
        gpus: name and compute capability of each.
        memory: of each address that is allocated, its kind and bytes.
        calls: how often each function was called.
        lost: every call but the errors' words fails.
    """

    def __init__(self) -> None:
        self.gpus = [("Orin", (8, 7)), ("Thor", (11, 0))]
        self.memory: dict[int, Any] = {}
        self.streams: dict[int, Stream] = {}
        self.graphs: dict[int, list[Callable[[], None]]] = {}
        self.events: dict[int, Stream | None] = {}
        self.contexts = 0
        self.calls: Counter[str] = Counter()
        self.lost = False
        self._refused: dict[str, tuple[int, int]] = {}
        self._handles = 1 << 40
        self._threads = threading.local()
        for name in SIGNATURES:
            setattr(self, name, Function(self, name))

    def refuse(self, name: str, nth: int, code: int) -> None:
        """Have the nth call of ``name`` from now on fail."""
        self._refused[name] = (self.calls[name] + nth, code)

    @property
    def current(self) -> list[int]:
        """The calling thread's contexts."""
        if not hasattr(self._threads, "stack"):
            self._threads.stack = []
        return self._threads.stack

    def nothing_is_left(self) -> bool:
        alive = (self.memory, self.streams, self.graphs, self.events)
        return not any(alive) and self.contexts == 0 and not self.current

    def holds(self, address: int, size: int) -> bool:
        """Whether ``size`` bytes there are allocated."""
        return any(
            start <= address and address + size <= start + ctypes.sizeof(buffer)
            for start, buffer in self.memory.items()
        )

    def called(self, name: str, arguments: tuple[Any, ...]) -> int:
        assert len(arguments) == len(SIGNATURES[name]), name
        self.calls[name] += 1
        count, code = self._refused.get(name, (0, 0))
        told = code if count == self.calls[name] else 0
        if self.lost and not name.startswith("cuGetError"):
            told = LOST
        frees = "Free" in name or "Destroy" in name or "Release" in name
        if told and not frees and name not in ("cuStreamEndCapture", "cuCtxPopCurrent_v2"):
            return told
        if not name.startswith(FREE_OF_CONTEXT) and not self.current:
            return NO_CONTEXT
        try:
            return getattr(self, f"_{name}")(*arguments) or told
        except KeyError:
            return BAD_HANDLE

    def _handle(self) -> int:
        self._handles += 16
        return self._handles

    def _cuInit(self, flags):  # noqa: N802
        assert flags == 0

    def _cuGetErrorString(self, code, text):  # noqa: N802
        text._obj.value = WORDS.get(code, b"fake words")

    def _cuGetErrorName(self, code, text):  # noqa: N802
        text._obj.value = b"CUDA_ERROR_FAKE"

    def _cuDeviceGetCount(self, count):  # noqa: N802
        count._obj.value = len(self.gpus)

    def _cuDeviceGet(self, device, number):  # noqa: N802
        device._obj.value = number + 40

    def _cuDeviceGetName(self, name, size, device):  # noqa: N802
        name.value = self.gpus[device - 40][0].encode()

    def _cuDeviceGetAttribute(self, value, attribute, device):  # noqa: N802
        value._obj.value = self.gpus[device - 40][1][attribute - 75]

    def _cuDeviceTotalMem_v2(self, size, device):  # noqa: N802
        size._obj.value = 1 << 36

    def _cuDevicePrimaryCtxRetain(self, context, device):  # noqa: N802
        self.contexts += 1
        context._obj.value = device << 40

    def _cuDevicePrimaryCtxRelease_v2(self, device):  # noqa: N802
        self.contexts -= 1

    def _cuCtxPushCurrent_v2(self, context):  # noqa: N802
        self.current.append(context)

    def _cuCtxPopCurrent_v2(self, context):  # noqa: N802
        context._obj.value = self.current.pop()

    def _allocated(self, size):
        """Its address, a multiple of 4096 as CUDA's are, with something in it."""
        assert size > 0
        whole = (ctypes.c_uint8 * (size + 4096))()
        address = -(-ctypes.addressof(whole) // 4096) * 4096
        buffer = (ctypes.c_uint8 * size).from_buffer(whole, address - ctypes.addressof(whole))
        ctypes.memset(address, 0xCD, size)
        self.memory[address] = buffer
        return address

    def _cuMemAlloc_v2(self, address, size):  # noqa: N802
        address._obj.value = self._allocated(size)

    def _cuMemFree_v2(self, address):  # noqa: N802
        del self.memory[address]

    def _cuMemHostAlloc(self, at, size, flags):  # noqa: N802
        assert flags == 2
        at._obj.value = self._allocated(size)

    def _cuMemFreeHost(self, at):  # noqa: N802
        del self.memory[at]

    def _cuMemHostGetDevicePointer_v2(self, address, at, flags):  # noqa: N802
        assert at in self.memory
        address._obj.value = at

    def _cuMemsetD8Async(self, address, value, size, stream):  # noqa: N802
        assert self.holds(address, size)
        self.streams[stream].add(lambda: ctypes.memset(address, value, size))

    def _cuStreamCreate(self, stream, flags):  # noqa: N802
        assert flags == 1
        stream._obj.value = self._handle()
        self.streams[stream._obj.value] = Stream()

    def _cuStreamDestroy_v2(self, stream):  # noqa: N802
        del self.streams[stream]

    def _cuStreamQuery(self, stream):  # noqa: N802
        work = self.streams[stream]
        work.asked += 1
        if work.pending and work.asked % 3:
            return NOT_READY
        return work.finish()

    def _cuStreamBeginCapture_v2(self, stream, mode):  # noqa: N802
        assert mode == 1
        assert self.streams[stream].drawn is None
        self.streams[stream].drawn, self.streams[stream].invalid = [], False

    def _cuStreamEndCapture(self, stream, graph):  # noqa: N802
        drawn, self.streams[stream].drawn = self.streams[stream].drawn, None
        if self.streams[stream].invalid:
            return INVALIDATED
        graph._obj.value = self._handle()
        self.graphs[graph._obj.value] = drawn

    def _cuEventCreate(self, event, flags):  # noqa: N802
        assert flags == 3
        event._obj.value = self._handle()
        self.events[event._obj.value] = None

    def _cuEventDestroy_v2(self, event):  # noqa: N802
        del self.events[event]

    def _cuEventRecord(self, event, stream):  # noqa: N802
        self.events[event] = self.streams[stream]

    def _cuEventSynchronize(self, event):  # noqa: N802
        self.events[event].finish()

    def _cuGraphInstantiateWithFlags(self, made, graph, flags):  # noqa: N802
        assert flags == 0
        assert self.graphs[graph], "an empty graph"
        made._obj.value = self._handle()
        self.graphs[made._obj.value] = self.graphs[graph]

    def _cuGraphUpload(self, graph, stream):  # noqa: N802
        assert graph in self.graphs
        assert stream in self.streams

    def _cuGraphLaunch(self, graph, stream):  # noqa: N802
        for work in self.graphs[graph]:
            self.streams[stream].add(work)

    def _cuGraphExecDestroy(self, graph):  # noqa: N802
        del self.graphs[graph]

    def _cuGraphDestroy(self, graph):  # noqa: N802
        del self.graphs[graph]
