"""The part of TensorRT's Python module that runs an engine: it refuses what the real one refuses,
and its kernels are the exported ONNX file in ONNX Runtime, on the addresses that were bound.

A plan is a few bytes of JSON, a line end, and the ONNX file.
"""

from __future__ import annotations

import ctypes
import enum
import json
import weakref
from typing import Any

import numpy as np
import onnxruntime
from fake_driver import FakeLibrary

MAGIC, ALIGNMENT = "fake plan", 256
SCRATCH = 3000


class DataType(enum.Enum):
    FLOAT = 0
    HALF = 1
    INT32 = 3


class ExecutionContextAllocationStrategy(enum.Enum):
    STATIC = 0
    ON_PROFILE_CHANGE = 1
    USER_MANAGED = 2


class ILogger:
    class Severity(enum.IntEnum):
        INTERNAL_ERROR = 0
        ERROR = 1
        WARNING = 2
        INFO = 3
        VERBOSE = 4


def plan_of(onnx: bytes, buckets: tuple[tuple[int, int], ...], **changes: Any) -> bytes:
    """``changes``: names (of tensors, by the real ones) and kinds (of types, by name)."""
    return json.dumps({"magic": MAGIC, "buckets": buckets, **changes}).encode() + b"\n" + onnx


class Registry:
    def __init__(self) -> None:
        self.loaded: list[str] = []

    def load_library(self, path: str) -> object:
        assert path not in self.loaded
        self.loaded.append(path)
        return object()

    def get_creator(self, name: str, version: str, namespace: str) -> object | None:
        assert (name in ("BiLSTM", "AlignPool"), version, namespace) == (True, "1", "gban_edge")
        return object() if self.loaded else None


class FakeTensorRT:
    """The module.

    Attributes:
        alive: runtimes, engines and execution contexts that exist.
        fail: the calls that fail, by name, "create_execution_context" and so on; a number says
            which of its calls.
        capture: what a capture does: "works", "is refused", "is invalidated", or "is undone",
            which the driver alone reports.
        nan: the network's values are not finite.
    """

    ILogger, DataType = ILogger, DataType
    ExecutionContextAllocationStrategy = ExecutionContextAllocationStrategy

    def __init__(self, library: FakeLibrary, name: str = "tensorrt", version: str = "10.3.0"):
        self.__name__, self.__version__, self.library = name, version, library
        self.alive: weakref.WeakSet[Any] = weakref.WeakSet()
        self.fail: dict[str, int] = {}
        self.capture, self.nan = "works", False
        self.registry = Registry()

    def get_plugin_registry(self) -> Registry:
        return self.registry

    def Runtime(self, logger: Any) -> Runtime:  # noqa: N802
        assert isinstance(logger, ILogger)
        if self.fails("Runtime"):
            raise TypeError("pybind11::init(): factory function returned nullptr")
        return Runtime(self, logger)

    def fails(self, call: str) -> bool:
        if call not in self.fail:
            return False
        self.fail[call] -= 1
        return self.fail[call] == 0


class Runtime:
    def __init__(self, trt: FakeTensorRT, logger: Any) -> None:
        self.trt, self.logger = trt, logger
        trt.alive.add(self)

    def error(self, words: str) -> None:
        self.logger.log(ILogger.Severity.ERROR, words)

    def deserialize_cuda_engine(self, plan: bytes) -> Engine | None:
        assert self.trt.library.current, "no context is current"
        head, _, onnx = bytes(plan).partition(b"\n")
        if MAGIC.encode() not in head:
            self.error("Serialization assertion magicTag failed.")
            return None
        return Engine(self, json.loads(head), onnx)


class Engine:
    def __init__(self, runtime: Runtime, head: dict[str, Any], onnx: bytes) -> None:
        self.runtime, self.trt = runtime, runtime.trt
        self.buckets = head["buckets"]
        self.names, self.kinds = head.get("names", {}), head.get("kinds", {})
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        self.network = onnxruntime.InferenceSession(
            onnx, options, providers=["CPUExecutionProvider"]
        )
        self.inputs = {one.name: one for one in self.network.get_inputs()}
        self.outputs = {one.name: one for one in self.network.get_outputs()}
        self.profiles: set[int] = set()
        self.trt.alive.add(self)

    @property
    def num_io_tensors(self) -> int:
        return len(self.inputs) + len(self.outputs)

    @property
    def num_optimization_profiles(self) -> int:
        return len(self.buckets)

    @property
    def device_memory_size_v2(self) -> int:
        return SCRATCH

    def get_tensor_name(self, index: int) -> str:
        name = [*self.inputs, *self.outputs][index]
        return self.names.get(name, name)

    def get_tensor_dtype(self, name: str) -> DataType:
        kind = {**self.inputs, **self.outputs}[name].type
        named = {"tensor(float)": "FLOAT", "tensor(int32)": "INT32"}[kind]
        return DataType[self.kinds.get(name, named)]

    def create_execution_context(self, strategy: Any) -> Execution | None:
        assert strategy is ExecutionContextAllocationStrategy.USER_MANAGED
        assert self.trt.library.current, "no context is current"
        if self.trt.fails("create_execution_context"):
            self.runtime.error("Requested amount of GPU memory could not be allocated.")
            return None
        kind = CapturableExecution if self.trt.__name__ == "tensorrt_rtx" else Execution
        return kind(self)


class Execution:
    def __init__(self, engine: Engine) -> None:
        self.engine, self.trt, self.library = engine, engine.trt, engine.trt.library
        self.profile: int | None = None
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.addresses: dict[str, int] = {}
        self.scratch = 0
        self.has_run = False
        self.trt.alive.add(self)

    def refused(self, words: str) -> bool:
        self.engine.runtime.error(words)
        return False

    def set_optimization_profile_async(self, index: int, stream: int) -> bool:
        assert stream in self.library.streams
        taken = index in self.engine.profiles or index not in range(len(self.engine.buckets))
        if taken or self.trt.fails("set_optimization_profile_async"):
            self.refused("Optimization profile is in use.")
            raise RuntimeError("Error in set optimization profile async.")
        self.engine.profiles.add(index)
        self.profile, self.shapes = index, {}
        return True

    def set_device_memory(self, address: int, size: int) -> None:
        assert size >= SCRATCH
        assert self.library.holds(address, size)
        self.scratch = address

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        assert isinstance(shape, tuple)
        if self.profile is None:
            return self.refused("An optimization profile must be set first.")
        if name not in self.engine.inputs:
            return self.refused(f"{name} is not an input")
        frames, words = self.engine.buckets[self.profile]
        sizes = {"B": 1, "N": frames, "M": words}
        wanted = tuple(sizes.get(n, n) for n in self.engine.inputs[name].shape)
        if shape != wanted:
            return self.refused(f"Supplied shape {shape} of {name} is not in the profile {wanted}.")
        self.shapes[name] = shape
        return True

    def set_tensor_address(self, name: str, address: int) -> bool:
        assert address % ALIGNMENT == 0
        assert address
        if name not in self.engine.inputs and name not in self.engine.outputs:
            return self.refused(f"{name} is not a tensor")
        self.addresses[name] = address
        return not self.trt.fails("set_tensor_address")

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        if len(self.shapes) < len(self.engine.inputs):
            return (-1,) * len(self.engine.outputs[name].shape)
        return self.computed(self.zeros())[name].shape

    def zeros(self) -> dict[str, np.ndarray]:
        kinds = {DataType.FLOAT: np.float32, DataType.INT32: np.int32}
        return {
            name: np.zeros(shape, kinds[self.engine.get_tensor_dtype(name)])
            for name, shape in self.shapes.items()
        }

    def computed(self, values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        names = list(self.engine.outputs)
        return dict(zip(names, self.engine.network.run(names, values), strict=True))

    def execute_async_v3(self, handle: int) -> bool:
        stream = self.library.streams[handle]
        assert self.library.current, "no context is current"
        if self.library.lost or self.trt.fails("execute_async_v3"):
            return self.refused("Cuda Runtime (unspecified launch failure)")
        if set(self.shapes) != set(self.engine.inputs) or not self.scratch:
            return self.refused("Input dimensions or device memory are not set.")
        if set(self.addresses) != {*self.engine.inputs, *self.engine.outputs}:
            return self.refused("Address is not set for some tensor.")
        if stream.drawn is not None and self.trt.capture != "works":
            stream.invalid = self.trt.capture != "is refused"
            return self.trt.capture == "is undone" or self.refused("Cannot capture a copy.")
        assert stream.drawn is None or self.has_run, "run once before the capture"
        self.has_run = True
        stream.add(self.compute)
        return True

    def compute(self) -> None:
        """What the kernels do when their turn comes."""
        values = self.zeros()
        for name, value in values.items():
            assert self.library.holds(self.addresses[name], value.nbytes)
            ctypes.memmove(value.ctypes.data, self.addresses[name], value.nbytes)
        ctypes.memset(self.scratch, 0xAB, SCRATCH)
        for name, value in self.computed(values).items():
            made = np.ascontiguousarray(np.full_like(value, np.nan) if self.trt.nan else value)
            assert self.library.holds(self.addresses[name], made.nbytes)
            ctypes.memmove(self.addresses[name], made.ctypes.data, made.nbytes)


class CapturableExecution(Execution):
    """TensorRT-RTX's, which says beforehand."""

    def is_stream_capturable(self, stream: int) -> bool:
        assert stream in self.library.streams
        return self.trt.capture == "works"
