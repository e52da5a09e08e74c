"""Imperfect words: seeded recognition errors to evaluate with, word dropout to train with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rapidfuzz.distance import Levenshtein

from gban_edge.text import UNKNOWN_ID

# Of all errors that a recogniser makes in conversation. Rounded from scored results of Kaldi:
# .61/.28/.11 at 16.5% WER (Switchboard and CallHome, egs/swbd/s5c/RESULTS, nnet3 LSTM),
# .56/.32/.12 at 22.4% and .57/.31/.12 at 35.4% (AMI headsets, egs/ami/s5b/RESULTS_ihm).
SUBSTITUTED, DELETED, INSERTED = 0.6, 0.3, 0.1


def corrupt(
    words: Sequence[str], rate: float, vocabulary: Sequence[str], rng: np.random.Generator
) -> list[str]:
    """``words`` as a recogniser with an expected word error rate of ``rate`` would give them.

    Each word by itself suffers one error with probability ``rate``: it is replaced by another
    word, lost, or followed by a word that was not said, in the shares above. Wrong words are
    drawn uniformly from ``vocabulary``. Given running text, in which frequent words stand often,
    that is in proportion to frequency, as a recogniser's language model errs towards what is
    said often. They are not chosen to sound alike, as a recogniser's are.

    What is drawn from ``rng`` does not depend on ``rate``: with equal seeds the errors at a
    higher rate contain those at a lower one.

    Raises:
        ValueError: ``rate`` outside 0-1, or fewer than two different words in ``vocabulary``.
    """
    _check_probability("rate", rate)
    if all(word == vocabulary[0] for word in vocabulary):
        raise ValueError(
            f"vocabulary must hold at least two different words, got {len(set(vocabulary))}"
        )
    chances = rng.random((len(words), 2))
    others = [_another(word, vocabulary, rng) for word in words]
    heard: list[str] = []
    for word, other, (error, kind) in zip(words, others, chances, strict=True):
        if error >= rate:
            heard.append(word)
        elif kind < SUBSTITUTED:
            heard.append(other)
        elif kind >= SUBSTITUTED + DELETED:
            heard += [word, other]
    return heard


def measured_wer(references: Sequence[Sequence[str]], hypotheses: Sequence[Sequence[str]]) -> float:
    """Word error rate over all utterances: edits of the best alignments, a reference word.

    Raises:
        ValueError: another number of hypotheses than of references, or no reference word at all.
    """
    if len(references) != len(hypotheses):
        raise ValueError(
            f"hypotheses must be as many as references ({len(references)}), got {len(hypotheses)}"
        )
    spoken = sum(map(len, references))
    if not spoken:
        raise ValueError("references must hold at least one word")
    edits = sum(map(Levenshtein.distance, references, hypotheses))
    return edits / spoken


def drop_words(ids: list[int], probability: float, rng: np.random.Generator) -> list[int]:
    """Word dropout: what is left of a transcript's ids [M] for one step of training.

    With ``probability`` the whole transcript is lost and what an empty one gives is left, one
    ``<unk>``; otherwise each word becomes ``<unk>`` with ``probability``. Nothing is drawn from
    ``rng`` for a probability of 0.

    Raises:
        ValueError: ``probability`` outside 0-1.
    """
    _check_probability("probability", probability)
    if probability == 0.0:
        return ids
    if rng.random() < probability:
        return [UNKNOWN_ID]
    lost = rng.random(len(ids)) < probability
    return [UNKNOWN_ID if gone else word for word, gone in zip(ids, lost, strict=True)]


def _another(word: str, vocabulary: Sequence[str], rng: np.random.Generator) -> str:
    while (other := vocabulary[rng.integers(len(vocabulary))]) == word:
        pass
    return other


def _check_probability(name: str, value: float) -> None:
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"{name} must lie in 0-1, got {value}")
