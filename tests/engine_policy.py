"""Random GBAN model files, and a CUDA engine's results held against tests/numpy_models.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy_models import forward
from test_equations import random_weights

from gban_edge import bundle
from gban_edge.calibration import softmax
from gban_edge.config import GBANConfig
from gban_edge.text import PAD, UNKNOWN, Vocabulary

# Of a result of size about 1; fp16 stores weights, the encoders' outputs and the states.
LIMITS = {"fp32": 1e-5, "fp16": 5e-3}
Batch = tuple[list[np.ndarray], list[np.ndarray]]


def random_model(folder: Path, config: GBANConfig, seed: int) -> tuple[bundle.Bundle, str]:
    """A model, and the path of its file."""
    rng = np.random.default_rng(seed)
    frontend = bundle.Standardisation(
        rng.normal(size=config.features).astype(np.float32),
        rng.uniform(0.5, 2, config.features).astype(np.float32),
    )
    weights = {k: v.astype(np.float32) for k, v in random_weights("gban", config, seed).items()}
    words = Vocabulary((PAD, UNKNOWN, *(f"word{i}" for i in range(2, config.vocabulary))))
    path = folder / f"gban{seed}.safetensors"
    bundle.save(
        path, weights, config, words, model="gban", labels=tuple("abcdef"[: config.classes]),
        standardisation=frontend, temperature=1.5,
    )  # fmt: skip
    return bundle.load(path), str(path)


def random_batch(config: GBANConfig, seed: int, count: int, frames: int, words: int) -> Batch:
    """Features and ids of ``count`` utterances of up to so many frames and words."""
    rng = np.random.default_rng(seed)
    features = [
        rng.normal(size=(int(n), config.features)).astype(np.float32)
        for n in rng.integers(0, frames + 1, count)
    ]
    ids = [
        rng.integers(0, config.vocabulary, int(m)).astype(np.int32)
        for m in rng.integers(0, words + 1, count)
    ]
    return features, ids


def assert_like_gold(
    model: bundle.Bundle, results: list[dict[str, Any]], batch: Batch, precision: str
) -> None:
    """Every result of every utterance, within the precision's limit of float64."""
    config, standard, limit = model.config, model.standardisation, LIMITS[precision]
    weights = {k: v.astype(np.float64) for k, v in model.weights.items()}
    for got, x, ids in zip(results, *batch, strict=True):
        frames = (x.astype(np.float64) - standard.mean) / standard.deviation
        want = forward("gban", weights, config, frames, ids if len(ids) else np.array([1]))
        np.testing.assert_allclose(got["logits"], want.logits, rtol=limit, atol=limit)
        probabilities = softmax(want.logits, model.temperature)
        np.testing.assert_allclose(got["probabilities"], probabilities, rtol=0, atol=limit)
        gates = np.stack([got["aligned_gate"], got["last_gate"]])
        np.testing.assert_allclose(gates, np.stack(want.gates), rtol=0, atol=limit)
        assert got["alpha"].shape == (config.text_steps(len(ids)), config.speech_steps(len(x)))
        np.testing.assert_allclose(got["alpha"].sum(1), 1, rtol=1e-5)
        np.testing.assert_allclose(got["alpha"].mean(0), got["speech_weights"], rtol=1e-4)
        np.testing.assert_allclose(got["text_weights"].sum(), 1, rtol=1e-5)
