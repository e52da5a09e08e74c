"""WA, UA, recalls and the confusion matrix, as the paper defines them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Metrics:
    """What a set of predictions scores.

    Attributes:
        confusion: int [C, C], rows the true class, columns the predicted one.
        wa: weighted accuracy, the share of utterances that are right.
        ua: unweighted accuracy, the mean of the recalls of the classes that occur.
        recalls: recall of each class; NaN for a class that does not occur.
    """

    confusion: np.ndarray
    wa: float
    ua: float
    recalls: np.ndarray


def score(truth: ArrayLike, predicted: ArrayLike, classes: int) -> Metrics:
    """Score class indices [n] against class indices [n]."""
    truth, predicted = np.asarray(truth), np.asarray(predicted)
    if truth.shape != predicted.shape or truth.ndim != 1 or not len(truth):
        raise ValueError(
            f"truth and predicted must have one shape [n], n >= 1, got {list(truth.shape)} "
            f"and {list(predicted.shape)}"
        )
    confusion = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(confusion, (truth, predicted), 1)
    return from_confusion(confusion)


def from_confusion(confusion: ArrayLike) -> Metrics:
    """Metrics of a confusion matrix [C, C]."""
    confusion = np.asarray(confusion)
    occurrences = confusion.sum(axis=1)
    with np.errstate(invalid="ignore"):
        recalls = np.diag(confusion) / occurrences
    wa = float(np.trace(confusion) / confusion.sum())
    return Metrics(confusion, wa, float(np.mean(recalls[occurrences > 0])), recalls)


def summarise(results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """WA and UA of one model: a mean a fold, and mean and deviation over seeds of the folds' mean.

    ``results`` are the tasks' results (train/tasks.py), every fold with the same seeds. Deviations
    are None for one seed. ``test_to_train`` is the mean over folds of test size / training size.
    """
    folds = sorted({r["fold"] for r in results})
    seeds = sorted({r["seed"] for r in results})
    summary: dict[str, Any] = {"folds": folds, "seeds": seeds}
    for metric in ("wa", "ua"):
        value = {(r["fold"], r["seed"]): r[metric] for r in results}
        by_seed = [float(np.mean([value[f, s] for f in folds])) for s in seeds]
        summary[metric] = {
            "by_fold": [float(np.mean([value[f, s] for s in seeds])) for f in folds],
            "sd_by_fold": [_deviation([value[f, s] for s in seeds]) for f in folds],
            "mean": float(np.mean(by_seed)),
            "sd_over_seeds": _deviation(by_seed),
        }
    sizes = [r["utterances"] for r in results]
    summary["test_to_train"] = float(np.mean([n["test"] / n["train"] for n in sizes]))
    total = from_confusion(np.sum([r["confusion"] for r in results], axis=0))
    summary["confusion"] = total.confusion.tolist()
    summary["recalls"] = [None if np.isnan(v) else float(v) for v in total.recalls]
    gates = [r["gates"] for r in results if r["gates"] is not None]
    if gates:
        summary["gates"] = {
            name: [
                float(np.mean([r["gates"][name] for r in results if r["fold"] == fold]))
                for fold in folds
            ]
            for name in gates[0]
        }
    return summary


def _deviation(values: Sequence[float]) -> float | None:
    """Standard deviation of a sample; None for one value, of which nothing is known."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else None
