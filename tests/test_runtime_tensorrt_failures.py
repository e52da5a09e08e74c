"""What TensorRT's backend does where an engine, the memory or the GPU is not as it should be."""

import platform
import re
import sys
from dataclasses import replace

import fake_trt_runtime
import pytest
from engine_policy import assert_like_gold, random_batch
from trt_machine import BUCKETS, SMALL, Machine, Place

from gban_edge.deploy import tensorrt_module
from gban_edge.runtime import engine_file, tensorrt
from gban_edge.runtime.cuda_driver import CudaError
from gban_edge.runtime.tensorrt import TensorRTBackend, open_tensorrt


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return Place(tmp_path_factory.mktemp("small"))


@pytest.fixture
def machine():
    made = Machine()
    yield made
    made.close()


STALE = {
    "TensorRT 10.3.0 is now 10.16.2": {"version": "10.16.2"},
    "Python module tensorrt is now tensorrt_rtx": {"name": "tensorrt_rtx"},
    "GPU Orin is now Thor, compute capability 8.7 is now 11.0": {"device": 1},
    "GPU Orin is now Orin Nano": {"gpu": ("Orin Nano", (8, 7))},
    "compute capability 8.7 is now 8.9": {"gpu": ("Orin", (8, 9))},
}


@pytest.mark.parametrize(("words", "now"), STALE.items())
def test_an_engine_of_another_machine_is_not_loaded(place, machine, words, now):
    machine.library.gpus[0] = now.get("gpu", machine.library.gpus[0])
    machine.trt.__version__ = now.get("version", "10.3.0")
    machine.trt.__name__ = now.get("name", "tensorrt")
    with pytest.raises(RuntimeError, match=f"{words}.*build it anew on this machine: gban-edge bu"):
        machine.open(place.engine, device=now.get("device", 0))
    assert machine.nothing_is_left()


def test_values_that_are_not_finite(place, machine):
    backend, batch = machine.open(place.engine), random_batch(SMALL, 3, 2, 100, 4)
    machine.trt.nan = True
    with pytest.raises(RuntimeError, match="the network's values are not finite"):
        backend.run(*batch)
    machine.trt.nan = False
    assert_like_gold(place.model, [vars(one) for one in backend.run(*batch)], batch, "fp32")


NO_GRAPH = {
    "is refused": "could not run an utterance .*Cannot capture a copy",
    "is invalidated": "could not run an utterance .*Cannot capture a copy",
    "is undone": r"could not capture its work .*it did not say why \(cuStreamEndCapture failed",
}


@pytest.mark.parametrize(("capture", "words"), NO_GRAPH.items())
def test_without_a_graph_it_runs_and_says_so(place, machine, capture, words):
    machine.trt.capture = capture
    backend, batch = machine.open(place.engine), random_batch(SMALL, 3, 5, 321, 40)
    assert backend.name == "tensorrt fp32 Orin, no graph"
    assert re.search(f"{words}.*: gban-edge export --flavour plugin$", backend.no_graph)
    assert_like_gold(place.model, [vars(one) for one in backend.run(*batch)], batch, "fp32")
    assert not machine.library.graphs
    machine.trt.fail["execute_async_v3"] = 2
    with pytest.raises(RuntimeError, match=r"tensorrt 10\.3\.0 could not run an utterance"):
        backend.run(*batch)


@pytest.mark.parametrize(
    ("call", "times"),
    {"cuDevicePrimaryCtxRetain": 1, "cuMemAlloc_v2": 1, "cuMemHostAlloc": 4, "cuStreamCreate": 1,
     "cuEventCreate": 1, "cuGraphInstantiateWithFlags": 4, "cuGraphUpload": 4,
     "cuGraphLaunch": 4}.items(),
)  # fmt: skip
def test_no_memory_at_any_allocation(place, call, times):
    for nth in range(1, times + 1):
        machine = Machine()
        machine.library.refuse(call, nth, 2)
        with pytest.raises(CudaError, match=f"^{call}.* failed: out of memory"):
            machine.open(place.engine)
        assert machine.nothing_is_left(), nth
        machine.open(place.engine).close()


@pytest.mark.parametrize(
    ("call", "times", "words"),
    [("Runtime", 1, "could not start"),
     ("create_execution_context", 4, "could not make an execution context .* GPU memory could not"),
     ("set_optimization_profile_async", 4, "could not take the bucket of .*profile is in use"),
     ("set_tensor_address", 44, "could not take the bucket of .* frames and .* words"),
     # Of each bucket once before the capture, once in it and, there being no graph, once after.
     ("execute_async_v3", 6, "could not run an utterance .*unspecified launch failure")],
)  # fmt: skip
def test_each_failure_of_tensorrt_at_load(place, call, times, words):
    for nth in {1, min(3, times), times}:
        machine = Machine()
        machine.trt.fail[call] = nth
        if call == "execute_async_v3":
            machine.trt.capture = "is refused"  # so that later calls than captures fail, too
        with pytest.raises(RuntimeError, match=rf"^tensorrt 10\.3\.0 {words}"):
            machine.open(place.engine)
        assert machine.nothing_is_left(), nth


def test_a_device_that_is_lost_is_an_error_that_says_so(place, machine):
    backend, batch = machine.open(place.engine), random_batch(SMALL, 3, 2, 100, 4)
    backend.run(*batch)
    machine.library.lost = True
    for _ in range(2):
        with pytest.raises(CudaError, match="unspecified launch failure"):
            backend.run(*batch)
    machine.library.current.append(77 << 40)
    with pytest.raises(CudaError, match="unspecified launch failure"):
        backend.close()
    assert machine.library.current == [77 << 40]
    machine.library.current.clear()
    backend.close()
    assert machine.nothing_is_left()


@pytest.mark.parametrize("call", ["cuGraphLaunch", "cuStreamQuery"])
def test_after_a_failure_the_next_utterance_is_right(place, machine, call):
    backend, batch = machine.open(place.engine), random_batch(SMALL, 3, 4, 321, 40)
    machine.library.refuse(call, 2, 719)
    with pytest.raises(CudaError, match=f"^{call} failed: unspecified launch failure"):
        backend.run(*batch)
    assert_like_gold(place.model, [vars(one) for one in backend.run(*batch)], batch, "fp32")
    assert not machine.library.current


def test_damaged_engines(place, machine, tmp_path):
    engine = place.written(tmp_path / "x.engine")
    engine.path.write_bytes(engine.path.read_bytes()[:-1])
    with pytest.raises(ValueError, match="damaged"):
        open_tensorrt(engine.path, trt=machine.trt, driver=machine.driver)
    with pytest.raises(ValueError, match="damaged"):  # between the reading of the two
        machine.open(engine)
    foreign = engine_file.write(engine.path, b"not a plan", engine.key, place.facts, 1.0)
    told = r"could not read the engine \(.*magicTag failed.*; build it anew: gban-edge build"
    with pytest.raises(RuntimeError, match=told):
        machine.open(foreign)
    assert machine.nothing_is_left()


@pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"),
    reason="tensorrt_rtx has wheels for Linux on x86-64 alone",
)
def test_the_fake_has_no_call_that_the_real_module_lacks(place, machine, tmp_path):
    """TensorRT-RTX's, which starts without a GPU, and refuses what is not a plan."""
    import tensorrt_rtx

    for fake, real, own in (
        (fake_trt_runtime.Runtime, tensorrt_rtx.Runtime, {"error"}),
        (fake_trt_runtime.Engine, tensorrt_rtx.ICudaEngine, set()),
        (fake_trt_runtime.Execution, tensorrt_rtx.IExecutionContext,
         {"refused", "zeros", "computed", "compute"}),
        (fake_trt_runtime.CapturableExecution, tensorrt_rtx.IExecutionContext, set()),
    ):  # fmt: skip
        names = {name for name in vars(fake) if not name.startswith("_")} - own
        assert names <= set(dir(real))
    machine.trt = tensorrt_rtx
    key = replace(place.engine.key, module="tensorrt_rtx", tensorrt=tensorrt_rtx.__version__)
    foreign = engine_file.write(tmp_path / "x.engine", b"not a plan" * 99, key, place.facts, 1.0)
    with pytest.raises(RuntimeError, match=r"^tensorrt_rtx .* read the engine .*magicTag"):
        machine.open(foreign)
    assert machine.library.nothing_is_left()


def test_an_engine_that_is_not_what_its_sidecar_says(place, machine, tmp_path):
    other = replace(place.facts, config=replace(SMALL, fusion=17))
    for told, changes in {
        "dynamic shapes, and the runtime takes": {"key": replace(place.engine.key, buckets=())},
        "must have 4 optimisation profiles.* got 1": {"buckets": BUCKETS[:1]},
        "could not take the bucket of 70 frames": {"buckets": [(71, 3), *BUCKETS[1:]]},
        "inputs and outputs must be .* got .*, sound": {"names": {"alpha": "sound"}},
        "words must be int32, got DataType.FLOAT": {"kinds": {"words": "FLOAT"}},
        r"aligned_gate must have shape \[1, 17\] for 70 frames.* got \[1, 16\]": {"facts": other},
    }.items():
        with pytest.raises((ValueError, RuntimeError), match=told):
            machine.open(place.written(tmp_path / "x.engine", **changes))
        assert machine.nothing_is_left()


def test_where_there_is_no_tensorrt(place, machine, monkeypatch):
    monkeypatch.setattr(tensorrt, "this_driver", lambda: machine.driver)
    monkeypatch.setattr(tensorrt_module, "_imported", lambda name: None)
    assert "not installed: on a Jetson" in tensorrt.unavailable()
    with pytest.raises(RuntimeError, match="tensorrt is not installed: on a Jetson"):
        TensorRTBackend(place.engine)
    assert machine.nothing_is_left()
