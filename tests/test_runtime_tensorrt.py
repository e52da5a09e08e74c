"""TensorRT's backend, on a driver and a TensorRT in Python whose kernels are the exported ONNX."""

import subprocess
import threading
from dataclasses import replace

import numpy as np
import pytest
from engine_policy import assert_like_gold, random_batch
from fake_trt_runtime import FakeTensorRT
from trt_machine import BUCKETS, SMALL, Machine, Place

from gban_edge.config import GBANConfig
from gban_edge.deploy import tensorrt_cache, tensorrt_module
from gban_edge.runtime import engine_file, tensorrt
from gban_edge.runtime.tensorrt import TensorRTBackend, open_tensorrt

PLUGIN = GBANConfig(vocabulary=20, embedding=12, text_filters=8, fusion=16, classifier=16)
MAKING = ("cuMemAlloc_v2", "cuMemHostAlloc", "cuStreamCreate", "cuEventCreate",
          "cuGraphInstantiateWithFlags", "cuStreamBeginCapture_v2")  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return Place(tmp_path_factory.mktemp("small"))


@pytest.fixture
def machine():
    made = Machine()
    yield made
    made.close()


def like(results, wanted):
    for one, other in zip(results, wanted, strict=True):
        for name, value in vars(one).items():
            np.testing.assert_array_equal(value, getattr(other, name), err_msg=name)


@pytest.mark.parametrize("wait", ["spin", "block"])
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_it_answers_as_float64_does(tmp_path, machine, precision, wait):
    place = Place(tmp_path, precision=precision)
    backend = machine.open(place.engine, wait=wait)
    assert backend.name == f"tensorrt {precision} Orin"
    assert (backend.precision, backend.no_graph) == (precision, None)
    assert (backend.labels, backend.config) == (place.model.labels, SMALL)
    assert backend.vocabulary.words == place.model.vocabulary.words
    batch = random_batch(SMALL, 5, 40, 321, 40)
    batch[0][:4] = [np.zeros((n, 52), np.float32) for n in (0, 1, 61, 321)]
    batch[1][:4] = [np.arange(m, dtype=np.int32) % 30 for m in (0, 1, 40, 40)]
    used = {backend._slot(len(x), max(1, len(ids))).bucket for x, ids in zip(*batch, strict=True)}
    assert used == set(BUCKETS)
    assert_like_gold(place.model, [vars(one) for one in backend.run(*batch)], batch, precision)


def test_a_plugin_engine_runs_with_its_library(tmp_path, machine, monkeypatch):
    place = Place(tmp_path, PLUGIN, flavour="plugin")
    source, library = tmp_path / "x.c", tmp_path / "plugins.so"
    source.write_text("int x;")
    subprocess.run(["cc", "-shared", "-fPIC", source, "-o", library], check=True)
    monkeypatch.setenv("GBAN_EDGE_TENSORRT", str(library))
    key = replace(place.engine.key, plugin=engine_file.file_digest(library))
    engine = place.written(tmp_path / "p.engine", key)
    backends = [machine.open(engine), machine.open(engine)]
    assert machine.trt.registry.loaded == [str(library)]
    batch = random_batch(PLUGIN, 2, 6, 200, 20)
    for backend in backends:
        assert_like_gold(place.model, [vars(one) for one in backend.run(*batch)], batch, "fp32")
    library.write_bytes(library.read_bytes() + b"\0")
    with pytest.raises(RuntimeError, match=r"plugin library \(sha256\) .* is now"):
        machine.open(engine)
    library.unlink()
    with pytest.raises(FileNotFoundError, match="GBAN_EDGE_TENSORRT must be the path"):
        machine.open(engine)
    monkeypatch.delenv("GBAN_EDGE_TENSORRT")
    monkeypatch.setattr("gban_edge.deploy.plugin_library.find", lambda: None)
    with pytest.raises(RuntimeError, match=r"plugin nodes: no libgban_edge_tensorrt\.so"):
        machine.open(engine)


def test_what_was_there_before_changes_nothing(place, machine):
    backend = machine.open(place.engine)
    batch = random_batch(SMALL, 3, 12, 321, 40)
    alone = backend.run(*batch)
    for slot in backend._session.slots:  # also what no utterance could have left
        slot._arrays["features"][:] = np.nan
        slot._arrays["words"][:] = 2**31 - 1
        for name in ("alpha", "speech_weights", "text_weights", "logits"):
            slot._arrays[name][:] = np.nan
    backwards = backend.run(batch[0][::-1], batch[1][::-1])
    like(alone, backwards[::-1])
    like(alone, [backend.run([x], [ids])[0] for x, ids in zip(*batch, strict=True)])


def test_one_graph_a_bucket_and_nothing_is_made_afterwards(place, machine):
    backend = machine.open(place.engine)
    calls = machine.library.calls
    assert calls["cuGraphInstantiateWithFlags"] == calls["cuGraphUpload"] == len(BUCKETS)
    assert calls["cuMemHostAlloc"] == len(BUCKETS)
    assert calls["cuMemAlloc_v2"] == calls["cuStreamCreate"] == 1
    before, alive = calls.copy(), len(machine.trt.alive)
    assert alive == 2 + len(BUCKETS)
    backend.run(*random_batch(SMALL, 3, 12, 321, 40))
    assert calls["cuGraphLaunch"] - before["cuGraphLaunch"] == 12
    assert [calls[name] - before[name] for name in MAKING] == [0] * len(MAKING)
    assert len(machine.trt.alive) == alive


def test_the_calling_thread_keeps_its_own_context(place, machine):
    machine.library.current.append(77 << 40)
    backend = machine.open(place.engine)
    backend.run(*random_batch(SMALL, 3, 2, 100, 4))
    with pytest.raises(ValueError, match="word id"):
        backend.run([np.zeros((5, 52), np.float32)], [np.array([30])])
    assert machine.library.current == [77 << 40]
    machine.library.current.clear()


def test_results_are_the_callers(place, machine):
    backend = machine.open(place.engine)
    batch = random_batch(SMALL, 3, 3, 100, 4)
    results = backend.run(*batch)
    kept = [{name: value.copy() for name, value in vars(one).items()} for one in results]
    backend.run(*random_batch(SMALL, 4, 3, 100, 4))
    backend.close()
    backend.close()
    for one, values in zip(results, kept, strict=True):
        for name, value in values.items():
            np.testing.assert_array_equal(getattr(one, name), value)
    with pytest.raises(RuntimeError, match=r"fp32plain\.engine has been closed"):
        backend.run(*batch)


def test_from_several_threads(place, machine):
    backend = machine.open(place.engine)
    batches = [random_batch(SMALL, seed, 6, 321, 40) for seed in range(4)]
    alone, found = [backend.run(*batch) for batch in batches], {}

    def work(n):
        found[n] = [backend.run(*batches[n]) for _ in range(3)]

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for n, wanted in enumerate(alone):
        for results in found[n]:
            like(results, wanted)


def test_everything_is_freed(place, machine):
    backend = machine.open(place.engine)
    assert not machine.nothing_is_left()
    backend.close()
    assert machine.nothing_is_left()
    machine.opened.clear()
    TensorRTBackend(place.engine, trt=machine.trt, driver=machine.driver)  # and dropped at once
    del backend
    assert machine.nothing_is_left()
    assert machine.library.calls["cuDevicePrimaryCtxRetain"] == 2


def test_an_utterance_beyond_the_last_bucket(place, machine):
    backend = machine.open(place.engine)
    short, before = np.zeros((9, 52), np.float32), machine.library.calls["cuGraphLaunch"]
    for frames, words in ((322, 1), (10, 41)):
        long = np.zeros((frames, 52), np.float32), np.ones(words, np.int32)
        told = (
            f"an utterance of {frames} frames and {words} words is beyond the engine's last bucket,"
            f" 321 frames and 40 words; .*--buckets.* {max(frames, 321)}x{max(words, 40)}"
        )
        with pytest.raises(ValueError, match=told):
            backend.run([short, long[0]], [np.ones(1, np.int32), long[1]])
    assert machine.library.calls["cuGraphLaunch"] == before


def test_bad_utterances(place, machine):
    backend, ids = machine.open(place.engine), np.ones(2, np.int32)
    bad = np.zeros((9, 52), np.float32)
    bad[3, 7] = -np.inf
    for frames, words, told in (
        (bad, ids, "features must be finite, got -inf at frame 3, feature 7"),
        (bad[:, :51], ids, r"features must have shape \[N, 52\], got \[9, 51\]"),
        (bad[:2], np.array([1, 30]), r"word id must lie in 0\.\.29, got 30 at position 1"),
        (bad[:2], np.ones(513, np.int32), "words must be at most 512, got 513"),
    ):
        with pytest.raises(ValueError, match=f"^{told}"):
            backend.run([frames], [words])
        with pytest.raises(ValueError, match=f"^utterance 1: {told}"):
            backend.run([bad[:2], frames], [ids, words])
    assert backend.run([], []) == []


@pytest.mark.parametrize("capture", ["works", "is refused"])
def test_tensorrt_rtx(place, machine, tmp_path, capture):
    machine.trt = FakeTensorRT(machine.library, "tensorrt_rtx", "1.7.1")
    machine.trt.capture = capture
    key = replace(place.engine.key, module="tensorrt_rtx", tensorrt="1.7.1")
    backend = machine.open(place.written(tmp_path / "r.engine", key))
    reason = None if capture == "works" else "TensorRT-RTX says that its work cannot be captured"
    assert backend.no_graph == reason
    assert backend.name == f"tensorrt_rtx fp32 Orin{'' if reason is None else ', no graph'}"
    batch = random_batch(SMALL, 3, 3, 100, 4)
    assert_like_gold(place.model, [vars(one) for one in backend.run(*batch)], batch, "fp32")


def test_opening_by_path(place, machine, monkeypatch):
    how = {"trt": machine.trt, "driver": machine.driver}
    opened = open_tensorrt(place.engine.path, wait="block", **how)
    machine.opened.append(opened)
    assert opened.engine == place.engine
    asked = []

    def engine_for(path):
        asked.append(path)
        return place.engine

    monkeypatch.setattr(tensorrt_cache, "engine_for", engine_for)
    machine.opened.append(open_tensorrt(place.onnx, **how))
    assert asked == [place.onnx]
    with pytest.raises(
        ValueError, match=r"reads an \.engine or an \.onnx file, got x\.safetensors"
    ):
        open_tensorrt(place.onnx.with_name("x.safetensors").relative_to(place.onnx.parent), **how)
    with pytest.raises(FileNotFoundError, match="does not exist"):
        open_tensorrt(place.onnx.with_suffix(".none.engine"), **how)
    with pytest.raises(ValueError, match="wait must be one of spin, block, got 'sleep'"):
        open_tensorrt(place.engine.path, wait="sleep", **how)
    with pytest.raises(ValueError, match=r"device must lie in 0\.\.1, got 2"):
        open_tensorrt(place.engine.path, device=2, **how)


def test_the_module_is_the_one_that_built_the_engine(place, machine, monkeypatch):
    asked = []

    def find(module):
        asked.append(module)
        return tensorrt_module.Machine(machine.trt, module, "10.3.0", None, "Orin", "8.7")

    monkeypatch.setattr(tensorrt_module, "find", find)
    monkeypatch.setattr(tensorrt, "this_driver", lambda: machine.driver)
    machine.opened.append(TensorRTBackend(place.engine))
    assert asked == ["tensorrt"]
    assert tensorrt.unavailable() is None
    with pytest.raises(ValueError, match="device must lie"):
        tensorrt.unavailable(7)
    machine.library.gpus.clear()
    assert "finds no GPU" in tensorrt.unavailable()
