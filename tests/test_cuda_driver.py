"""CUDA's driver through ctypes, on a library in C that stands for it (tests/fake_cuda.c)."""

import ctypes
import gc
import os
import re
import shutil
import subprocess
import threading
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from helpers import ROOT

from gban_edge.runtime import cuda_driver
from gban_edge.runtime.cuda_context import Context
from gban_edge.runtime.cuda_driver import SIGNATURES, CudaError, Driver, Gpu

KINDS = ("device", "pinned", "stream", "event", "graph", "exec")
# What a whole use of the driver calls, and how often: the calls that make and those that free.
MAKING = {
    "cuDeviceGetCount": 1, "cuDeviceGetName": 1, "cuDeviceGetAttribute": 2,
    "cuDeviceTotalMem_v2": 1, "cuDeviceGet": 3, "cuDevicePrimaryCtxRetain": 1,
    "cuCtxPushCurrent_v2": 1, "cuMemAlloc_v2": 2, "cuMemHostAlloc": 2,
    "cuMemHostGetDevicePointer_v2": 2, "cuStreamCreate": 1, "cuEventCreate": 1,
    "cuMemsetD8Async": 2, "cuStreamBeginCapture_v2": 1, "cuStreamEndCapture": 1,
    "cuGraphInstantiateWithFlags": 1, "cuGraphUpload": 1, "cuGraphLaunch": 2, "cuStreamQuery": 2,
    "cuEventRecord": 1, "cuEventSynchronize": 1, "cuGraphDestroy": 1,
}  # fmt: skip
FREEING = {
    "cuMemFree_v2": 2, "cuMemFreeHost": 2, "cuStreamDestroy_v2": 1, "cuEventDestroy_v2": 1,
    "cuGraphExecDestroy": 1, "cuCtxPopCurrent_v2": 2, "cuDevicePrimaryCtxRelease_v2": 1,
}  # fmt: skip


class Fake:
    """The C library's own functions, beside those of the driver."""

    def __init__(self, path: Path) -> None:
        self.path, self._library = str(path), ctypes.CDLL(str(path))

    def __getattr__(self, name):
        return getattr(self._library, f"fake_{name}")

    def refuse(self, call, nth, code):
        self._library.fake_fail(call.encode(), nth, code)

    def alive(self):
        return {kind: self.live(i) for i, kind in enumerate(KINDS) if self.live(i)}

    def nothing_is_left(self):
        return not self.alive() and self.contexts() == 0 and self.depth() == 0


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    path = tmp_path_factory.mktemp("driver") / "libcuda.so.1"
    command = [os.environ.get("CC", "cc"), "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    subprocess.run([*command, ROOT / "tests/fake_cuda.c", "-o", path], check=True)
    return Fake(path)


@pytest.fixture
def fake(library):
    library.reset()
    yield library
    library.reset()


def use(fake, device=0):
    """Everything once, closed at the end whatever happens before."""
    context = Context(Driver(fake.path), device)
    try:
        with context:
            memories = [context.allocate(100), context.allocate(5000)]
            mapped = [context.mapped(300), context.mapped(7)]
            stream = context.stream()
            stream.clear(memories[0])
            stream.wait("spin")
            graph = stream.capture(lambda: stream.clear(memories[1]))
            graph.launch()
            stream.wait("spin")
            graph.launch()
            stream.wait("block")
            assert all((m.array == 0).all() for m in mapped)
    finally:
        context.close()


def test_the_gpus(fake):
    memory = (1 << 36) + 40
    assert Driver(fake.path).gpus() == [
        Gpu("Orin", (8, 7), memory), Gpu("Thor", (11, 0), memory + 1),
    ]  # fmt: skip


def test_no_driver_and_no_gpu_are_told_with_the_cure(fake, tmp_path, monkeypatch):
    with pytest.raises(RuntimeError, match=r"no NVIDIA driver .*missing\.so.*JetPack.*--gpus all"):
        Driver(str(tmp_path / "missing.so"))
    fake.devices(0)
    with pytest.raises(RuntimeError, match="finds no GPU; CUDA_VISIBLE_DEVICES may hide it"):
        Driver(fake.path).gpus()
    fake.refuse("cuInit", 1, 100)
    with pytest.raises(RuntimeError, match="finds no GPU"):
        Driver(fake.path)
    fake.refuse("cuInit", 1, 803)
    with pytest.raises(RuntimeError, match=r"cannot start \(cuInit failed: fake words.*restart"):
        Driver(fake.path)
    monkeypatch.setitem(SIGNATURES, "cuNewer", ())
    with pytest.raises(RuntimeError, match="has no cuNewer; it is older than CUDA 12"):
        Driver(fake.path)


def test_this_machine_either_has_gpus_or_says_the_cure():
    try:
        told = "GPU" if cuda_driver.gpus() else ""
    except RuntimeError as error:
        told = str(error)
    assert re.search("JetPack|finds no GPU|restart|^GPU$", told)


@pytest.mark.parametrize("device", [-1, 2, True, "0"])
def test_a_device_that_is_not_there(fake, device):
    with pytest.raises(ValueError, match=r"device must lie in 0\.\.1, got"):
        Context(Driver(fake.path), device)
    assert fake.nothing_is_left()


def test_everything_is_freed(fake):
    for device in (0, 1):
        use(fake, device)
        assert fake.nothing_is_left()
    assert fake.launches() == 4


def test_everything_is_freed_with_the_object(fake):
    context = Context(Driver(fake.path))
    with context:
        context.allocate(1), context.mapped(1)
        stream = context.stream()
        memory = context.allocate(1)
        stream.capture(partial(stream.clear, memory))
    assert fake.alive() == {"device": 2, "pinned": 1, "stream": 1, "event": 1, "exec": 1}
    del context, stream
    gc.collect()
    assert fake.nothing_is_left()


@pytest.mark.parametrize(("call", "times"), MAKING.items())
def test_a_call_that_fails_says_so_and_leaks_nothing(fake, call, times):
    for nth in range(1, times + 1):
        fake.reset()
        fake.refuse(call, nth, 719)
        with pytest.raises(CudaError, match=rf"^{call}.* failed: fake words \(CUDA_ERROR_FAKE\)$"):
            use(fake)
        assert fake.nothing_is_left(), (call, nth)
        assert not fake.capturing()


@pytest.mark.parametrize(("call", "times"), FREEING.items())
def test_a_failure_to_free_is_told_after_all_else_is_freed(fake, call, times):
    for nth in range(1, times + 1):
        fake.reset()
        fake.refuse(call, nth, 700)
        with pytest.raises(CudaError, match=f"^{call} failed"):
            use(fake)
        assert fake.nothing_is_left(), (call, nth)


def test_closing_a_lost_context_leaves_the_threads_own_alone(fake):
    mine, other = Context(Driver(fake.path)), Context(Driver(fake.path), 1)
    with mine:
        fake.refuse("cuCtxPushCurrent_v2", 1, 719)
        with pytest.raises(CudaError, match=r"^cuCtxPushCurrent_v2"):
            other.close()
        assert fake.depth() == 1
    mine.close()
    assert fake.nothing_is_left()


def test_every_call_of_the_driver_is_tried(fake):
    asked = {"cuInit", "cuGetErrorName", "cuGetErrorString"}
    assert set(SIGNATURES) == {*MAKING, *FREEING, *asked}


def test_out_of_memory_says_how_much(fake):
    fake.refuse("cuMemAlloc_v2", 2, 2)
    words = r"\(5000 bytes of GPU memory\) failed: out of memory \(CUDA_ERROR_OUT_OF_MEMORY\)"
    with pytest.raises(CudaError, match=words) as told:
        use(fake)
    assert (told.value.call, told.value.code) == ("cuMemAlloc_v2", 2)
    fake.refuse("cuMemHostAlloc", 1, 2)
    with pytest.raises(CudaError, match="300 bytes of pinned memory"):
        use(fake)


def test_an_error_without_words_has_its_number(fake):
    driver = Driver(fake.path)
    fake.refuse("cuGetErrorString", 1, 1)
    assert str(driver.error("cuX", 12345)) == "cuX failed: CUDA error 12345"


def test_what_is_recorded_may_fail(fake):
    context = Context(Driver(fake.path))
    with context:
        stream = context.stream()

        def record():
            stream.clear(context.allocate(1))
            raise KeyError("x")

        with pytest.raises(KeyError):
            stream.capture(record)
        assert not fake.capturing()
        assert "graph" not in fake.alive()
    context.close()
    assert fake.nothing_is_left()


def test_the_gpu_sees_what_the_cpu_writes(fake):
    context = Context(Driver(fake.path))
    with context:
        mapped = context.mapped(64)
        mapped.array.view(np.float32)[:] = 2.5
        assert np.ctypeslib.as_array((ctypes.c_float * 16).from_address(mapped.address))[15] == 2.5
        assert mapped.address % 256 == 0
    context.close()


def test_without_a_context_nothing_works_and_a_closed_one_says_so(fake):
    context = Context(Driver(fake.path))
    with pytest.raises(CudaError, match="cuMemAlloc_v2"):
        context.allocate(8)
    with context:
        pass
    context.close()
    context.close()
    with pytest.raises(RuntimeError, match="the GPU's context is closed"), context:
        pass
    assert fake.nothing_is_left()


def test_threads_each_make_it_their_own(fake):
    context = Context(Driver(fake.path))
    errors = []

    def work():
        try:
            for _ in range(50):
                with context:
                    context.gpu  # noqa: B018
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    with context:
        context.allocate(8)
    context.close()
    assert fake.nothing_is_left()


def test_names_and_arguments_are_those_of_cuda_h(tmp_path):
    """The fake library's functions against the toolkit's header, where there is one."""
    nvcc = Path(shutil.which("nvcc") or "nvcc").resolve()
    places = [nvcc.parent.parent, *sorted(Path("/usr/local").glob("cuda*"), reverse=True)]
    found = [place / "include" for place in places if (place / "include/cuda.h").is_file()]
    if not found:
        pytest.skip("no CUDA toolkit, whose cuda.h the fake is held to")
    include = found[0]
    command = [
        os.environ.get("CC", "cc"), "-DWITH_CUDA_H", f"-I{include}", "-Wmissing-prototypes", "-c",
        ROOT / "tests/fake_cuda.c", "-o", tmp_path / "x.o",
    ]  # fmt: skip
    told = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    unknown = [line for line in told.splitlines() if "no previous prototype" in line]
    assert len(unknown) == 8
    assert all("fake_" in line for line in unknown)
