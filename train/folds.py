"""The five folds by session, and the validation part held out of the training speakers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gban_edge.labels import LABELS
from train.corpus import SESSIONS, Utterance

VALIDATION_SHARE = 0.05


@dataclass(frozen=True)
class Fold:
    """One fold: its test session's utterances, and the other four sessions' in two parts."""

    number: int
    train: list[Utterance]
    validation: list[Utterance]
    test: list[Utterance]


def make_fold(
    utterances: Sequence[Utterance], number: int, seed: int, validation: str = "random"
) -> Fold:
    """Split by session: fold n is tested on session n, whose speakers nothing else ever sees.

    Args:
        validation: "random" holds out 5% of the training utterances, stratified by label (the
            paper's way; they share speakers with training); "speaker" holds out one speaker.

    Raises:
        ValueError: no such fold or way, or a part that would be empty.
    """
    if number not in SESSIONS:
        raise ValueError(f"fold must be one of {list(SESSIONS)}, got {number}")
    test = [u for u in utterances if u.session == number]
    rest = [u for u in utterances if u.session != number]
    rng = np.random.default_rng([seed, number, 5])
    if validation == "random":
        held_out = _stratified(rest, rng)
    elif validation == "speaker":
        speakers = sorted({u.speaker for u in rest})
        chosen = speakers[rng.integers(len(speakers))] if speakers else ""
        held_out = {u.name for u in rest if u.speaker == chosen}
    else:
        raise ValueError(f"validation must be 'random' or 'speaker', got {validation!r}")
    fold = Fold(
        number,
        [u for u in rest if u.name not in held_out],
        [u for u in rest if u.name in held_out],
        test,
    )
    for part in ("train", "validation", "test"):
        if not getattr(fold, part):
            raise ValueError(f"fold {number} has no {part} utterances in this corpus")
    return fold


def _stratified(utterances: Sequence[Utterance], rng: np.random.Generator) -> set[str]:
    """Names of 5% of each label's utterances, at least one where there are two."""
    chosen: set[str] = set()
    for label in LABELS:
        names = [u.name for u in utterances if u.label == label]
        count = max(round(VALIDATION_SHARE * len(names)), int(len(names) > 1))
        chosen.update(names[i] for i in rng.permutation(len(names))[:count])
    return chosen


def parse_folds(text: str) -> list[int]:
    """ "1-5", "2", "1,3-4" -> fold numbers in order; ValueError for anything else."""
    numbers: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise ValueError(f"folds must read like 1-5 or 1,3, got {text!r}")
        numbers.update(range(int(first), int(last if dash else first) + 1))
    unknown = sorted(numbers - set(SESSIONS))
    if unknown or not numbers:
        raise ValueError(f"folds must lie in 1-5, got {text!r}")
    return sorted(numbers)
