"""The CUDA engine on a GPU: run by benchmarks/gpu_check.sh, as tests/test_gpu.py is."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from engine_policy import LIMITS, assert_like_gold, random_batch, random_model

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
