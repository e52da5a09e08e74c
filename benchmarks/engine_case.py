"""What engines are measured on: a model file of random weights, an utterance, float64's answer.

The network has the authors' sizes and a vocabulary of 3,000 words. Its biases are drawn too and its
logits are spread, so that an error anywhere changes the probabilities; speed does not depend on it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import numpy_models
import timing
import torch
from helpers import speech_like
from numpy.typing import NDArray

from gban_edge import bundle, features, models
from gban_edge.bundle import Bundle, Standardisation
from gban_edge.config import GBANConfig
from gban_edge.labels import LABELS
from gban_edge.text import PAD, UNKNOWN, Vocabulary

Array = NDArray[Any]
Form = Callable[[], Array]  # probabilities [C] of one case
WORDS = 3000
SECONDS, SPOKEN = 7.5, 20  # of speech, and words in it
# Of a probability. "librosa" is for its features, which single precision leaves up to 0.05 off.
TOLERANCE = {"fp32": 1e-5, "fp16": 5e-3, "int8": 5e-2, "librosa": 1e-3}


@dataclass(frozen=True)
class Case:
    """One utterance for one model: features [N, 52] not standardised, word ids [M], both true."""

    path: Path
    bundle: Bundle
    pcm: Array
    text: str
    features: Array
    words: Array
    gold: Array


def make_model(folder: Path, hidden: int = 128) -> Path:
    """Write a model file into ``folder``."""
    torch.manual_seed(0)
    config = GBANConfig(WORDS, hidden=hidden)
    model = models.build("gban", config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "bias" in name:
                parameter.add_(0.2 * torch.randn_like(parameter))
        model.classifier.output.weight.mul_(4)
    vocabulary = Vocabulary((PAD, UNKNOWN, *(f"w{i}" for i in range(2, WORDS))))
    standardise = Standardisation.fit([features.extract(sound(SECONDS))])
    path = folder / f"random-{hidden}.gban"
    bundle.save(
        path, model, config, vocabulary, model="gban", labels=LABELS,
        standardisation=standardise, temperature=1.3,
    )  # fmt: skip
    return path


def sound(seconds: float) -> Array:
    pcm = speech_like(np.random.default_rng(0), round(seconds * features.SAMPLE_RATE))
    return pcm.astype(np.float32)


def make_case(path: Path, seconds: float = SECONDS, words: int | None = None) -> Case:
    """An utterance of ``seconds``, with as many words for its length as 20 are for 7.5 s."""
    loaded, pcm = bundle.load(path), sound(seconds)
    count = max(1, round(SPOKEN * seconds / SECONDS)) if words is None else words
    text = " ".join(f"w{i}" for i in np.random.default_rng(1).integers(2, WORDS, count))
    frames, ids = features.extract(pcm), np.array(loaded.vocabulary.encode(text), np.int64)
    return Case(path, loaded, pcm, text, frames, ids, gold(loaded, frames, ids))


def gold(loaded: Bundle, frames: Array, words: Array) -> Array:
    """Probabilities [C] in float64 by tests/numpy_models.py."""
    fit = loaded.standardisation
    standardised = (frames.astype(np.float64) - fit.mean) / fit.deviation
    weights = {name: value.astype(np.float64) for name, value in loaded.weights.items()}
    output = numpy_models.forward(loaded.model, weights, loaded.config, standardised, words)
    return numpy_models.softmax(output.logits / loaded.temperature)


def deviation(name: str, form: Form, case: Case, precision: str) -> float:
    """The form's largest error in a probability, or an exception if it is not the same network."""
    error = float(np.abs(np.asarray(form(), np.float64) - case.gold).max())
    if not error < TOLERANCE[precision]:
        raise RuntimeError(
            f"{name} is wrong: a probability is {error:.1e} from float64's, "
            f"more than {TOLERANCE[precision]:.0e}"
        )
    return error


def fastest(
    candidates: dict[str, Callable[[], Form]], case: Case, precision: str
) -> tuple[dict[str, Form], dict[str, Any]]:
    """Make, check and briefly time every candidate; those that are right, the fastest ("chosen").

    A candidate that cannot be made, or is wrong, is recorded with the reason and not timed.

    Raises:
        RuntimeError: none is left.
    """
    forms: dict[str, Form] = {}
    record: dict[str, Any] = {}
    for name, make in candidates.items():
        try:
            form = make()
            record[name] = {"error": deviation(name, form, case, precision)}
            forms[name] = form
        except Exception as problem:  # what a peer cannot do is a finding, not an end
            record[name] = {"failed": f"{type(problem).__name__}: {str(problem)[:200]}"}
    if not forms:
        raise RuntimeError(f"no candidate could run: {record}")
    for name, times in timing.interleaved(forms, 5, gpu=False).items():
        record[name].update(timing.spread(times))
    # The least of a few rounds: a busy machine only ever adds.
    best = min(forms, key=lambda name: record[name]["min"])
    return forms, {"chosen": best, "candidates": record}


def filled(loaded: Bundle, frames: Array) -> Array:
    """frames [N, 52] up to the receptive field: mean frames behind, zeros once standardised."""
    missing = max(0, loaded.config.receptive_field - len(frames))
    rows = np.broadcast_to(loaded.standardisation.mean, (missing, frames.shape[1]))
    return np.ascontiguousarray(np.concatenate([frames, rows]), np.float32)


def speech_filter(loaded: Bundle, layer: int) -> tuple[Array, Array]:
    """Weight and bias of a speech convolution; the first has (x - mean) / deviation in it."""
    weight, bias = (loaded.weights[f"speech.convs.{layer}.{n}"] for n in ("weight", "bias"))
    if layer:
        return weight, bias
    fit = loaded.standardisation
    scaled = weight.astype(np.float64) / fit.deviation.astype(np.float64)[:, None]
    shifted = bias - np.einsum("fck,c->f", scaled, fit.mean.astype(np.float64))
    return scaled.astype(np.float32), shifted.astype(np.float32)


def text_filter(loaded: Bundle, i: int) -> tuple[Array, Array]:
    """A text convolution as a product: weight [filters, kernel * 300], bias [filters]."""
    weight, bias = (loaded.weights[f"text.convs.{i}.{n}"] for n in ("weight", "bias"))
    return np.ascontiguousarray(weight.transpose(0, 2, 1)).reshape(len(weight), -1), bias


def text_tables(loaded: Bundle) -> tuple[Array, int]:
    """The text convolutions multiplied with every word beforehand, [taps, V, 384], and the tap of
    a word itself: a place's convolution is the sum of a row of each tap's own table.

    Word vectors do not change, so the products can be made at load, as the engine does too. The
    bias stands in the word's own tap; a short kernel is zero where it does not look.
    """
    config, table = loaded.config, loaded.weights["text.embedding.weight"].astype(np.float64)
    own = max((kernel - 1) // 2 for kernel in config.text_kernels)
    taps = own + 1 + max(kernel // 2 for kernel in config.text_kernels)
    sums = np.zeros((taps, len(table), len(config.text_kernels), config.text_filters))
    for i, kernel in enumerate(config.text_kernels):
        weight, bias = (loaded.weights[f"text.convs.{i}.{n}"] for n in ("weight", "bias"))
        sums[own, :, i] = bias
        for k in range(kernel):
            sums[own - (kernel - 1) // 2 + k, :, i] += table @ weight[:, :, k].T
    return sums.reshape(taps, len(table), -1).astype(np.float32), own


def gated_weights(loaded: Bundle, group: str) -> tuple[Array, Array]:
    """[W_s; W_z's part on speech] and the same of text, [2 fusion, D] each (eqs. 15-20)."""
    names = (f"fusion.{group}.{part}.weight" for part in ("speech", "text", "gate"))
    W_s, W_t, W_z = (loaded.weights[name] for name in names)
    Z_s, Z_t = np.split(W_z, 2, axis=1)
    return np.concatenate([W_s, Z_s]), np.concatenate([W_t, Z_t])
