"""The recogniser's CUDA backend, on kernels that run on the CPU."""

import threading

import numpy as np
import pytest
from emulated import emulated_module
from helpers import SMALL, speech_like
from runtime_models import make_model

from gban_edge import EmotionRecognizer
from gban_edge.config import GBANConfig
from gban_edge.runtime import cuda as cuda_backend

# Against the CPU's fp32, of the utterances below: measured 9.8e-7 and 3.0e-4.
TOLERANCES = {"fp32": 1e-5, "fp16": 1e-3}
# A batch's sums are made in another order than a single utterance's: measured 3.0e-7.
BATCHED = 1e-5
PCM = speech_like(np.random.default_rng(0), 40000).astype(np.float32)
UTTERANCES = [(PCM, "w2 w3 who w5"), (PCM[:9000], ""), (PCM[:0], "w9"), (PCM[:30000], "w7 w8 w2")]


class Core:
    """The core as it would be built with CUDA, with one GPU."""

    CudaEngine = emulated_module().CudaEngine

    def cuda_built(self):
        return True

    def cuda_devices(self):
        return {"driver": 13000, "reason": "", "found": [{"name": "Emulated GPU"}]}


@pytest.fixture(autouse=True)
def a_gpu(monkeypatch):
    monkeypatch.setattr(cuda_backend, "native", Core)
    emulated_module().find_device()
    yield
    emulated_module().find_device()


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("cuda") / "x.safetensors", GBANConfig(vocabulary=30))


@pytest.mark.parametrize("precision", TOLERANCES)
def test_it_answers_as_the_cpu_does(model, precision):
    on_gpu = EmotionRecognizer.from_pretrained(model.path, precision=precision)
    assert on_gpu.backend == f"cuda {precision} Emulated GPU"
    assert on_gpu.backend_reason == "cuda: Emulated GPU was found"
    on_cpu = EmotionRecognizer.from_pretrained(model.path, "cpu")
    near = {"abs": TOLERANCES[precision]}
    for (sound, words), batched in zip(UTTERANCES, on_gpu.recognize_batch(UTTERANCES), strict=True):
        ours, theirs = on_gpu(sound, words), on_cpu(sound, words)
        assert ours.probabilities == pytest.approx(theirs.probabilities, **near)
        assert ours.contributions == pytest.approx(theirs.contributions, **near)
        np.testing.assert_allclose(
            ours.speech_weights, theirs.speech_weights, atol=TOLERANCES[precision]
        )
        assert [word.word for word in ours.alignment] == [word.word for word in theirs.alignment]
        assert (ours.label, ours.seconds, ours.notes) == (
            theirs.label,
            theirs.seconds,
            theirs.notes,
        )
        assert batched.probabilities == pytest.approx(ours.probabilities, abs=BATCHED)
        assert batched.label == ours.label


def test_from_several_threads(model):
    recognizer = EmotionRecognizer.from_pretrained(model.path, "cuda")
    alone = [recognizer(*utterance).probabilities for utterance in UTTERANCES]
    found = {}

    def work(n):
        found[n] = [recognizer(*utterance).probabilities for utterance in UTTERANCES]

    threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[n] for n in range(3)] == [alone] * 3


def test_networks_that_it_does_not_run_go_to_the_cpu(tmp_path):
    for name in ("h_s", "gmu"):
        path = make_model(tmp_path / f"{name}.safetensors", SMALL, name).path
        recognizer = EmotionRecognizer.from_pretrained(path)
        assert recognizer.backend.startswith("cpu fp32 ")
        assert recognizer.backend_reason.startswith("cuda: ")
        assert name in recognizer.backend_reason
        with pytest.raises(RuntimeError, match=r"^backend cuda cannot run: "):
            EmotionRecognizer.from_pretrained(path, "cuda")


def test_a_device_that_is_lost_is_an_error_that_says_so(model):
    recognizer = EmotionRecognizer.from_pretrained(model.path, "cuda")
    emulated_module().lose_device()
    for _ in range(2):
        with pytest.raises(RuntimeError, match=r"(?i)cuda|device"):
            recognizer(*UTTERANCES[0])


def test_how_to_wait_is_one_of_two(model):
    file = cuda_backend.ModelFile.read(model.path)
    assert cuda_backend.CudaBackend(file, wait="block").name == "cuda fp32 Emulated GPU"
    with pytest.raises(ValueError, match="wait must be one of spin, block, got 'sleep'"):
        cuda_backend.CudaBackend(file, wait="sleep")
