"""Model files of random networks for tests of the runtime, and what they answer in float64."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy_models
from test_equations import random_weights

from gban_edge import bundle
from gban_edge.config import GBANConfig
from gban_edge.labels import LABELS
from gban_edge.text import PAD, UNKNOWN, Vocabulary

# Log-mel, MFCC and deltas of speech-like sound, roughly.
MEAN = np.repeat([-8.0, -20.0, 0.0], [26, 13, 13]).astype(np.float32)
DEVIATION = np.repeat([4.0, 30.0, 5.0], [26, 13, 13]).astype(np.float32)


class Gold(NamedTuple):
    """float64: logits and probabilities [C]; z_p and z_q, or None."""

    logits: np.ndarray
    probabilities: np.ndarray
    gates: tuple[np.ndarray, np.ndarray] | None


class RandomModel(NamedTuple):
    """A random network in a model file."""

    path: Path
    name: str
    config: GBANConfig
    vocabulary: Vocabulary
    weights: dict[str, np.ndarray]  # float64, though float32 holds them
    temperature: float

    def standardised(self, frames: np.ndarray) -> np.ndarray:
        """Features [N, 52] -> float64 [N, 52]."""
        return (frames - MEAN.astype(np.float64)) / DEVIATION.astype(np.float64)

    def gold(self, frames: np.ndarray, ids: list[int]) -> Gold:
        """What the equations give for features [N, 52] and word ids [M], M at least 1."""
        x = self.standardised(frames)
        out = numpy_models.forward(self.name, self.weights, self.config, x, np.array(ids))
        return Gold(out.logits, softmax(out.logits / self.temperature), out.gates)

    def alpha(self, frames: np.ndarray, ids: list[int]) -> np.ndarray:
        """Eq. 10, [L, K]."""
        part, config = numpy_models.part, self.config
        x = self.standardised(frames)
        S, _ = numpy_models.speech_encoder(part(self.weights, "speech"), config, x)
        T, _ = numpy_models.text_encoder(part(self.weights, "text"), config, np.array(ids))
        return np.array([softmax(np.tanh(S @ t)) for t in T])


def softmax(x: np.ndarray) -> np.ndarray:
    return np.exp(x) / np.exp(x).sum()


def make_model(
    path: Path,
    config: GBANConfig,
    name: str = "gban",
    seed: int = 1,
    temperature: float = 0.3,
    weights: dict[str, np.ndarray] | None = None,
) -> RandomModel:
    """A network of random weights, or of those given, written to ``path``; its words are w2, w3,
    and so on."""
    if weights is None:
        weights = random_weights(name, config, seed)
    words = Vocabulary((PAD, UNKNOWN, *(f"w{i}" for i in range(2, config.vocabulary))))
    bundle.save(
        path, {k: w.astype(np.float32) for k, w in weights.items()}, config, words, model=name,
        labels=LABELS[: config.classes], standardisation=bundle.Standardisation(MEAN, DEVIATION),
        temperature=temperature,
    )  # fmt: skip
    return RandomModel(path, name, config, words, weights, temperature)
