"""What the recogniser answers, and which part of the sound each word attended to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gban_edge import features
from gban_edge.config import GBANConfig
from gban_edge.runtime.backend import Output

NO_WORDS = "no words"


@dataclass(frozen=True)
class WordAlignment:
    """A word and the sound that it attended to most.

    Attributes:
        word: as the tokenizer gives it, in lower case.
        start: where that sound begins, seconds.
        end: where it ends, seconds.
        weight: what the word counted in a_t; those of an utterance's words sum to 1.
    """

    word: str
    start: float
    end: float
    weight: float


@dataclass(frozen=True, eq=False)
class Result:
    """The emotion of one utterance.

    Attributes:
        label: the most probable class; empty where ``abstained``.
        abstained: its probability lies below the recogniser's ``abstain_below``.
        probabilities: of every class, in the order of the model's labels.
        confidence: the greatest of them.
        contributions: 0 to 1 each: in the group of aligned vectors the shares of speech, ``a_s`` =
            mean of z_p (eq. 17), and of the words, ``a_t`` = 1 - a_s; in that of last states
            ``h_s`` = mean of z_q (eq. 20) and ``h_t`` = 1 - h_s. None without both gates.
        alignment: one entry a word; None for a network without the alignment.
        speech_weights: float32 [K], what each speech step gave to a_s; None likewise.
        text_weights: float32 [L], what each pair of words gave to a_t; None likewise.
        alpha: float32 [L, K], how each pair of words spread its attention over the speech steps
            (eq. 10; a row sums to 1); None likewise.
        speech_times: float64 [K, 2], from when to when each speech step hears, seconds, cut at
            ``seconds``; neighbours overlap. None likewise.
        seconds: of sound that were heard, at most 7.5.
        notes: what was done to the input, in words: cut, resampled, mixed down; "no sound", and
            "no words" from a network that hears them.
        backend: what computed it ("cpu fp32 avx512").
        timings: seconds spent on ``features``, on the ``network`` (of a batch, on all of it) and
            in ``total``.
    """

    label: str
    abstained: bool
    probabilities: dict[str, float]
    confidence: float
    contributions: dict[str, float] | None
    alignment: tuple[WordAlignment, ...] | None
    speech_weights: NDArray[np.float32] | None
    text_weights: NDArray[np.float32] | None
    alpha: NDArray[np.float32] | None
    speech_times: NDArray[np.float64] | None
    seconds: float
    notes: tuple[str, ...]
    backend: str
    timings: dict[str, float]

    def __str__(self) -> str:
        """One line: "hap 0.93 (ang 0.02, neu 0.03, sad 0.02) in 2.4 s; cpu fp32 avx512"."""
        best = max(self.probabilities, key=self.probabilities.__getitem__)
        others = ", ".join(f"{k} {p:.2f}" for k, p in self.probabilities.items() if k != best)
        unsure = "abstained: " if self.abstained else ""
        notes = "".join(f"; {note}" for note in self.notes)
        return (
            f"{unsure}{best} {self.confidence:.2f} ({others}) in {self.seconds:.1f} s{notes}; "
            f"{self.backend}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values under the attributes' names, ready for JSON; arrays to six decimals."""
        values = dict(vars(self))
        values["notes"] = list(self.notes)
        for name in ("speech_weights", "text_weights", "alpha", "speech_times"):
            array = values[name]
            # Rounded as float64: a rounded float32 would be written with all its 17 digits.
            values[name] = None if array is None else array.astype(np.float64).round(6).tolist()
        if self.alignment is not None:
            values["alignment"] = [dict(vars(word)) for word in self.alignment]
        for name in ("probabilities", "contributions", "timings"):
            values[name] = None if values[name] is None else dict(values[name])
        return values


def make_result(
    output: Output,
    config: GBANConfig,
    labels: Sequence[str],
    words: Sequence[str],
    *,
    abstain_below: float,
    seconds: float,
    notes: Sequence[str],
    backend: str,
    timings: Mapping[str, float],
) -> Result:
    """The result that a network's output and what is known of the utterance make."""
    probabilities: list[float] = output.probabilities.tolist()
    confidence = max(probabilities)
    best = probabilities.index(confidence)
    times = speech_times(output, config, seconds)
    abstained = confidence < abstain_below
    return Result(
        label="" if abstained else labels[best],
        abstained=abstained,
        probabilities=dict(zip(labels, probabilities, strict=True)),
        confidence=confidence,
        contributions=contributions(output),
        alignment=align_words(output, times, words),
        speech_weights=output.speech_weights,
        text_weights=output.text_weights,
        alpha=output.alpha,
        speech_times=times,
        seconds=seconds,
        notes=tuple(notes),
        backend=backend,
        timings=dict(timings),
    )


def contributions(output: Output) -> dict[str, float] | None:
    """The means of the gates, as :class:`Result` has them; sums are taken in float64."""
    if output.aligned_gate is None or output.last_gate is None:
        return None
    a_s = float(output.aligned_gate.mean(dtype=np.float64))
    h_s = float(output.last_gate.mean(dtype=np.float64))
    return {"a_s": a_s, "a_t": 1.0 - a_s, "h_s": h_s, "h_t": 1.0 - h_s}


def align_words(
    output: Output, times: NDArray[np.float64] | None, words: Sequence[str]
) -> tuple[WordAlignment, ...] | None:
    """The sound that each word attended to most, and what the word counted.

    Text step l holds the words 2l and 2l + 1, which share its weight. Their sound is what the
    speech step with the greatest alpha[l] (the first of equals) hears, by ``times``.
    """
    if output.alpha is None or output.text_weights is None or times is None:
        return None
    spans = times[output.alpha.argmax(axis=1)].tolist()
    weights = output.text_weights.tolist()
    aligned = []
    for i, word in enumerate(words):
        step = i // 2
        together = min(2, len(words) - 2 * step)
        start, end = spans[step]
        aligned.append(WordAlignment(word, start, end, weights[step] / together))
    return tuple(aligned)


def speech_times(output: Output, config: GBANConfig, seconds: float) -> NDArray[np.float64] | None:
    """float64 [K, 2]: :func:`heard_by` of every speech step, cut at ``seconds``."""
    if output.speech_weights is None:
        return None
    start, end = heard_by(config, 0)
    apart = heard_by(config, 1)[0] - start
    first = np.arange(len(output.speech_weights), dtype=np.float64) * apart
    times = np.stack([first + start, first + end], axis=1)
    return np.minimum(times, seconds)


def heard_by(config: GBANConfig, step: int) -> tuple[float, float]:
    """From when to when, in seconds, speech step ``step`` hears.

    A convolution loses no frame at the front and a pool halves the rate, so step k begins at frame
    2^layers k and sees the receptive field's frames, each hop apart and 512 samples long.

    >>> heard_by(GBANConfig(vocabulary=2), 3)
    (0.48, 1.112)
    """
    first = (step << len(config.conv_filters)) * features.HOP
    length = (config.receptive_field - 1) * features.HOP + features.FFT
    return first / features.SAMPLE_RATE, (first + length) / features.SAMPLE_RATE
