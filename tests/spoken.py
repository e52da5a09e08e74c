"""Speech for the tests of voice activity, streams and words: synthesised once a process."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

from train.espeak import Espeak

TEXTS = ("the food was wonderful but the room was filthy", "i thought the music was dreadful")
QUIET = 1.2  # seconds before, between and after


class Scene(NamedTuple):
    """float32 [samples] at 16 kHz, and where each of TEXTS was put, in seconds."""

    pcm: np.ndarray
    places: tuple[tuple[float, float], ...]


@cache
def synthesiser() -> Espeak:
    return Espeak()


@cache
def speech(text: str) -> np.ndarray:
    """``text`` spoken, without the silence around it."""
    pcm = synthesiser().say(f"<speak>{text}</speak>", "en-us")
    loud = np.flatnonzero(np.abs(pcm) > 0.01)
    return pcm[loud[0] : loud[-1] + 1]


@cache
def scene(texts: tuple[str, ...] = TEXTS, noise: float = 0.001) -> Scene:
    """The texts with quiet around each, in white noise of ``noise`` RMS."""
    quiet = np.zeros(round(QUIET * 16000), np.float32)
    pieces, places, at = [quiet], [], QUIET
    for text in texts:
        spoken = speech(text)
        pieces += [spoken, quiet]
        places.append((at, at + len(spoken) / 16000))
        at += len(spoken) / 16000 + QUIET
    pcm = np.concatenate(pieces)
    pcm = pcm + noise * np.random.default_rng(0).standard_normal(len(pcm))
    return Scene(pcm.astype(np.float32), tuple(places))


def blocks(rng: np.random.Generator, pcm: np.ndarray) -> list[np.ndarray]:
    """``pcm`` in blocks of random sizes, empty ones included."""
    return np.split(pcm, np.sort(rng.integers(0, len(pcm) + 1, 40)))
