"""The CUDA engine on the CPU, from its binding down, against tests/numpy_models.py in float64."""

import numpy as np
import pytest
from emulated import emulated_module
from engine_policy import LIMITS, assert_like_gold, random_batch, random_model

from gban_edge.config import GBANConfig

CONFIG = GBANConfig(
    vocabulary=9, conv_filters=(6, 8), embedding=12, text_filters=8, hidden=32, fusion=16,
    classifier=12,
)  # fmt: skip


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return random_model(tmp_path_factory.mktemp("model"), CONFIG, seed=4)


@pytest.fixture(autouse=True)
def core():
    module = emulated_module()
    module.set_device(8, 166912)
    module.set_schedule(0)
    yield module
    module.find_device()


@pytest.mark.parametrize("precision", LIMITS)
@pytest.mark.parametrize("wait", ["spin", "block"])
def test_ragged_batch_against_float64(model, core, precision, wait):
    loaded, path = model
    engine = core.CudaEngine(path, precision, 0, wait)
    assert engine.precision == precision
    assert engine.has_table
    batch = random_batch(CONFIG, 1, count=10, frames=60, words=9)
    assert_like_gold(loaded, engine.run(*batch), batch, precision)


def test_four_kernels_a_graph(model, core):
    assert core.CudaEngine(model[1]).prepare(600, 20, 3) == 4


def test_refusals(model, core):
    path = model[1]
    engine = core.CudaEngine(path)
    features, words = random_batch(CONFIG, 2, count=2, frames=9, words=4)
    features[1] = np.ones((5, CONFIG.features), np.float32)
    features[1][3, 7] = np.nan
    with pytest.raises(
        ValueError, match=r"^features must be finite, got nan at frame 3, feature 7"
    ):
        engine.run(features, words)
    features[1][3, 7] = 0
    words[1] = np.array([2, 9999], np.int32)
    with pytest.raises(ValueError, match=r"^word id must lie in 0\.\.8, got 9999 at position 1"):
        engine.run(features, words)
    with pytest.raises(ValueError, match=r"^precision must be fp32 or fp16 on backend cuda"):
        core.CudaEngine(path, "int8")
    with pytest.raises(ValueError, match=r"^wait must be one of spin, block, got sleep"):
        core.CudaEngine(path, "fp32", 0, "sleep")
    with pytest.raises(RuntimeError, match=r"on device 1 failed: .*; use backend cpu"):
        core.CudaEngine(path, "fp32", 1)


def test_a_lost_device(model, core):
    path = model[1]
    engine = core.CudaEngine(path)
    batch = random_batch(CONFIG, 3, count=1, frames=9, words=4)
    engine.run(*batch)
    core.lose_device()
    with pytest.raises(RuntimeError, match=r"^running the network on device 0 failed"):
        engine.run(*batch)
    core.find_device()
    with pytest.raises(RuntimeError, match=r"^this engine is unusable since running the network"):
        engine.run(*batch)
    core.CudaEngine(path).run(*batch)
