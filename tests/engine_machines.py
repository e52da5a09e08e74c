"""Machines for tests of engine building: which TensorRT, GPU and plugin library they have."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import fake_tensorrt

from gban_edge.deploy import tensorrt_module, tensorrt_plugin

ORIN, HOPPER = ("Orin", (8, 7)), ("NVIDIA H200", (9, 0))


class Machines:
    """What the code finds here, as a test sets it; nothing at first."""

    def __init__(self, monkeypatch: Any) -> None:
        self.patch = monkeypatch
        self.library: Path | None = None
        for name in tensorrt_module.MODULES:
            monkeypatch.setitem(sys.modules, name, None)  # as if not installed
        monkeypatch.setattr(tensorrt_module, "_jetpack", lambda: None)
        monkeypatch.setattr(tensorrt_module, "_cuda", lambda module: None)
        libraries: Any = ModuleType("plugin_library")
        libraries.find = lambda: self.library
        libraries.missing = lambda: "no libgban_edge_tensorrt.so: build it"
        monkeypatch.setitem(sys.modules, "gban_edge.deploy.plugin_library", libraries)
        self.gpu(None)

    def gpu(self, found: tuple[str, tuple[int, int]] | None) -> None:
        """The GPU of the machine."""
        driver: Any = ModuleType("cuda_driver")

        def gpus() -> list[Any]:
            if found is None:
                raise RuntimeError("libcuda.so.1 is not here")
            return [SimpleNamespace(name=found[0], capability=found[1], memory=1 << 33)]

        driver.gpus = gpus
        self.patch.setitem(sys.modules, "gban_edge.runtime.cuda_driver", driver)

    def tensorrt(
        self, version: str, gpu: tuple[str, tuple[int, int]] | None = ORIN, name: str = "tensorrt"
    ) -> Any:
        """A fake TensorRT of that version, and a GPU for it."""
        fake = fake_tensorrt.make(version, name)
        self.patch.setitem(sys.modules, name, fake)
        self.gpu(gpu)
        return fake

    def opening(self, fake: Any, creators: set[tuple[str, str, str]], error: str = "") -> list[str]:
        """Opening a library registers ``creators``, or fails; returns what was opened."""
        opened: list[str] = []

        def dlopen(path: str, mode: int | None = None) -> object:
            if error:
                raise OSError(error)
            if mode is not None:  # RTLD_NOLOAD: only if it is open
                if path not in opened:
                    raise OSError("not loaded")
                return object()
            opened.append(path)
            fake.get_plugin_registry().known.update(creators)
            return object()

        self.patch.setattr(tensorrt_plugin, "ctypes", SimpleNamespace(CDLL=dlopen))
        return opened
