"""From sound and words as they arrive to the emotion of each utterance; no ROS is imported here."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gban_edge_ros.settings import Settings

SAMPLE_RATE = 16000  # of the stream
LONGEST = 120000  # samples that a model looks at, 7.5 s

# Our labels, and the constants of hri_msgs/Expression by their values.
EXPRESSIONS = {"ang": "angry", "hap": "happy", "neu": "neutral", "sad": "sad"}
NO_LABEL = "none"

Pcm = NDArray[np.float32]
WordsOf = Callable[[Pcm, int], str]


@dataclass(frozen=True)
class Utterance:
    """What the robot heard a person say.

    Attributes:
        result: of gban_edge.
        words: what the speech recogniser understood; empty without one, or where it was too late.
        start: where the utterance begins in the sound, seconds.
        end: where it ends.
        latency: seconds from the moment when the end of speech was noticed to this result, waiting
            for words included.
    """

    result: Any
    words: str
    start: float
    end: float
    latency: float

    @property
    def label(self) -> str:
        """In words, "angry", "happy", "neutral" or "sad"; "none" where the model abstains."""
        if self.result.abstained:
            return NO_LABEL
        return EXPRESSIONS.get(self.result.label, self.result.label)

    @property
    def expression(self) -> str | None:
        """The constant of hri_msgs/Expression; None for abstentions and labels it has not."""
        return None if self.result.abstained else EXPRESSIONS.get(self.result.label)

    def to_json(self) -> str:
        """One JSON object: the result without the weights of single steps, and what is above."""
        values = self.result.to_dict()
        for weights in ("speech_weights", "text_weights"):
            values.pop(weights, None)
        values.update(
            label=self.label, words=self.words, start=self.start, end=self.end,
            latency=self.latency,
        )  # fmt: skip
        return json.dumps(values, ensure_ascii=False)


def load_recognizer(settings: Settings) -> Any:
    """The EmotionRecognizer of ``settings``; raises what its from_pretrained raises."""
    from gban_edge import EmotionRecognizer

    return EmotionRecognizer.from_pretrained(
        settings.model, settings.backend, abstain_below=settings.abstain_below
    )


def open_stream(recognizer: Any, settings: Settings, words: WordsOf) -> Any:
    """An UtteranceStream at 16 kHz, with the voice activity detector of ``settings``."""
    from gban_edge.stream import UtteranceStream
    from gban_edge.vad import EnergyGate, SileroVad

    vad = SileroVad() if settings.vad == "silero" else EnergyGate()
    return UtteranceStream(recognizer, vad=vad, words=words)


class VoiceEmotion:
    """Sound in, words in, utterances out; for one thread at a time.

    With a topic of words an utterance is held back until its words come, at most ``words_wait``
    seconds. Words said to belong to it are those that arrive while the person speaks or while it
    is held back; others are dropped and counted. Its sound stays in memory for as long and is
    forgotten then.

    Args:
        settings: the node's.
        recognizer: an EmotionRecognizer.
        make_stream: (recognizer, settings, words) -> an object whose push(pcm) gives events.
        clock: seconds, never going back.

    Raises:
        RuntimeError: the voice activity detector's package is not installed.
    """

    def __init__(
        self,
        settings: Settings,
        recognizer: Any,
        make_stream: Callable[[Any, Settings, WordsOf], Any] = open_stream,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._recognizer = recognizer
        self._clock = clock
        self._stream = make_stream(recognizer, settings, self._words_said)
        self._resampler = None
        if settings.sample_rate != SAMPLE_RATE:
            from gban_edge.core import native

            self._resampler = native().Resampler(settings.sample_rate)
        self._waits = bool(settings.words_topic) and settings.words_wait > 0
        self._speaking = False
        self._said: list[str] = []
        self._ended: tuple[str, Pcm | None] = ("", None)
        self._held: tuple[Utterance, Pcm, float] | None = None
        self.dropped_words = 0

    @property
    def unmapped_labels(self) -> tuple[str, ...]:
        """The model's labels that hri_msgs/Expression has no constant for."""
        return tuple(label for label in self._recognizer.labels if label not in EXPRESSIONS)

    def push(self, pcm: Pcm) -> list[Utterance]:
        """Take the next sound, mono float32 [samples] at the parameters' rate.

        Raises:
            ValueError: values that are not finite or far beyond full scale.
            RuntimeError: the network failed; the next utterance starts afresh.
        """
        if self._resampler is not None:
            if not np.isfinite(pcm).all():
                raise ValueError("audio must be finite, got a value that is not")
            pcm = self._resampler.push(np.ascontiguousarray(pcm, np.float32))
        done = []
        for event in self._stream.push(pcm):
            kind = type(event).__name__
            if kind == "SpeechStarted":
                self._speaking = True
                self._said.clear()
            elif kind == "SpeechEnded":
                self._speaking = False
                done += self._end(event)
        return done + self.poll()

    def hear_words(self, text: str) -> list[Utterance]:
        """Take what the speech recogniser understood, and give the utterance that it completes."""
        text = text.strip()
        if not text:
            return []
        if self._held is not None:
            utterance, pcm, since = self._held
            self._held = None
            result = self._recognizer(pcm, text, SAMPLE_RATE)
            latency = utterance.latency + self._clock() - since
            return [replace(utterance, result=result, words=text, latency=latency)]
        if self._speaking:
            self._said.append(text)
        else:
            self.dropped_words += 1
        return []

    def poll(self) -> list[Utterance]:
        """The utterance whose words have not come in time, without them; to be called often."""
        if self._held is None or self._clock() - self._held[2] < self._settings.words_wait:
            return []
        return self._let_go()

    def finish(self) -> list[Utterance]:
        """What is still held back; the sound is over."""
        return self._let_go()

    def _words_said(self, pcm: Pcm, sample_rate: int) -> str:
        """What the stream asks for at the end of speech, before it answers."""
        words = " ".join(self._said)
        self._said.clear()
        held = np.array(pcm[:LONGEST], np.float32) if self._waits and not words else None
        self._ended = (words, held)
        return words

    def _end(self, event: Any) -> list[Utterance]:
        words, pcm = self._ended
        self._ended = ("", None)
        utterance = Utterance(event.result, words, event.start, event.end, event.latency)
        before = self._let_go()  # its words will not come any more
        if pcm is None:
            return [*before, utterance]
        self._held = (utterance, pcm, self._clock())
        return before

    def _let_go(self) -> list[Utterance]:
        if self._held is None:
            return []
        utterance, _, since = self._held
        self._held = None
        return [replace(utterance, latency=utterance.latency + self._clock() - since)]
