"""How far a confidence can be believed, and how to abstain when it is too low. NumPy alone.

An utterance's confidence is its greatest probability. Arrays are [n] or [n, C]: n utterances,
C classes. No result depends on the order of the utterances.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
BINS = 15
MINIMUM = 30
CONFIDENCE_LEVEL = 0.95


@dataclass(frozen=True)
class Reliability:
    """What a reliability diagram shows, each [bins].

    Attributes:
        count: utterances in each bin.
        confidence: their mean confidence; NaN where a bin is empty.
        accuracy: the share of them that is right; NaN where a bin is empty.
    """

    count: NDArray[np.int64]
    confidence: Array
    accuracy: Array


def softmax(logits: ArrayLike, temperature: float = 1.0) -> Array:
    """softmax(logits / temperature) over the last axis: logits [n, C] or [C] -> the same shape.

    A temperature above 1 makes the network less sure, one below 1 surer; its answer stays
    (Guo et al. 2017, "On Calibration of Modern Neural Networks", equation 9).

    Raises:
        ValueError: logits of another shape or not finite; a temperature that is not positive.
    """
    values = np.asarray(logits, np.float64)
    if values.ndim not in (1, 2) or 0 in values.shape or not np.isfinite(values).all():
        raise ValueError(f"logits must be finite, [n, C] or [C], got {_describe(values)}")
    if not (math.isfinite(temperature) and temperature > 0):
        raise ValueError(f"temperature must be finite and above 0, got {temperature}")
    values = (values - values.max(axis=-1, keepdims=True)) / temperature
    exponents = np.exp(values)
    return np.asarray(exponents / exponents.sum(axis=-1, keepdims=True))


def reliability(probabilities: ArrayLike, labels: ArrayLike, bins: int = BINS) -> Reliability:
    """Utterances, mean confidence and accuracy in equal bins ((m - 1) / bins, m / bins].

    Guo et al. 2017, section 2. The prediction is the most probable class, the first of equals.

    Args:
        probabilities: [n, C], rows that sum to 1.
        labels: class indices [n].
        bins: how many.

    Raises:
        ValueError: shapes that do not fit, rows that do not sum to 1, unknown labels, bins < 1.
    """
    shares, truth = _check_probabilities(probabilities, labels)
    if bins < 1:
        raise ValueError(f"bins must be at least 1, got {bins}")
    confidence = shares.max(axis=1)
    # Inner edges alone: what lies a rounding error below 0 or above 1 has a bin too.
    place = np.searchsorted(np.arange(1, bins) / bins, confidence, side="left")
    count = np.bincount(place, minlength=bins)
    right = np.bincount(place, shares.argmax(axis=1) == truth, bins)
    # Sorted, so that the sums round alike whatever the order of the utterances is.
    order = np.argsort(confidence, kind="stable")
    total = np.bincount(place[order], confidence[order], bins)
    with np.errstate(invalid="ignore"):
        return Reliability(count, total / count, right / count)


def expected_calibration_error(
    probabilities: ArrayLike, labels: ArrayLike, bins: int = BINS
) -> float:
    """ECE = sum over bins of (count / n) |accuracy - mean confidence| (Guo et al. 2017, eq. 3).

    0 is perfect. Arguments and errors are those of :func:`reliability`.
    """
    found = reliability(probabilities, labels, bins)
    gaps = np.nan_to_num(np.abs(found.accuracy - found.confidence))
    return float(found.count @ gaps / found.count.sum())


def accuracy_coverage(confidence: ArrayLike, correct: ArrayLike) -> tuple[Array, Array]:
    """Coverage and accuracy when only confident utterances are answered, each [k], coverage rising.

    One point for each of the k different confidences, the greatest first: all utterances at least
    as confident are answered. Utterances of equal confidence are answered together, or not at all.
    El-Yaniv and Wiener 2010 (the risk-coverage curve; accuracy is 1 - risk).

    Args:
        confidence: [n] in 0..1.
        correct: [n], true or false.

    Raises:
        ValueError: shapes that do not fit, no utterance, values outside their range.
    """
    values, right = _check_answers(confidence, correct)
    _, kept, hits = _steps(values, right)
    return kept / len(values), hits / kept


def accuracy_at_coverage(confidence: ArrayLike, correct: ArrayLike, coverage: float) -> float:
    """Accuracy on the most confident share ``coverage`` (above 0, at most 1) of the utterances.

    Where utterances of equal confidence lie on both sides of the cut, it is the expectation over
    a random choice among them. Arguments and errors are those of :func:`accuracy_coverage`.
    """
    values, right = _check_answers(confidence, correct)
    if not 0 < coverage <= 1:
        raise ValueError(f"coverage must be above 0 and at most 1, got {coverage}")
    _, kept, hits = _steps(values, right)
    cut = coverage * len(values)
    return float(np.interp(cut, np.append(0, kept), np.append(0, hits)) / cut)


def abstain_threshold(
    confidence: ArrayLike,
    correct: ArrayLike,
    target: float,
    minimum: int = MINIMUM,
    confidence_level: float | None = CONFIDENCE_LEVEL,
) -> float | None:
    """The least threshold with which an answer is right with at least the target accuracy.

    Utterances with confidence >= threshold are answered, the others not. The threshold is 0 where
    no abstention is needed, else the confidence of one of the utterances.

    The accuracy on *these* utterances reaches the target, and so does its Clopper-Pearson lower
    bound at ``confidence_level``. With None the bound is not asked for; such a plain choice is
    optimistic: the threshold was chosen to look well on these utterances, and about every second
    time new ones come out below the target. The bound wants room above the target (at .95, a
    target of .99 needs 299 answers without an error). It is exact for one threshold; that the
    least of many is taken makes it a little optimistic still. Neither form covers speakers or
    rooms other than those of the data.

    Args:
        confidence: [n] in 0..1, calibrated.
        correct: [n] true or false.
        target: the accuracy wanted, above 0, at most 1.
        minimum: answer at least so many of these utterances: fewer show nothing.
        confidence_level: above 0, below 1, or None.

    Returns:
        The threshold, or None where no threshold reaches the target.

    Raises:
        ValueError: shapes that do not fit, no utterance, values outside their range.
    """
    values, right = _check_answers(confidence, correct)
    if not 0 < target <= 1:
        raise ValueError(f"target must be above 0 and at most 1, got {target}")
    if minimum < 1:
        raise ValueError(f"minimum must be at least 1, got {minimum}")
    if confidence_level is not None and not 0 < confidence_level < 1:
        raise ValueError(f"confidence_level must be between 0 and 1, got {confidence_level}")
    thresholds, kept, hits = _steps(values, right)
    reached = (kept >= minimum) & (hits / kept >= target)
    for i in np.flatnonzero(reached)[::-1]:  # the least threshold first
        if confidence_level is None or _shown(int(kept[i]), int(hits[i]), target, confidence_level):
            return 0.0 if kept[i] == len(values) else float(thresholds[i])
    return None


def _shown(kept: int, hits: int, target: float, level: float) -> bool:
    """Is the Clopper-Pearson lower bound of hits / kept at least ``target``?

    That is so exactly if a classifier of accuracy ``target`` would have so few errors, or fewer,
    with probability at most 1 - level; which needs no quantile of a beta distribution.
    """
    if target == 1:
        return False  # no number of right answers shows that none is wrong
    errors = np.arange(kept - hits + 1)
    factorials = np.cumsum(np.log(np.maximum(np.arange(kept + 1), 1)))
    ways = factorials[kept] - factorials[errors] - factorials[kept - errors]
    terms = ways + errors * math.log1p(-target) + (kept - errors) * math.log(target)
    return bool(np.exp(terms).sum() <= 1 - level)


def _steps(values: Array, right: Array) -> tuple[Array, NDArray[np.int64], Array]:
    """Different confidences, falling; how many utterances reach each, and how many are right."""
    thresholds, place = np.unique(-values, return_inverse=True)
    return -thresholds, np.cumsum(np.bincount(place)), np.cumsum(np.bincount(place, right))


def _check_probabilities(
    probabilities: ArrayLike, labels: ArrayLike
) -> tuple[Array, NDArray[np.int64]]:
    shares, truth = np.asarray(probabilities, np.float64), np.asarray(labels)
    if shares.ndim != 2 or 0 in shares.shape:
        raise ValueError(f"probabilities must be [n, C], n >= 1, got {_describe(shares)}")
    if not ((shares >= 0).all() and np.allclose(shares.sum(axis=1), 1, atol=1e-3)):
        raise ValueError("probabilities must be at least 0 and sum to 1 in each row")
    if truth.shape != shares.shape[:1] or not np.issubdtype(truth.dtype, np.integer):
        raise ValueError(f"labels must be {len(shares)} class indices, got {_describe(truth)}")
    if truth.min() < 0 or truth.max() >= shares.shape[1]:
        raise ValueError(
            f"labels must be from 0 to {shares.shape[1] - 1}, got {truth.min()} to {truth.max()}"
        )
    return shares, truth


def _check_answers(confidence: ArrayLike, correct: ArrayLike) -> tuple[Array, Array]:
    values, right = np.asarray(confidence, np.float64), np.asarray(correct)
    if values.ndim != 1 or not len(values):
        raise ValueError(f"confidence must be [n], n >= 1, got {_describe(values)}")
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError("confidence must be from 0 to 1")
    if right.shape != values.shape or not np.isin(right, (0, 1)).all():
        raise ValueError(f"correct must be {len(values)} of true or false, got {_describe(right)}")
    return values, right.astype(np.float64)


def _describe(values: NDArray[np.generic]) -> str:
    return f"{values.dtype} {list(values.shape)}"
