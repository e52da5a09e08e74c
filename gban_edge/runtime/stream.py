"""One utterance after the other while it is being spoken."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from gban_edge.core import native
from gban_edge.features import SAMPLE_RATE, Frontend
from gban_edge.runtime.backend import Floats
from gban_edge.runtime.result import Result
from gban_edge.runtime.sound import as_float, as_pcm, check_rate, check_values, most_samples
from gban_edge.runtime.sound import sound_notes as notes_of
from gban_edge.runtime.words import Said, Words

# Of words that were read, features [N, 52], seconds heard, notes, seconds spent on features.
Finish = Callable[[Words, Floats, float, tuple[str, ...], float], Result]


class Stream:
    """Takes sound as it arrives; features are computed meanwhile. ``rec.stream()`` makes one::

        stream = rec.stream()
        for block in microphone:
            stream.push(block)
        result = stream.finish("that is incredible")

    The result is that of the whole sound at once, bit for bit. For one thread at a time.
    """

    def __init__(
        self, sample_rate: int, read_words: Callable[[Said], Words], finish: Finish
    ) -> None:
        check_rate(sample_rate)
        self._rate = int(sample_rate)
        self._read_words = read_words
        self._finish = finish
        self._begin()

    def _begin(self) -> None:
        self._frontend = Frontend()
        self._resampler: Any = None if self._rate == SAMPLE_RATE else native().Resampler(self._rate)
        self._pushed = 0
        self._spent = 0.0

    @property
    def seconds(self) -> float:
        """Sound of this utterance that will be heard so far, at most 7.5."""
        return min(self._pushed, most_samples(self._rate)) / self._rate

    def push(self, pcm: ArrayLike) -> Stream:
        """Take the next piece of the utterance and return self.

        Args:
            pcm: mono sound [samples] of any length, floating point of full scale 1.0 or int16.
                What lies beyond 7.5 s of the utterance is not looked at.

        Raises:
            ValueError: as :class:`EmotionRecognizer` has it, samples being counted from the
                utterance's beginning. Nothing of this piece is taken then.
        """
        begin = perf_counter()
        sound = as_pcm(pcm)
        left = max(0, most_samples(self._rate) - self._pushed)
        heard = as_float(sound[:left])
        check_values(heard, self._pushed)
        if self._resampler is not None:
            heard = self._resampler.push(np.ascontiguousarray(heard, np.float32))
        self._frontend.push(heard)
        self._pushed += len(sound)
        self._spent += perf_counter() - begin
        return self

    def finish(self, words: Said = "") -> Result:
        """The result of the utterance, which ends here; the next push begins another.

        Args:
            words: what was said, as :class:`EmotionRecognizer` takes it.

        Raises:
            ValueError: words that are no text; the sound is kept then.
            RuntimeError: the network failed; the sound is gone.
        """
        begin = perf_counter()
        said = self._read_words(words)
        if self._resampler is not None:
            self._frontend.push(self._resampler.finish())
        frames = self._frontend.finish()
        seconds, notes = self.seconds, notes_of(self._pushed, self._rate)
        spent = self._spent + perf_counter() - begin
        self._begin()
        return self._finish(said, frames, seconds, notes, spent)

    def discard(self) -> None:
        """Forget the sound; the next push begins another utterance."""
        self._begin()
