"""Utterances for a network that runs outside the core: checked as the core checks them, padded to
a common size, and what comes back cut to each utterance's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from gban_edge.config import GBANConfig
from gban_edge.runtime.backend import Floats, Ids, Output
from gban_edge.runtime.words import MAX_WORDS
from gban_edge.text import UNKNOWN_ID

MAX_FRAMES = 60000  # as csrc/include/gban/engine.h
NO_WORDS = np.array([UNKNOWN_ID], np.int32)


def checked(
    features: Sequence[Floats], ids: Sequence[Ids], config: GBANConfig
) -> list[tuple[Floats, Ids]]:
    """The utterances, float32 [N, 52] and int32 [M] each, M at least 1: none are one ``<unk>``.

    Raises:
        ValueError: shapes, ids or values that the network cannot take; names the utterance where
            there are several.
    """
    if len(features) != len(ids):
        raise ValueError(
            f"features and words must be equally many, got {len(features)} and {len(ids)}"
        )
    made = []
    for i, (frames, words) in enumerate(zip(features, ids, strict=True)):
        try:
            made.append((_checked_frames(frames, config), _checked_words(words, config)))
        except ValueError as error:
            raise ValueError(f"utterance {i}: {error}" if len(ids) > 1 else str(error)) from None
    return made


def _checked_frames(frames: Floats, config: GBANConfig) -> Floats:
    array = np.ascontiguousarray(frames, np.float32)
    if array.ndim != 2 or array.shape[1] != config.features:
        raise ValueError(
            f"features must have shape [N, {config.features}], got {list(array.shape)}"
        )
    if len(array) > MAX_FRAMES:
        raise ValueError(f"frames must lie in 0..{MAX_FRAMES}, got {len(array)}")
    if not np.isfinite(array).all():
        frame, feature = np.argwhere(~np.isfinite(array))[0]
        raise ValueError(
            f"features must be finite, got {array[frame, feature]} at frame {frame}, "
            f"feature {feature}"
        )
    return array


def _checked_words(words: Ids, config: GBANConfig) -> Ids:
    array = np.asarray(words)
    if array.ndim != 1 or (len(array) and array.dtype.kind not in "iu"):
        raise ValueError(
            f"words must be integers of shape [M], got {array.dtype} {list(array.shape)}"
        )
    if len(array) > MAX_WORDS:
        raise ValueError(f"words must be at most {MAX_WORDS}, got {len(array)}")
    if len(array) and (array.min() < 0 or array.max() >= config.vocabulary):
        place = int(np.argmax((array < 0) | (array >= config.vocabulary)))
        raise ValueError(
            f"word id must lie in 0..{config.vocabulary - 1}, got {array[place]} at position "
            f"{place}"
        )
    return array.astype(np.int32) if len(array) else NO_WORDS


def padded(utterances: Sequence[tuple[Floats, Ids]], config: GBANConfig) -> dict[str, Floats | Ids]:
    """The inputs of an exported graph, of at least one utterance (deploy/onnx_export.py)."""
    count = len(utterances)
    lengths = np.array([len(frames) for frames, _ in utterances], np.int32)
    spoken = np.array([len(words) for _, words in utterances], np.int32)
    most = max(config.receptive_field, int(lengths.max()))
    features = np.zeros((count, most, config.features), np.float32)
    ids = np.zeros((count, int(spoken.max())), np.int32)
    for i, (frames, words) in enumerate(utterances):
        features[i, : len(frames)] = frames
        ids[i, : len(words)] = words
    return {
        "features": features,
        "feature_lengths": lengths,
        "words": ids,
        "word_lengths": spoken,
    }


def cut(
    values: Mapping[str, Floats], i: int, frames: int, words: int, config: GBANConfig
) -> Output:
    """Utterance ``i``'s output, copied, from those of a padded batch.

    Raises:
        RuntimeError: values that are not finite.
    """
    K, L = config.speech_steps(frames), config.text_steps(words)
    output = Output(
        logits=values["logits"][i].copy(),
        probabilities=values["probabilities"][i].copy(),
        aligned_gate=values["aligned_gate"][i].copy(),
        last_gate=values["last_gate"][i].copy(),
        speech_weights=values["speech_weights"][i, :K].copy(),
        text_weights=values["text_weights"][i, :L].copy(),
        alpha=values["alpha"][i, :L, :K].copy(),
    )
    for value in vars(output).values():
        if not np.isfinite(value).all():
            raise RuntimeError(
                "the network's values are not finite for this utterance; its file is damaged or "
                "the sound is far from what it was trained on"
            )
    return output
