"""A Python module that looks like `tensorrt` of one version and notes what is called on it.

Names, arguments and results are those of NVIDIA/TensorRT's bindings at the tags v10.3.0, v10.16 and
v11.1 (python/src/infer/pyCore.cpp, pyGraph.cpp, pyPlugin.cpp, python/src/parsers/pyOnnx.cpp). As
with pybind11, an attribute that a class does not have cannot be set. Only what a builder of an ONNX
file could want is here, with what a later version has dropped, so that using it fails a test.
"""

from __future__ import annotations

from enum import IntEnum
from types import ModuleType, SimpleNamespace
from typing import Any

from gban_edge.runtime.onnx_facts import INPUTS, OUTPUTS

VERSIONS = ("10.3.0", "10.16.2.10", "11.1.0.106")


class Severity(IntEnum):
    INTERNAL_ERROR, ERROR, WARNING, INFO, VERBOSE = range(5)


class ILogger:
    Severity = Severity

    def __init__(self) -> None:
        self.ready = True  # a derived class that forgets ILogger.__init__ is no logger


class Bound:
    """What pybind11 makes of a class without dynamic attributes."""

    settable: tuple[str, ...] = ()

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self.settable:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        object.__getattribute__(self, "_set")(name, value)

    def _make(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)


class Memory:
    """IHostMemory: a buffer that bytes() copies."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def __bytes__(self) -> bytes:
        return self.data


class Profile(Bound):
    def __init__(self, calls: list[Any]) -> None:
        self._make(calls=calls, shapes={})

    def set_shape(self, input: str, min: Any, opt: Any, max: Any) -> None:
        for kind in (min, opt, max):
            assert isinstance(kind, tuple)
            assert all(type(n) is int for n in kind)
        self.shapes[input] = (min, opt, max)


class Config(Bound):
    settable = ("profiling_verbosity", "builder_optimization_level")

    def __init__(self, fake: Any) -> None:
        self._make(fake=fake, profiles=[], timing=None)
        self._make(profiling_verbosity="LAYER_NAMES_ONLY", builder_optimization_level=3)

    def _set(self, name: str, value: Any) -> None:
        self.fake.calls.append((name, value))

    def clear_flag(self, flag: Any) -> None:
        self.fake.calls.append(("clear_flag", flag))

    def set_flag(self, flag: Any) -> None:
        self.fake.calls.append(("set_flag", flag))

    def set_memory_pool_limit(self, pool: Any, pool_size: int) -> None:
        self.fake.calls.append(("set_memory_pool_limit", pool, pool_size))

    def add_optimization_profile(self, profile: Profile) -> int:
        if self.fake.behave.refuses_shapes:
            return -1
        self.profiles.append(profile.shapes)
        return len(self.profiles) - 1

    def create_timing_cache(self, serialized_timing_cache: bytes) -> Any:
        self.fake.calls.append(("create_timing_cache", bytes(serialized_timing_cache)))
        if serialized_timing_cache == b"damaged":
            self.fake.say(Severity.ERROR, "the timing cache is damaged")
            return None
        return SimpleNamespace(
            loaded=serialized_timing_cache, serialize=lambda: Memory(b"timings of now")
        )

    def set_timing_cache(self, cache: Any, ignore_mismatch: bool) -> bool:
        self._make(timing=cache)
        return cache.loaded != b"of another GPU"

    def get_timing_cache(self) -> Any:
        return self.timing


class Network(Bound):
    def __init__(self, fake: Any, flags: int) -> None:
        self._make(fake=fake, flags=flags, num_inputs=0, num_outputs=0, num_layers=0)

    def get_input(self, index: int) -> Any:
        return SimpleNamespace(name=self.fake.behave.inputs[index])

    def get_output(self, index: int) -> Any:
        return SimpleNamespace(name=OUTPUTS[index])

    def get_layer(self, index: int) -> Any:
        kinds = self.fake.LayerType
        plugins = self.fake.behave.plugin_layers
        return SimpleNamespace(type=kinds.PLUGIN_V3 if index < plugins else kinds.CONVOLUTION)


class Builder(Bound):
    fake: Any

    def __init__(self, logger: Any) -> None:
        assert isinstance(logger, ILogger)
        assert logger.ready
        if self.fake.behave.no_builder:
            logger.log(Severity.ERROR, "CUDA initialization failure with error: 35")
            raise TypeError("pybind11::init(): factory function returned nullptr")
        self.fake.loggers.append(logger)

    def create_network(self, flags: int = 0) -> Network:
        self.fake.calls.append(("create_network", flags))
        return Network(self.fake, flags)

    def create_builder_config(self) -> Config:
        self.fake.calls.append(("create_builder_config",))
        return Config(self.fake)

    def create_optimization_profile(self) -> Profile:
        return Profile(self.fake.calls)

    def build_serialized_network(self, network: Network, config: Config) -> Memory | None:
        self.fake.calls.append(("build_serialized_network", config.profiles))
        self.fake.behave.meanwhile()
        for severity, message in self.fake.behave.says:
            self.fake.say(severity, message)
        return None if self.fake.behave.build_fails else Memory(self.fake.behave.plan)


class OnnxParser(Bound):
    fake: Any

    def __init__(self, network: Network, logger: Any) -> None:
        self._make(network=network, num_errors=0)

    def parse(self, model: bytes, path: str | None = None) -> bool:
        behave = self.fake.behave
        self.fake.calls.append(("parse", len(model)))
        if behave.parse_error is not None:
            self._make(num_errors=1)
            return False
        self.network._make(num_inputs=len(behave.inputs), num_outputs=len(OUTPUTS), num_layers=9)
        return True

    def get_error(self, index: int) -> Any:
        told = self.fake.behave.parse_error
        return SimpleNamespace(
            desc=lambda: told, node_operator=lambda: "AlignPool", node_name=lambda: "a/b_7"
        )


class Registry(Bound):
    def __init__(self, fake: Any) -> None:
        self._make(fake=fake, known=set())

    def get_creator(self, type: str, version: str, plugin_namespace: str = "") -> Any:
        return object() if (type, version, plugin_namespace) in self.known else None

    def load_library(self, plugin_path: str) -> Any:
        self.fake.calls.append(("load_library", plugin_path))
        self.known.update(self.fake.behave.creators_by_registry)
        return object()


def make(version: str, name: str = "tensorrt") -> Any:
    """A module of ``version``. ``calls`` is what was called on it, ``behave`` how it answers."""
    fake: Any = ModuleType(name)
    old = version.startswith("10.")
    fake.__version__ = version
    fake.calls, fake.loggers = [], []
    fake.behave = SimpleNamespace(
        inputs=INPUTS, plugin_layers=2, parse_error=None, says=[], build_fails=False,
        refuses_shapes=False, no_builder=False, plan=b"a plan", creators_by_registry=set(),
        meanwhile=lambda: None,
    )  # fmt: skip
    fake.say = lambda severity, message: fake.loggers[-1].log(severity, message)
    fake.ILogger = ILogger
    # The flag is number 1 in 10.x, after EXPLICIT_BATCH, and 0 in 11.x, where that is gone.
    flags = {"EXPLICIT_BATCH": 0, "STRONGLY_TYPED": 1} if old else {"STRONGLY_TYPED": 0}
    fake.NetworkDefinitionCreationFlag = IntEnum("NetworkDefinitionCreationFlag", flags)
    weak = {"FP16": 0, "INT8": 1} if old else {}
    fake.BuilderFlag = IntEnum("BuilderFlag", {**weak, "TF32": 7})
    verbosity = {"LAYER_NAMES_ONLY": 0, "NONE": 1, "DETAILED": 2}
    fake.ProfilingVerbosity = IntEnum("ProfilingVerbosity", verbosity)
    fake.MemoryPoolType = IntEnum("MemoryPoolType", {"WORKSPACE": 0, "TACTIC_DRAM": 4})
    fake.LayerType = IntEnum("LayerType", {"CONVOLUTION": 0, "PLUGIN_V3": 46})
    fake.Builder = type("Builder", (Builder,), {"fake": fake})
    fake.OnnxParser = type("OnnxParser", (OnnxParser,), {"fake": fake})
    registry = Registry(fake)
    fake.get_plugin_registry = lambda: registry
    return fake
