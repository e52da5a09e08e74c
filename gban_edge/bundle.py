"""The model file: one safetensors file that holds everything a runtime needs, and no pickle.

The tensors are the network's weights, float32, under the names of :mod:`gban_edge.shapes`. The
metadata is JSON under six keys: ``gban_edge`` (format and version), ``model`` (name, config,
labels), ``vocabulary``, ``frontend`` (feature version, standardisation), ``calibration`` (the
temperature of the softmax; a file without it has 1) and ``training`` (facts about how it was made,
for people).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from gban_edge import features
from gban_edge.config import GBANConfig
from gban_edge.files import replacing
from gban_edge.shapes import expected_shapes
from gban_edge.text import PAD_ID, Vocabulary

FORMAT_VERSION = 1
EMBEDDING = "text.embedding.weight"
MOST_NESTED = 127  # as in the header of a safetensors file
UNCALIBRATED = '{"temperature": 1.0}'
Weights = dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Standardisation:
    """Mean and deviation of each feature.

    Fitted on the training speakers only (:meth:`fit`), applied as (x - mean) / deviation.

    Attributes:
        mean: float32 [features].
        deviation: float32 [features], positive.
    """

    mean: NDArray[np.float32]
    deviation: NDArray[np.float32]

    @classmethod
    def fit(cls, utterances: Sequence[NDArray[np.float32]]) -> Standardisation:
        """Mean and deviation over all frames of ``utterances``, each [N, features].

        Raises:
            ValueError: there is no frame.
        """
        count = sum(len(frames) for frames in utterances)
        if count == 0:
            raise ValueError("utterances must hold at least one frame to fit a standardisation")
        mean = sum(f.sum(axis=0, dtype=np.float64) for f in utterances) / count
        square = sum(((f - mean) ** 2).sum(axis=0) for f in utterances) / count
        deviation = np.sqrt(np.maximum(square, 1e-10))
        return cls(mean.astype(np.float32), deviation.astype(np.float32))

    @classmethod
    def none(cls, features: int) -> Standardisation:
        """The one that changes nothing."""
        return cls(np.zeros(features, np.float32), np.ones(features, np.float32))

    def __call__(self, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        """[N, features] -> [N, features] with mean 0 and deviation 1 on the training set."""
        return ((frames - self.mean) / self.deviation).astype(np.float32)


@dataclass(frozen=True)
class Bundle:
    """What a model file holds. Its probabilities are softmax(logits / temperature).

    Attributes:
        model: the registry's name of the network ("gban", "h_s", ...).
        config: its sizes.
        labels: the classes, in the order of the logits.
        vocabulary: word to row of the embedding.
        standardisation: of the features.
        weights: name to float32 array, as the network's ``state_dict`` has them.
        training: facts about its making, any JSON.
        temperature: positive.
    """

    model: str
    config: GBANConfig
    labels: tuple[str, ...]
    vocabulary: Vocabulary
    standardisation: Standardisation
    weights: Weights
    training: dict[str, Any] = field(default_factory=dict)
    temperature: float = 1.0


def save(
    path: str | os.PathLike[str],
    model_or_state: Any,
    config: GBANConfig,
    vocabulary: Vocabulary,
    *,
    model: str,
    labels: Sequence[str],
    standardisation: Standardisation,
    training: Mapping[str, Any] | None = None,
    temperature: float = 1.0,
) -> None:
    """Write a model file, whole or not at all.

    Args:
        path: the file to write; it is replaced if it exists.
        model_or_state: a torch module, or a mapping of weight name to array or tensor.
        config: the network's sizes.
        vocabulary: the words of its embedding's rows.
        model: the registry's name of the network ("gban", "h_s", ...).
        labels: the classes, in the order of the logits.
        standardisation: of the features, fitted on the training part.
        training: facts about its making, any JSON.
        temperature: of the softmax, fitted on validation (train/calibration.py); 1 for none.

    Raises:
        ValueError: what would be refused by :func:`load` (sizes, values, labels).
    """
    state = model_or_state.state_dict() if hasattr(model_or_state, "state_dict") else model_or_state
    weights = {name: _float32(value) for name, value in state.items()}
    bundle = Bundle(
        model, config, tuple(labels), vocabulary, standardisation, weights, dict(training or {}),
        temperature,
    )  # fmt: skip
    _check(bundle, f"model for {path}")
    metadata = {
        "gban_edge": {"format": "gban-edge model", "version": FORMAT_VERSION},
        "model": {"name": model, "config": config.to_dict(), "labels": list(labels)},
        "vocabulary": list(vocabulary.words),
        "frontend": {
            "version": features.VERSION,
            "mean": [float(v) for v in standardisation.mean],
            "deviation": [float(v) for v in standardisation.deviation],
        },
        "calibration": {"temperature": float(temperature)},
        "training": bundle.training,
    }
    texts = {k: json.dumps(v, ensure_ascii=False, allow_nan=False) for k, v in metadata.items()}
    with replacing(path) as temporary:
        save_file(weights, temporary, metadata=texts)


def load(path: str | os.PathLike[str]) -> Bundle:
    """Read a model file and check everything in it.

    Args:
        path: a file that :func:`save` wrote.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a model file, one of another version, or one whose sizes or values are
            wrong; the message names the file and the part of it.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"model file {path} does not exist")
    try:
        with safe_open(path, framework="numpy") as file:
            texts = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{path}: not a readable safetensors file ({error})") from error
    bundle = _parse(path, texts, weights)
    _check(bundle, str(path))
    return bundle


def _parse(path: Path, texts: Mapping[str, str], weights: Weights) -> Bundle:
    parts = {}
    if "gban_edge" not in texts:
        raise ValueError(f"{path}: not a gban-edge model file (no 'gban_edge' in its metadata)")
    for key in ("gban_edge", "model", "vocabulary", "frontend", "calibration", "training"):
        try:
            text = texts.get(key, UNCALIBRATED) if key == "calibration" else texts[key]
            parts[key] = _decode(text)
        except KeyError:
            raise ValueError(f"{path}: metadata lacks {key!r}") from None
        except ValueError as error:
            raise ValueError(f"{path}: metadata {key!r} is not JSON ({error})") from None
        if key == "gban_edge":
            _check_version(path, parts[key])
    try:
        model, frontend = parts["model"], parts["frontend"]
        if frontend["version"] != features.VERSION:
            raise ValueError(
                f"frontend version {frontend['version']!r} is not {features.VERSION}, "
                "the one this package computes"
            )
        return Bundle(
            model=_typed("name", model["name"], str),
            config=GBANConfig.from_dict(model["config"]),
            labels=_strings("labels", model["labels"]),
            vocabulary=Vocabulary(_strings("vocabulary", parts["vocabulary"])),
            standardisation=Standardisation(
                _floats("mean", frontend["mean"]), _floats("deviation", frontend["deviation"])
            ),
            weights=weights,
            training=_typed("training", parts["training"], dict),
            temperature=_float("temperature", parts["calibration"]["temperature"]),
        )
    except (KeyError, TypeError, OverflowError) as error:
        raise ValueError(f"{path}: metadata is incomplete or malformed ({error!r})") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _decode(text: str) -> Any:
    """json.loads, with ValueError for what is nested too deeply and what is not Unicode."""
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    _check_nesting(value)
    json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair cannot be encoded
    return value


def _check_nesting(value: Any, left: int = MOST_NESTED) -> None:
    if isinstance(value, (list, dict)):
        if left == 0:
            raise ValueError(f"it is nested more than {MOST_NESTED} deep")
        for entry in value.values() if isinstance(value, dict) else value:
            _check_nesting(entry, left - 1)


def _typed(what: str, value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"{what} must be {kind.__name__}, got {type(value).__name__}")
    return value


def _strings(what: str, values: Any) -> tuple[str, ...]:
    return tuple(_typed(what, value, str) for value in _typed(what, values, list))


def _float(what: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{what} must be a number, got {value!r}")
    return float(value)


def _floats(what: str, values: Any) -> NDArray[np.float32]:
    numbers = [_float(what, value) for value in _typed(what, values, list)]
    with np.errstate(over="ignore"):  # infinite, which is refused by name
        return np.array(numbers, np.float64).astype(np.float32)


def _check_version(path: Path, stamp: Any) -> None:
    version = stamp.get("version") if isinstance(stamp, dict) else stamp
    if version != FORMAT_VERSION:
        raise ValueError(
            f"{path}: model file version {version!r} is not {FORMAT_VERSION}, the one this "
            "package reads; use the gban-edge that wrote it, or train again"
        )


def _check(bundle: Bundle, where: str) -> None:
    config = bundle.config
    if len(set(bundle.labels)) != config.classes or len(bundle.labels) != config.classes:
        raise ValueError(
            f"{where}: labels must be {config.classes} different names, got {list(bundle.labels)}"
        )
    if len(bundle.vocabulary) != config.vocabulary:
        raise ValueError(
            f"{where}: vocabulary must have {config.vocabulary} words as its config says, "
            f"got {len(bundle.vocabulary)}"
        )
    for name, values in vars(bundle.standardisation).items():
        if values.shape != (config.features,) or not np.isfinite(values).all():
            raise ValueError(
                f"{where}: standardisation {name} must be {config.features} finite numbers, "
                f"got shape {list(values.shape)}"
            )
    if not (bundle.standardisation.deviation > 0).all():
        raise ValueError(f"{where}: standardisation deviation must be positive")
    if not 0.0 < bundle.temperature < float("inf"):
        raise ValueError(f"{where}: temperature must be positive, got {bundle.temperature}")
    try:
        expected = expected_shapes(bundle.model, config)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    missing = sorted(expected.keys() - bundle.weights.keys())
    unknown = sorted(bundle.weights.keys() - expected.keys())
    if missing or unknown:
        raise ValueError(f"{where}: weights missing {missing[:5]}, unknown {unknown[:5]}")
    for name, shape in expected.items():
        weight = bundle.weights[name]
        if weight.dtype != np.float32:
            raise ValueError(f"{where}: {name} must be float32, got {weight.dtype}")
        if weight.shape != shape:
            raise ValueError(
                f"{where}: {name} must have shape {list(shape)}, got {list(weight.shape)}"
            )
        if not np.isfinite(weight).all():
            raise ValueError(f"{where}: {name} holds values that are not finite")
        if name == EMBEDDING and weight[PAD_ID].any():
            raise ValueError(f"{where}: row {PAD_ID} of {name}, the vector of <pad>, must be zero")


def _float32(value: ArrayLike) -> NDArray[np.float32]:
    if hasattr(value, "detach"):  # a torch tensor, without importing torch
        value = value.detach().cpu().numpy()
    array = np.asarray(value)
    if array.dtype.kind != "f":
        raise ValueError(f"weights must be floating point, got {array.dtype}")
    return np.ascontiguousarray(array, dtype=np.float32)
