"""The CUDA engine on a GPU: run by benchmarks/gpu_check.sh, as tests/test_gpu.py is."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from engine_policy import LIMITS, assert_like_gold, random_batch, random_model
from helpers import speech_like
from runtime_models import make_model

from gban_edge import EmotionRecognizer
from gban_edge.config import GBANConfig
from gban_edge.core import native

pytestmark = pytest.mark.gpu

CONFIGS = {
    "authors": GBANConfig(vocabulary=50),
    "H=256": GBANConfig(vocabulary=50, hidden=256),
    "two layers": GBANConfig(vocabulary=50, lstm_layers=2),
    "no table": GBANConfig(vocabulary=60000, embedding=20),  # over 256 MiB in float32
}


@pytest.fixture(scope="module", autouse=True)
def _gpu():
    assert torch.cuda.is_available(), "these tests need a GPU"
    assert native().cuda_built(), "these tests need a build with CUDA (GBAN_CUDA=1)"


def same(a, b):
    return all(np.array_equal(x[name], y[name]) for x, y in zip(a, b, strict=True) for name in x)


@pytest.mark.parametrize("precision", LIMITS)
@pytest.mark.parametrize("name", CONFIGS)
def test_ragged_utterances_against_float64(name, precision, tmp_path):
    config = CONFIGS[name]
    model, path = random_model(tmp_path, config, seed=1)
    engine = native().CudaEngine(path, precision)
    assert engine.has_table == (name != "no table" or precision == "fp16")
    for seed, (count, frames, words) in enumerate(
        [(1, 747, 20), (1, 0, 0), (1, 61, 1), (9, 747, 40), (3, 200, 3), (1, 796, 512)]
    ):
        batch = random_batch(config, seed, count, frames, words)
        assert_like_gold(model, engine.run(*batch), batch, precision)


@pytest.mark.parametrize("wait", ["spin", "block"])
def test_every_result_is_of_its_own_run(wait, tmp_path):
    """Thousands of runs in turn: a result that is read too early is the one of the run before."""
    config = CONFIGS["authors"]
    path = random_model(tmp_path, config, seed=2)[1]
    engine = native().CudaEngine(path, "fp32", 0, wait)
    assert engine.prepare(747, 20) == 4
    batches = [random_batch(config, seed, 1, 200, 20) for seed in range(5)]
    batches.append(random_batch(config, 9, 6, 700, 20))
    first = [engine.run(*batch) for batch in batches]
    for turn in range(5000):
        i = turn % len(batches)
        assert same(engine.run(*batches[i]), first[i]), f"run {turn}"


def test_threads_take_turns(tmp_path):
    config = CONFIGS["authors"]
    path = random_model(tmp_path, config, seed=3)[1]
    engine = native().CudaEngine(path)
    batches = [random_batch(config, seed, 1 + seed % 3, 300, 20) for seed in range(8)]
    alone = [engine.run(*batch) for batch in batches]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(100):
            together = list(pool.map(lambda batch: engine.run(*batch), batches))
            assert all(same(x, y) for x, y in zip(together, alone, strict=True))


def test_a_device_that_is_not_there(tmp_path):
    path = random_model(tmp_path, CONFIGS["authors"], seed=4)[1]
    with pytest.raises(RuntimeError, match=r"on device 99 failed: .*; use backend cpu"):
        native().CudaEngine(path, "fp32", 99)


def utterances():
    """Sound of any kind and its words: usual, none, cut, too short for a step, 16-bit."""
    sound = speech_like(np.random.default_rng(5), 130000).astype(np.float32)
    return [
        (sound[:40000], "w2 w3 who w5"), (sound[:120000], " ".join(f"w{i}" for i in range(2, 22))),
        (sound[:9000], ""), (sound[:0], "w9"), (sound, "w7 w8 w2"), (sound[:300], "w4"),
        ((32767 * sound[:20000]).astype(np.int16), "w11 w12"),
    ]  # fmt: skip


@pytest.mark.parametrize("precision", LIMITS)
def test_the_recognizer_answers_as_on_the_cpu(precision, tmp_path):
    path = make_model(tmp_path / "x.safetensors", CONFIGS["authors"]).path
    on_gpu = EmotionRecognizer.from_pretrained(path, "cuda", precision=precision)
    on_cpu = EmotionRecognizer.from_pretrained(path, "cpu")
    assert on_gpu.backend.startswith(f"cuda {precision} ")
    assert EmotionRecognizer.from_pretrained(path, precision=precision).backend == on_gpu.backend
    near = {"abs": LIMITS[precision]}
    for (sound, words), batched in zip(
        utterances(), on_gpu.recognize_batch(utterances()), strict=True
    ):
        theirs = on_cpu(sound, words)
        greatest = sorted(theirs.probabilities.values())[-2:]
        for ours in (on_gpu(sound, words), on_gpu.stream().push(sound).finish(words), batched):
            assert ours.probabilities == pytest.approx(theirs.probabilities, **near)
            assert ours.contributions == pytest.approx(theirs.contributions, **near)
            assert ours.speech_weights == pytest.approx(theirs.speech_weights, **near)
            assert ours.text_weights == pytest.approx(theirs.text_weights, **near)
            assert [w.word for w in ours.alignment] == [w.word for w in theirs.alignment]
            assert (ours.seconds, ours.notes) == (theirs.seconds, theirs.notes)
            assert ours.label == theirs.label or greatest[1] - greatest[0] < 2 * LIMITS[precision]
