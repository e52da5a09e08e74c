"""The CUDA driver's own library (libcuda.so.1) through ctypes: which GPUs there are, and its calls.

It comes with the driver, so that running an engine needs no CUDA toolkit and no other package.
What is allocated and launched is in cuda_context.py.
"""

from __future__ import annotations

import ctypes
from ctypes import POINTER, c_char_p, c_int, c_size_t, c_ubyte, c_uint, c_uint64, c_void_p
from dataclasses import dataclass
from functools import cache
from typing import Any

NAME = "libcuda.so.1"
OUT_OF_MEMORY, NO_DEVICE, NOT_READY = 2, 100, 600
MAJOR, MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_*

_OUT = POINTER(c_void_p)  # where a handle is written
# The names that the library exports, which cuda.h hides behind macros; they and their arguments are
# the same in CUDA 12.6 and 13. cuGraphInstantiate without a suffix is CUDA 10's, with five
# arguments; today's is cuGraphInstantiateWithFlags (since 11.4).
SIGNATURES: dict[str, tuple[Any, ...]] = {
    "cuInit": (c_uint,),
    "cuGetErrorName": (c_int, POINTER(c_char_p)),
    "cuGetErrorString": (c_int, POINTER(c_char_p)),
    "cuDeviceGetCount": (POINTER(c_int),),
    "cuDeviceGet": (POINTER(c_int), c_int),
    "cuDeviceGetName": (c_char_p, c_int, c_int),
    "cuDeviceGetAttribute": (POINTER(c_int), c_int, c_int),
    "cuDeviceTotalMem_v2": (POINTER(c_size_t), c_int),
    "cuDevicePrimaryCtxRetain": (_OUT, c_int),
    "cuDevicePrimaryCtxRelease_v2": (c_int,),
    "cuCtxPushCurrent_v2": (c_void_p,),
    "cuCtxPopCurrent_v2": (_OUT,),
    "cuMemAlloc_v2": (POINTER(c_uint64), c_size_t),
    "cuMemFree_v2": (c_uint64,),
    "cuMemHostAlloc": (_OUT, c_size_t, c_uint),
    "cuMemFreeHost": (c_void_p,),
    "cuMemHostGetDevicePointer_v2": (POINTER(c_uint64), c_void_p, c_uint),
    "cuMemsetD8Async": (c_uint64, c_ubyte, c_size_t, c_void_p),
    "cuStreamCreate": (_OUT, c_uint),
    "cuStreamDestroy_v2": (c_void_p,),
    "cuStreamQuery": (c_void_p,),
    "cuStreamBeginCapture_v2": (c_void_p, c_int),
    "cuStreamEndCapture": (c_void_p, _OUT),
    "cuEventCreate": (_OUT, c_uint),
    "cuEventDestroy_v2": (c_void_p,),
    "cuEventRecord": (c_void_p, c_void_p),
    "cuEventSynchronize": (c_void_p,),
    "cuGraphInstantiateWithFlags": (_OUT, c_void_p, c_uint64),
    "cuGraphUpload": (c_void_p, c_void_p),
    "cuGraphLaunch": (c_void_p, c_void_p),
    "cuGraphExecDestroy": (c_void_p,),
    "cuGraphDestroy": (c_void_p,),
}


class CudaError(RuntimeError):
    """A call of the driver failed.

    Attributes:
        call: its name.
        code: its CUresult.
    """

    def __init__(self, call: str, code: int, words: str, asked: str = "") -> None:
        super().__init__(f"{call}{asked and f' ({asked})'} failed: {words}")
        self.call, self.code = call, code


@dataclass(frozen=True)
class Gpu:
    """What the driver says of a GPU.

    Attributes:
        name: "Orin".
        capability: its compute capability, (8, 7).
        memory: bytes; on a Jetson the board's, which the CPU shares.
    """

    name: str
    capability: tuple[int, int]
    memory: int


class Driver:
    """The library, initialised.

    Args:
        library: its path, or an object with its functions.

    Raises:
        RuntimeError: there is no driver, it is too old, or it finds no GPU; says so with the cure.
    """

    def __init__(self, library: Any = NAME) -> None:
        if isinstance(library, str):
            library = _loaded(library)
        self._functions = {}
        for name, arguments in SIGNATURES.items():
            try:
                function = getattr(library, name)
            except AttributeError:
                raise RuntimeError(
                    f"NVIDIA's driver has no {name}; it is older than CUDA 12: update the driver "
                    "(JetPack 6 on a Jetson)"
                ) from None
            function.argtypes, function.restype = arguments, c_int
            self._functions[name] = function
        try:
            self.call("cuInit", 0)
        except CudaError as error:
            if error.code == NO_DEVICE:
                raise _no_gpu() from error
            raise RuntimeError(
                f"NVIDIA's driver cannot start ({error}); a driver that was just updated needs a "
                "restart, and a process that was forked after its parent used CUDA must be spawned"
            ) from error

    def call(self, name: str, *arguments: Any, asked: str = "") -> None:
        """Call ``name``; ``asked`` says in an error's message what for.

        Raises:
            CudaError: it returned anything but success.
        """
        code = self._functions[name](*arguments)
        if code != 0:
            raise self.error(name, code, asked)

    def error(self, name: str, code: int, asked: str = "") -> CudaError:
        """That ``name`` returned ``code``, in the driver's words."""
        return CudaError(name, code, self._words(code), asked)

    def result(self, name: str, *arguments: Any) -> int:
        """The CUresult of ``name``, for those that say more than success and failure."""
        return self._functions[name](*arguments)

    def gpus(self) -> list[Gpu]:
        """The GPUs by number, at least one.

        Raises:
            RuntimeError: there is none; says the cure.
        """
        count = c_int()
        self.call("cuDeviceGetCount", ctypes.byref(count))
        if count.value < 1:
            raise _no_gpu()
        return [self._gpu(i) for i in range(count.value)]

    def check_device(self, device: int) -> Gpu:
        """GPU number ``device``.

        Raises:
            ValueError: there are GPUs, but not so many.
            RuntimeError: there is none.
        """
        found = self.gpus()
        if (
            isinstance(device, bool)
            or not isinstance(device, int)
            or device not in range(len(found))
        ):
            raise ValueError(f"device must lie in 0..{len(found) - 1}, got {device!r}")
        return found[device]

    def handle(self, device: int) -> int:
        """The driver's CUdevice of GPU number ``device``."""
        made = c_int()
        self.call("cuDeviceGet", ctypes.byref(made), device)
        return made.value

    def _gpu(self, device: int) -> Gpu:
        handle = self.handle(device)
        name, memory = ctypes.create_string_buffer(256), c_size_t()
        self.call("cuDeviceGetName", name, len(name), handle)
        self.call("cuDeviceTotalMem_v2", ctypes.byref(memory), handle)
        capability = self._attribute(MAJOR, handle), self._attribute(MINOR, handle)
        return Gpu(name.value.decode(errors="replace"), capability, memory.value)

    def _attribute(self, attribute: int, handle: int) -> int:
        value = c_int()
        self.call("cuDeviceGetAttribute", ctypes.byref(value), attribute, handle)
        return value.value

    def _words(self, code: int) -> str:
        """The driver's words for an error: "out of memory (CUDA_ERROR_OUT_OF_MEMORY)"."""
        told = []
        for name in ("cuGetErrorString", "cuGetErrorName"):
            text = c_char_p()
            if self._functions[name](code, ctypes.byref(text)) != 0 or text.value is None:
                return f"CUDA error {code}"
            told.append(text.value.decode(errors="replace"))
        return f"{told[0]} ({told[1]})"


@cache
def driver() -> Driver:
    """This machine's driver; errors are :class:`Driver`'s and are not remembered."""
    return Driver()


def gpus() -> list[Gpu]:
    """This machine's GPUs by number, at least one.

    Raises:
        RuntimeError: no driver or no GPU; says which and the cure.
    """
    return driver().gpus()


def _loaded(path: str) -> Any:
    try:
        return ctypes.CDLL(path)  # which releases the GIL while a function runs
    except OSError as error:
        raise RuntimeError(
            f"no NVIDIA driver ({error}); install it (on a Jetson it comes with JetPack), and "
            "start a container with --runtime nvidia or --gpus all"
        ) from None


def _no_gpu() -> RuntimeError:
    return RuntimeError(
        "NVIDIA's driver finds no GPU; CUDA_VISIBLE_DEVICES may hide it, a container needs "
        "--runtime nvidia or --gpus all, and a user on a Jetson the group video"
    )
