"""The CUDA engine on the CPU, from its binding down, against tests/numpy_models.py in float64."""

import numpy as np
import pytest
from emulated import emulated_module
from numpy_models import forward
from test_equations import random_weights

from gban_edge import bundle
from gban_edge.calibration import softmax
from gban_edge.config import GBANConfig
from gban_edge.text import PAD, UNKNOWN, Vocabulary

CONFIG = GBANConfig(
    vocabulary=9, conv_filters=(6, 8), embedding=12, text_filters=8, hidden=32, fusion=16,
    classifier=12,
)  # fmt: skip
LIMITS = {"fp32": 1e-5, "fp16": 5e-3}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    rng = np.random.default_rng(4)
    deviation = rng.uniform(0.5, 2, CONFIG.features).astype(np.float32)
    frontend = bundle.Standardisation(
        rng.normal(size=CONFIG.features).astype(np.float32), deviation
    )
    weights = {k: v.astype(np.float32) for k, v in random_weights("gban", CONFIG, 4).items()}
    path = tmp_path_factory.mktemp("model") / "gban.safetensors"
    words = Vocabulary((PAD, UNKNOWN, *(f"word{i}" for i in range(2, CONFIG.vocabulary))))
    bundle.save(
        path, weights, CONFIG, words, model="gban", labels=("a", "b", "c", "d"),
        standardisation=frontend, temperature=1.5,
    )  # fmt: skip
    return bundle.load(path), str(path)


@pytest.fixture(autouse=True)
def core():
    module = emulated_module()
    module.set_device(8, 166912)
    module.set_schedule(0)
    yield module
    module.find_device()


def utterances(model, count):
    rng = np.random.default_rng(count)
    features = [
        rng.normal(size=(int(n), CONFIG.features)).astype(np.float32)
        for n in rng.integers(0, 60, count)
    ]
    words = [rng.integers(0, CONFIG.vocabulary, int(m)).astype(np.int32) for m in range(count)]
    return features, words


@pytest.mark.parametrize("precision", LIMITS)
@pytest.mark.parametrize("wait", ["spin", "block"])
def test_ragged_batch_against_float64(model, core, precision, wait):
    loaded, path = model
    engine = core.CudaEngine(path, precision, 0, wait)
    assert engine.precision == precision
    assert engine.has_table
    features, words = utterances(loaded, 10)
    standard = loaded.standardisation
    weights = {k: v.astype(np.float64) for k, v in loaded.weights.items()}
    for got, x, ids in zip(engine.run(features, words), features, words, strict=True):
        frames = (x.astype(np.float64) - standard.mean) / standard.deviation
        want = forward("gban", weights, CONFIG, frames, ids if len(ids) else np.array([1]))
        limit = LIMITS[precision]
        np.testing.assert_allclose(got["logits"], want.logits, rtol=limit, atol=limit)
        np.testing.assert_allclose(
            got["probabilities"], softmax(want.logits, loaded.temperature), rtol=0, atol=limit
        )
        gates = np.stack([got["aligned_gate"], got["last_gate"]])
        np.testing.assert_allclose(gates, np.stack(want.gates), rtol=0, atol=limit)
        steps = CONFIG.text_steps(len(ids)), CONFIG.speech_steps(len(x))
        assert got["alpha"].shape == steps
        np.testing.assert_allclose(got["alpha"].sum(1), 1, rtol=1e-5)
        np.testing.assert_allclose(got["alpha"].mean(0), got["speech_weights"], rtol=1e-4)
        assert got["text_weights"].sum() == pytest.approx(1, rel=1e-5)


def test_four_kernels_a_graph(model, core):
    assert core.CudaEngine(model[1]).prepare(600, 20, 3) == 4


def test_refusals(model, core):
    loaded, path = model
    engine = core.CudaEngine(path)
    features, words = utterances(loaded, 2)
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
    loaded, path = model
    engine = core.CudaEngine(path)
    batch = utterances(loaded, 1)
    engine.run(*batch)
    core.lose_device()
    with pytest.raises(RuntimeError, match=r"^running the network on device 0 failed"):
        engine.run(*batch)
    core.find_device()
    with pytest.raises(RuntimeError, match=r"^this engine is unusable since running the network"):
        engine.run(*batch)
    core.CudaEngine(path).run(*batch)
