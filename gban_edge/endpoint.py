"""When an utterance begins and ends, told of frames that are speech or not.

An utterance begins some sound before its first speech, so that a soft onset is not cut, and ends
when it has been quiet for a while, or after 7.5 s, which is as much as the recogniser hears.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gban_edge.features import MAX_SAMPLES, MAX_SECONDS, SAMPLE_RATE
from gban_edge.runtime.sound import as_float, as_pcm, check_values


@dataclass(frozen=True)
class Segment:
    """A stretch of sound in which somebody speaks, in seconds since the first sample."""

    start: float
    end: float


@dataclass(frozen=True)
class SpeechBegan:
    """An utterance began at ``start``; ``decided`` is how much sound it took to know, seconds."""

    start: float
    decided: float


@dataclass(frozen=True)
class SpeechStopped:
    """The utterance lay from ``start`` to ``end``; known when ``decided`` s of sound were heard.

    ``cut`` tells that it reached its greatest length and did not end by itself.
    """

    start: float
    end: float
    decided: float
    cut: bool

    @property
    def segment(self) -> Segment:
        """The utterance without how it was found."""
        return Segment(self.start, self.end)


VadEvent = SpeechBegan | SpeechStopped


@runtime_checkable
class Vad(Protocol):
    """Finds utterances in sound that still arrives. Times are seconds since its first sample."""

    @property
    def name(self) -> str:
        """What it is, for people: "silero"."""

    @property
    def speaking(self) -> bool:
        """An utterance has begun and not ended."""

    @property
    def until(self) -> float:
        """Up to here the sound belongs to the utterance under way, whatever comes."""

    @property
    def lookback(self) -> float:
        """The most sound before the newest sample with which an utterance may begin, seconds."""

    def push(self, pcm: ArrayLike) -> list[VadEvent]:
        """Take mono sound [samples], 16 kHz, of any length; what it decided, in order."""

    def finish(self) -> list[VadEvent]:
        """The sound ends here: so does an utterance under way. Times go on with the next push."""

    def reset(self) -> None:
        """Forget everything; the next sample is at 0 s."""


@dataclass(frozen=True)
class Timing:
    """How speech that is heard becomes utterances; every value in seconds.

    Attributes:
        minimum_speech: this much speech without a pause makes an utterance; less is a click.
        hangover: so long must it be quiet before an utterance has ended.
        pre_roll: sound before its first speech that an utterance begins with.
        post_roll: sound after its last speech that it ends with, at most the hangover.
        maximum: at this length it is ended whatever is heard, at most 7.5.

    Raises:
        ValueError: a value out of range.
    """

    minimum_speech: float = 0.1
    hangover: float = 0.6
    pre_roll: float = 0.2
    post_roll: float = 0.1
    maximum: float = MAX_SECONDS

    def __post_init__(self) -> None:
        limits = {"hangover": (0.05, 5.0), "maximum": (0.5, MAX_SECONDS)}
        for field in fields(self):
            low, high = limits.get(field.name, (0.0, 2.0))
            check_range(field.name, getattr(self, field.name), low, high)
        if self.post_roll > self.hangover:
            raise ValueError(
                f"post_roll must be at most the hangover, {self.hangover}, got {self.post_roll}"
            )
        if self.pre_roll + self.minimum_speech >= self.maximum:
            raise ValueError(
                f"maximum must be above pre_roll + minimum_speech, "
                f"{self.pre_roll + self.minimum_speech:g}, got {self.maximum}"
            )


def check_range(name: str, value: object, low: float, high: float) -> None:
    """ValueError for what is no number in ``low``..``high``."""
    number = isinstance(value, (int, float, np.integer, np.floating))
    if isinstance(value, bool) or not number or not low <= float(value) <= high:  # type: ignore[arg-type]
        raise ValueError(f"{name} must lie in {low:g}..{high:g}, got {value!r}")


class FramedVad(ABC):
    """A :class:`Vad` that hears frames of ``size`` samples one after the other.

    For one thread at a time. Positions are counted in samples.
    """

    def __init__(self, size: int, timing: Timing | None = None) -> None:
        if timing is not None and not isinstance(timing, Timing):
            raise ValueError(f"timing must be a Timing or None, got {type(timing).__name__}")
        self.timing = Timing() if timing is None else timing
        self._size = size
        minimum, self._hangover, self._pre, self._post, most = (
            round(getattr(self.timing, field.name) * SAMPLE_RATE) for field in fields(Timing)
        )
        self._minimum, self._most = max(minimum, 1), min(most, MAX_SAMPLES)
        self._clear()

    def _clear(self) -> None:
        self._rest: NDArray[Any] = np.zeros(0, np.float32)
        self._heard = 0  # samples in whole frames
        self._free = 0  # where the last utterance ended: none begins before
        self._run: int | None = None  # where the speech under way began
        self._start = self._spoken = 0  # of the utterance: its begin, the end of its last speech
        self._speaking = False

    @property
    def speaking(self) -> bool:
        """As :attr:`Vad.speaking`."""
        return self._speaking

    @property
    def until(self) -> float:
        """As :attr:`Vad.until`."""
        return self._end() / SAMPLE_RATE

    @property
    def lookback(self) -> float:
        """As :attr:`Vad.lookback`."""
        return (self._pre + self._minimum + 2 * self._size) / SAMPLE_RATE

    def push(self, pcm: ArrayLike) -> list[VadEvent]:
        """As :meth:`Vad.push`.

        Raises:
            ValueError: sound of another shape or number type, or with a value that is not finite
                or beyond 8; nothing of it is taken then.
        """
        sound = as_float(as_pcm(pcm))
        check_values(sound, self._heard + len(self._rest))
        sound = np.concatenate([self._rest, sound]) if len(self._rest) else sound
        events: list[VadEvent] = []
        whole = len(sound) - len(sound) % self._size
        for first in range(0, whole, self._size):
            speech = self._is_speech(sound[first : first + self._size], self._speaking)
            self._heard += self._size
            self._take(speech, events)
        self._rest = sound[whole:].copy()
        return events

    def finish(self) -> list[VadEvent]:
        """As :meth:`Vad.finish`; sound that fills no frame is not judged."""
        events: list[VadEvent] = []
        self._heard += len(self._rest)
        self._rest = self._rest[:0]
        if self._speaking:
            self._stop(self._end(), events, cut=False)
        self._free, self._run = self._heard, None
        return events

    def reset(self) -> None:
        """As :meth:`Vad.reset`."""
        self._clear()
        self._forget()

    def _take(self, speech: bool, events: list[VadEvent]) -> None:
        """Count the newest frame, which is speech or not."""
        if speech:
            self._run = self._heard - self._size if self._run is None else self._run
            self._spoken = self._heard
        else:
            self._run = None
        if not self._speaking and self._run is not None:
            if self._heard - max(self._run, self._free) >= self._minimum:
                self._begin(self._run, events)
        elif self._speaking and self._heard - self._spoken >= self._hangover:
            self._stop(self._end(), events, cut=False)
        if self._speaking and self._heard - self._start >= self._most:
            self._stop(self._start + self._most, events, cut=True)

    def _begin(self, first: int, events: list[VadEvent]) -> None:
        self._start = max(first - self._pre, self._free)
        self._speaking = True
        events.append(SpeechBegan(self._start / SAMPLE_RATE, self._heard / SAMPLE_RATE))

    def _stop(self, end: int, events: list[VadEvent], *, cut: bool) -> None:
        start, stop, heard = (n / SAMPLE_RATE for n in (self._start, end, self._heard))
        events.append(SpeechStopped(start, stop, heard, cut))
        self._free, self._speaking = end, False

    def _end(self) -> int:
        """Where the utterance ends, should nothing more be said."""
        return min(self._spoken + self._post, self._heard, self._start + self._most)

    @abstractmethod
    def _is_speech(self, frame: NDArray[Any], speaking: bool) -> bool:
        """Whether ``frame`` [size] is speech, within an utterance or not."""

    @abstractmethod
    def _forget(self) -> None:
        """Drop what is remembered of earlier frames."""
