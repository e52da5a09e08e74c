"""From sound and words as they arrive to the emotion of each utterance; no ROS is imported here."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gban_edge import EmotionRecognizer
from gban_edge.runtime.result import Result
from gban_edge.stream import SpeechEnded, UtteranceStream
from gban_edge_ros.settings import Settings

# The constants of hri_msgs/Expression (0.9 and 2.0) by their values, and what corpora call them.
CONSTANTS = (
    "neutral", "angry", "sad", "happy", "surprised", "disgusted", "scared", "pleading",
    "vulnerable", "despaired", "guilty", "disappointed", "embarrassed", "horrified", "skeptical",
    "annoyed", "furious", "suspicious", "rejected", "bored", "tired", "asleep", "confused",
    "amazed", "excited",
)  # fmt: skip
EXPRESSIONS = {
    **{name: name for name in CONSTANTS},
    "ang": "angry", "hap": "happy", "neu": "neutral", "sad": "sad", "exc": "excited",
    "sur": "surprised", "dis": "disgusted", "fea": "scared",
}  # fmt: skip
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

    result: Result
    words: str
    start: float
    end: float
    latency: float

    @property
    def label(self) -> str:
        """In words, "angry", "happy", "neutral", "sad"; "none" where the model abstains."""
        if self.result.abstained:
            return NO_LABEL
        return EXPRESSIONS.get(self.result.label, self.result.label)

    @property
    def expression(self) -> str | None:
        """The constant of hri_msgs/Expression; None for abstentions and labels it has not."""
        return None if self.result.abstained else EXPRESSIONS.get(self.result.label)

    def to_json(self) -> str:
        """One JSON object: the result, without the weights of single steps, and what is above.

        ``label`` and the names of ``probabilities`` are the model's ("ang"), as everywhere in
        gban-edge; ``expression`` is ours, or null.
        """
        values = self.result.to_dict()
        for name in ("speech_weights", "text_weights", "alpha", "speech_times"):
            del values[name]
        values |= {"expression": self.expression, "words": self.words}
        values |= {"start": self.start, "end": self.end, "latency": self.latency}
        return json.dumps(values, ensure_ascii=False)


def load_recognizer(settings: Settings) -> EmotionRecognizer:
    """The EmotionRecognizer of ``settings``; raises what its from_pretrained raises."""
    return EmotionRecognizer.from_pretrained(
        settings.model, settings.backend, abstain_below=settings.abstain_below
    )


def open_stream(
    recognizer: EmotionRecognizer, settings: Settings, words: WordsOf | None
) -> UtteranceStream:
    """The stream that finds utterances in sound of ``settings.sample_rate``."""
    return UtteranceStream(recognizer, settings.vad, words, settings.sample_rate)


class _Held(NamedTuple):
    """An utterance whose words have not come yet, its sound, and since when."""

    utterance: Utterance
    pcm: Pcm
    sample_rate: int
    since: float


class VoiceEmotion:
    """Sound in, words in, utterances out; for one thread at a time.

    Words belong to the utterance during which they arrive. Where none have when it ends, it is held
    back until some do, at most ``words_wait`` seconds and not beyond the end of the next; its sound
    stays in memory for as long. Words that arrive at any other time are dropped and counted.

    Sound that stops coming, as from a microphone's driver that was ended, ends the utterance under
    way after ``sound_wait`` seconds.

    Args:
        settings: the node's.
        recognizer: an EmotionRecognizer.
        make_stream: as :func:`open_stream`, which it replaces in tests.
        clock: seconds, never going back.

    Raises:
        RuntimeError: the voice activity detector's package is not installed.
    """

    def __init__(
        self,
        settings: Settings,
        recognizer: EmotionRecognizer,
        make_stream: Callable[..., Any] = open_stream,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._recognizer = recognizer
        self._clock = clock
        # Without a topic of words the stream need not keep the sound.
        words = self._words_said if settings.words_topic else None
        self._stream = make_stream(recognizer, settings, words)
        self._waits = bool(settings.words_topic) and settings.words_wait > 0
        self._said: list[str] = []
        self._asked: tuple[Pcm, int] | None = None
        self._held: _Held | None = None
        self._came = clock()  # the last sound
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
        self._came = self._clock()
        return self._ended(self._stream.push(pcm)) + self._too_late()

    def finish(self) -> list[Utterance]:
        """The sound ends here: what was being said, and what waits for its words, as they are.

        Raises:
            RuntimeError: as :meth:`push`.
        """
        return self._ended(self._stream.finish()) + self._let_go()

    def _ended(self, events: list[Any]) -> list[Utterance]:
        return [
            one for event in events if isinstance(event, SpeechEnded) for one in self._end(event)
        ]

    def hear_words(self, text: str) -> list[Utterance]:
        """Take what the speech recogniser understood, and give the utterance that it completes."""
        text = text.strip()
        if not text:
            return []
        if self._held is not None:
            held = self._held
            result = self._recognizer(held.pcm, text, held.sample_rate)
            self._held = None
            latency = held.utterance.latency + self._clock() - held.since
            return [replace(held.utterance, result=result, words=text, latency=latency)]
        if self._stream.speaking:
            self._said.append(text)
        else:
            self.dropped_words += 1
        return []

    def poll(self) -> list[Utterance]:
        """What time alone has ended; to be called often.

        That is the utterance whose words have not come in time, without them, and the one during
        which no sound has come for ``sound_wait``.

        Raises:
            RuntimeError: as :meth:`push`.
        """
        done = self._too_late()
        if self._stream.speaking and self._clock() - self._came >= self._settings.sound_wait:
            done += self._ended(self._stream.finish())
        return done

    def _too_late(self) -> list[Utterance]:
        if self._held is None or self._clock() - self._held.since < self._settings.words_wait:
            return []
        return self._let_go()

    def _words_said(self, pcm: Pcm, sample_rate: int) -> str:
        """What the stream asks for at the end of speech, before it answers."""
        words = " ".join(self._said)
        self._said.clear()
        self._asked = (pcm, sample_rate) if self._waits and not words else None
        return words

    def _end(self, event: SpeechEnded) -> list[Utterance]:
        utterance = Utterance(event.result, event.words, event.start, event.end, event.latency)
        asked, self._asked = self._asked, None
        before = self._let_go()  # its words will not come any more
        if asked is None:
            return [*before, utterance]
        self._held = _Held(utterance, *asked, self._clock())
        return before

    def _let_go(self) -> list[Utterance]:
        """What is held back, without words."""
        if self._held is None:
            return []
        held, self._held = self._held, None
        latency = held.utterance.latency + self._clock() - held.since
        return [replace(held.utterance, latency=latency)]
