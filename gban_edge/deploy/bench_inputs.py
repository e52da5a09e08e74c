"""What a benchmark hears: speech-like sound of the wanted lengths, and words the model knows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gban_edge.deploy.bench_options import BenchOptions
from gban_edge.features import SAMPLE_RATE
from gban_edge.text import Vocabulary, tokenize

# Of one length few are enough; mixed lengths need more for their mean to be near the middle.
ALIKE, MIXED = 16, 64
PITCH_HZ, HARMONICS = 120.0, 20
UNKNOWN_WORD = "word"


class Utterance(NamedTuple):
    """One utterance.

    Attributes:
        pcm: float32 [samples] in [-1, 1], 16 kHz.
        text: its words, joined by spaces.
    """

    pcm: NDArray[np.float32]
    text: str

    @property
    def seconds(self) -> float:
        return len(self.pcm) / SAMPLE_RATE


def make_utterances(options: BenchOptions, vocabulary: Vocabulary) -> list[Utterance]:
    """The same utterances for the same options and vocabulary; lengths are drawn uniformly."""
    rng = np.random.default_rng(options.seed)
    known = [word for word in vocabulary.words[2:] if tokenize(word) == [word]] or [UNKNOWN_WORD]
    made = []
    for _ in range(how_many(options)):
        seconds = rng.uniform(*options.seconds)
        words = int(rng.integers(options.words[0], options.words[1], endpoint=True))
        text = " ".join(known[int(i)] for i in rng.integers(0, len(known), words))
        made.append(Utterance(speech_like(rng, round(seconds * SAMPLE_RATE)), text))
    return made


def how_many(options: BenchOptions) -> int:
    """Of utterances that take turns."""
    alike = options.seconds[0] == options.seconds[1] and options.words[0] == options.words[1]
    return ALIKE if alike else MIXED


def speech_like(rng: np.random.Generator, samples: int) -> NDArray[np.float32]:
    """float32 [samples] in [-1, 1]: a gliding buzz that comes and goes, in faint noise."""
    time = np.arange(samples) / SAMPLE_RATE
    glide, syllables = rng.uniform(0.3, 2.0), rng.uniform(1.0, 3.0)
    pitch = PITCH_HZ * (1.0 + 0.3 * np.sin(2 * np.pi * glide * time))
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
    turn = np.exp(1j * phase)
    power, buzz = np.ones_like(turn), np.zeros(samples)
    for k in range(1, HARMONICS):
        power *= turn
        buzz += power.imag / k  # sin(k phase) / k
    voiced = np.clip(np.sin(2 * np.pi * syllables * time), 0.0, 1.0)
    sound = 0.2 * buzz * voiced + 0.002 * rng.standard_normal(samples)
    return np.clip(sound, -1.0, 1.0).astype(np.float32)
