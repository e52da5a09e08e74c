"""Length buckets: the fixed shapes of an engine, one optimisation profile and CUDA graph each."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from gban_edge.features import FFT, HOP, MAX_SAMPLES
from gban_edge.runtime.words import MAX_WORDS

Bucket = tuple[int, int]
"""Frames N and words M that utterances are padded to."""

MAX_FRAMES = 1 + (MAX_SAMPLES - FFT) // HOP
"""747, what the frontend makes of 7.5 s of sound, the longest that it hears."""

# What an utterance costs grows with its padded length, since the BiLSTM takes its steps one after
# the other; what a bucket costs is a profile to build and a graph to keep. So: 2 s, 4 s and 7.5 s
# of sound, each with the words of quick speech (4 a second), and one that takes everything.
BUCKETS: tuple[Bucket, ...] = ((197, 8), (397, 16), (MAX_FRAMES, 32), (MAX_FRAMES, MAX_WORDS))


def check_buckets(buckets: Sequence[Bucket], minimum_frames: int) -> tuple[Bucket, ...]:
    """``buckets`` as a tuple, if an engine can have them.

    Args:
        minimum_frames: the network's receptive field (61 at the authors' sizes).

    Raises:
        ValueError: none, one too small, not in ascending order, or a last one that does not take
            all that the frontend and the tokenizer can give.
    """
    wanted = tuple((int(frames), int(words)) for frames, words in buckets)
    if not wanted:
        raise ValueError("buckets must hold at least one (frames, words), got none")
    for frames, words in wanted:
        if frames < minimum_frames or words < 1:
            raise ValueError(
                f"buckets must have at least {minimum_frames} frames (the network's receptive "
                f"field) and 1 word, got {frames}x{words}"
            )
    for first, second in pairwise(wanted):
        if first == second or first[0] > second[0] or first[1] > second[1]:
            raise ValueError(
                "buckets must ascend, frames and words alike, got "
                f"{first[0]}x{first[1]} before {second[0]}x{second[1]}"
            )
    if wanted[-1][0] < MAX_FRAMES or wanted[-1][1] < MAX_WORDS:
        raise ValueError(
            f"the last of the buckets must take every utterance, at least {MAX_FRAMES}x{MAX_WORDS} "
            f"(7.5 s, {MAX_WORDS} words), got {wanted[-1][0]}x{wanted[-1][1]}; add "
            f"{MAX_FRAMES}x{MAX_WORDS}"
        )
    return wanted


def parse_buckets(text: str) -> tuple[Bucket, ...]:
    """Buckets as "197x8,747x512" writes them, frames then words.

    Raises:
        ValueError: the text does not read so.
    """
    made = []
    for part in text.split(","):
        frames, _, words = part.strip().partition("x")
        if not (frames.isdecimal() and words.isdecimal()):
            raise ValueError(
                f"buckets must be FRAMESxWORDS joined by commas, as 197x8,747x512, got {text!r}"
            )
        made.append((int(frames), int(words)))
    return tuple(made)
