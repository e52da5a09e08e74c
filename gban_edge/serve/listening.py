"""What a stream of sound is listened to with: sound in, events out, as the WebSocket sends them."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gban_edge.runtime.recognizer import EmotionRecognizer
from gban_edge.runtime.result import Result

Event = dict[str, Any]
Pcm = NDArray[Any]
WordSource = Callable[[Pcm, int], str]
LEVEL_SECONDS = 0.1


class Listener(Protocol):
    """One stream's sound; called by one thread at a time."""

    def push(self, pcm: Pcm) -> list[Event]:
        """int16 [samples] that arrived -> what happened."""

    def say(self, words: str, once: bool) -> None:
        """What is being said: from now on, or ``once``: in the present or next utterance."""

    def end(self) -> list[Event]:
        """The present utterance ends here, if there is one."""


# (recognizer, sample_rate, the client's words for every utterance, the server's own word source)
ListenerFactory = Callable[[EmotionRecognizer, int, str | None, WordSource | None], Listener]


class ByHand:
    """A :class:`Listener`: an utterance begins with the first sound after another's end and ends by
    hand.

    A word source of the server is not used: it would need the sound, which is not kept.
    """

    def __init__(
        self,
        recognizer: EmotionRecognizer,
        sample_rate: int,
        words: str | None = None,
        source: WordSource | None = None,
    ) -> None:
        self._stream = recognizer.stream(sample_rate)
        self._rate = sample_rate
        self._default, self._words = words, words
        self._heard = 0  # samples of the whole stream
        self._begin: int | None = None
        self._level = RunningLevel(sample_rate)

    def push(self, pcm: Pcm) -> list[Event]:
        """As :class:`Listener` has it; tells "speech_started" and "level"."""
        events: list[Event] = []
        if len(pcm) and self._begin is None:
            self._begin = self._heard
            events.append({"type": "speech_started", "time": self._heard / self._rate})
        self._stream.push(pcm)
        self._heard += len(pcm)
        return events + self._level.push(pcm, self._begin is not None)

    def say(self, words: str, once: bool) -> None:
        """As :class:`Listener` has it."""
        self._words = words
        if not once:
            self._default = words

    def end(self) -> list[Event]:
        """As :class:`Listener` has it; tells "result"."""
        begin = perf_counter()
        if self._begin is None:
            return []
        start, words = self._begin, self._words or ""
        self._begin, self._words = None, self._default
        result = self._stream.finish(words)
        latency = perf_counter() - begin
        return [result_event(start / self._rate, self._heard / self._rate, latency, words, result)]


class ByVoice:
    """A :class:`Listener`: utterances found by :class:`gban_edge.stream.UtteranceStream`, or ended
    by hand."""

    def __init__(
        self,
        recognizer: EmotionRecognizer,
        sample_rate: int,
        words: str | None = None,
        source: WordSource | None = None,
    ) -> None:
        from gban_edge.stream import UtteranceStream

        self._default, self._source = words, source
        self._stream = UtteranceStream(recognizer, words=self._said, sample_rate=sample_rate)

    def push(self, pcm: Pcm) -> list[Event]:
        """As :class:`Listener` has it; tells "speech_started", "level" and "result"."""
        return [_as_dict(event) for event in self._stream.push(pcm)]

    def say(self, words: str, once: bool) -> None:
        """As :class:`Listener` has it."""
        if once:
            self._stream.set_words(words)
        else:
            self._default = words

    def end(self) -> list[Event]:
        """As :class:`Listener` has it."""
        return [_as_dict(event) for event in self._stream.finish()]

    def _said(self, pcm: Pcm, sample_rate: int) -> str:
        """The client's words, or what the server's own source hears."""
        if self._default or self._source is None:
            return self._default or ""
        return self._source(pcm, sample_rate)


def _as_dict(event: Any) -> Event:
    """An event of the stream as JSON has it."""
    from gban_edge.stream import Level, SpeechEnded

    if isinstance(event, SpeechEnded):
        found = result_event(event.start, event.end, event.latency, event.words, event.result)
        names = ("timings", "hangover", "cut", "words_error")
        return found | {name: getattr(event, name) for name in names}
    kind = "level" if isinstance(event, Level) else "speech_started"
    return {"type": kind, **vars(event)}


class RunningLevel:
    """The root mean square of every tenth of a second."""

    def __init__(self, sample_rate: int) -> None:
        self._rate = sample_rate
        self._each = max(1, round(LEVEL_SECONDS * sample_rate))
        self._heard, self._count, self._power = 0, 0, 0.0

    def push(self, pcm: Pcm, speaking: bool) -> list[Event]:
        """int16 [samples] -> an event, if a tenth of a second is complete."""
        single = pcm.astype(np.float32) / np.float32(32768.0)
        self._power += float(single @ single)
        self._count += len(pcm)
        self._heard += len(pcm)
        if self._count < self._each:
            return []
        rms = float(np.sqrt(self._power / self._count))
        self._count, self._power = 0, 0.0
        time = self._heard / self._rate
        return [{"type": "level", "time": time, "rms": rms, "speaking": speaking}]


def result_event(start: float, end: float, latency: float, words: str, result: Result) -> Event:
    """The event of an utterance from ``start`` to ``end``, in seconds of the stream."""
    return {
        "type": "result", "start": start, "end": end, "latency": latency, "words": words,
        "result": result.to_dict(),
    }  # fmt: skip
