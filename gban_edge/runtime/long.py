"""Sound of any length: where somebody speaks, and the emotion of each utterance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gban_edge.features import SAMPLE_RATE
from gban_edge.runtime.result import Result

if TYPE_CHECKING:
    from gban_edge.vad import Segment, Vad

# None, a source of words (words.py), or one text an utterance.
LongWords = Callable[[NDArray[np.float32], int], str] | Sequence[str] | None


@dataclass(frozen=True, eq=False)
class SpokenSegment:
    """An utterance found in a longer sound.

    Attributes:
        start: where it begins, seconds since the sound's first sample.
        end: where it ends; at most 7.5 s later.
        words: what was said, as it was given or as the source of words has it.
        result: its emotion; the times in it count from ``start``.
    """

    start: float
    end: float
    words: str
    result: Result

    def to_dict(self) -> dict[str, Any]:
        """Plain values under the attributes' names, ready for JSON."""
        return {**vars(self), "result": self.result.to_dict()}


def find_speech(pcm: NDArray[Any], vad: Vad | str) -> list[Segment]:
    """Where somebody speaks in ``pcm`` [samples], 16 kHz."""
    from gban_edge.vad import segments  # which imports the runtime

    return segments(pcm, vad)


def cut(pcm: NDArray[Any], found: Sequence[Segment]) -> list[NDArray[Any]]:
    """The sound of each segment."""
    return [
        pcm[round(one.start * SAMPLE_RATE) : round(one.end * SAMPLE_RATE)] for one in found
    ]  # fmt: skip


def texts_of(words: LongWords, sounds: Sequence[NDArray[Any]]) -> list[str]:
    """What was said in each of ``sounds``.

    Raises:
        ValueError: no text an utterance, or another number of them.
    """
    check_words(words)
    if words is None:
        return [""] * len(sounds)
    if callable(words):
        texts = [words(np.ascontiguousarray(one, np.float32), SAMPLE_RATE) for one in sounds]
    else:
        texts = list(words)
    if len(texts) != len(sounds):
        raise ValueError(
            f"words must have one text an utterance, {len(sounds)} were found, got {len(texts)}"
        )
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise ValueError(f"words must be texts, got {type(text).__name__} for utterance {i}")
    return texts


def check_words(words: object) -> None:
    """ValueError for what is neither None, a callable nor several texts."""
    several = isinstance(words, Sequence) and not isinstance(words, (str, bytes, bytearray))
    if not (words is None or callable(words) or several):
        raise ValueError(
            "words must be None, a callable (pcm, sample_rate) -> text, or a list of one text an "
            f"utterance, got {type(words).__name__}"
        )
