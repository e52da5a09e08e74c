"""An engine file of a random model, and a machine in Python that runs it."""

from __future__ import annotations

import gc

from engine_policy import random_model
from fake_driver import FakeLibrary
from fake_trt_runtime import FakeTensorRT, plan_of

from gban_edge.config import GBANConfig
from gban_edge.deploy.onnx_export import export
from gban_edge.runtime import engine_file
from gban_edge.runtime.cuda_driver import CudaError, Driver
from gban_edge.runtime.engine_file import EngineKey
from gban_edge.runtime.onnxruntime import OnnxRuntimeBackend
from gban_edge.runtime.tensorrt import TensorRTBackend

SMALL = GBANConfig(vocabulary=30, embedding=12, text_filters=8, hidden=16, fusion=16, classifier=16)
BUCKETS = ((70, 3), (150, 9), (150, 40), (321, 40))


class Place:
    """A model, its engine file, and a machine to run it on."""

    def __init__(self, folder, config=SMALL, precision="fp32", flavour="plain", seed=1):
        self.model, path = random_model(folder, config, seed)
        self.onnx = folder / f"{precision}{flavour}.onnx"
        export(path, self.onnx, precision=precision, flavour=flavour)
        self.facts = OnnxRuntimeBackend(self.onnx).facts
        self.engine = self.written(folder / f"{precision}{flavour}.engine")

    def written(self, path, key=None, facts=None, **changes):
        key = key or EngineKey(
            "10.3.0", "tensorrt", "Orin", "8.7", "", "0" * 64, self.facts.precision, BUCKETS
        )
        plan = plan_of(self.onnx.read_bytes(), changes.pop("buckets", BUCKETS), **changes)
        return engine_file.write(path, plan, key, facts or self.facts, 1.0)


class Machine:
    """A driver and a TensorRT; what it opens is closed at the end of the test."""

    def __init__(self):
        self.library = FakeLibrary()
        self.driver = Driver(self.library)
        self.trt = FakeTensorRT(self.library)
        self.opened = []

    def open(self, engine, **how):
        self.opened.append(TensorRTBackend(engine, trt=self.trt, driver=self.driver, **how))
        return self.opened[-1]

    def nothing_is_left(self):
        gc.collect()
        return self.library.nothing_is_left() and not self.trt.alive

    def close(self):
        """What was opened and is still open; a lost device may say so once more."""
        for backend in self.opened:
            try:
                backend.close()
            except CudaError:
                assert self.library.lost
        self.opened.clear()
