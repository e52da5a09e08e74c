"""Is the difference between two systems more than noise? Paired tests over folds.

A fold's value is the mean over seeds, so that there are as many pairs as folds: seeds repeat a
training, they are no further sample of speakers.

The corrected resampled t-test (Nadeau & Bengio, Inference for the Generalization Error, Machine
Learning 52, 2003). With the differences d_1 .. d_n on n folds, mean m and sample variance s^2,

    t = m / sqrt((1/n + n_test/n_train) s^2),   n - 1 degrees of freedom.

Each two training sets share most of their utterances, so the d_i are not independent and s^2 / n
is too small; n_test/n_train is their estimate of what is missing. It was derived for random splits;
for cross-validation it is the usual approximation.

The sign-flip test assumes less: if two systems are equal, each d_i could as well have had the
other sign. p is the share of the 2^n sign patterns whose mean is at least as far from 0 as the one
seen.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import stats

from train import paper
from train.markdown import number, p_value, signed, table

LEVEL = 0.05
_SAME = 1e-12  # differences of accuracies that are this close are equal but for rounding


def paired(first: Sequence[float], second: Sequence[float], test_to_train: float) -> dict[str, Any]:
    """Test the differences ``first - second`` over folds, two-sided.

    Args:
        first: a value a fold.
        second: the other system's on the same folds.
        test_to_train: n_test / n_train, the ratio of the sets' sizes.

    Returns:
        ``differences`` a fold, ``difference`` (their mean), ``standard_error`` (corrected), ``t``,
        ``p``, ``p_sign_flip``, and ``reason``: why there is no t or p, None where there is. p is 1
        for identical numbers, and None where nothing is known of the spread.
    """
    if len(first) != len(second) or not len(first):
        raise ValueError(
            f"first and second must have one value a fold, got {len(first)} and {len(second)}"
        )
    if not test_to_train >= 0:
        raise ValueError(f"test_to_train must be at least 0, got {test_to_train}")
    d = np.subtract(first, second)
    found: dict[str, Any] = {
        "differences": d.tolist(),
        "difference": float(d.mean()),
        "standard_error": None,
        "t": None,
        "p": None,
        "p_sign_flip": _sign_flip(d),
        "reason": None,
    }
    if len(d) < 2:
        return found | {"reason": "one fold: nothing is known of the spread over folds"}
    if np.abs(d).max() < _SAME:
        return found | {"standard_error": 0.0, "p": 1.0, "reason": "identical on every fold"}
    if np.ptp(d) < _SAME:
        return found | {"standard_error": 0.0, "reason": "the same difference on every fold"}
    error = float(np.sqrt((1 / len(d) + test_to_train) * d.var(ddof=1)))
    t = float(d.mean()) / error
    p = float(2 * stats.t.sf(abs(t), len(d) - 1))
    return found | {"standard_error": error, "t": t, "p": p}


def _sign_flip(d: np.ndarray) -> float:
    patterns = np.array(list(itertools.product((1, -1), repeat=len(d))))
    means = np.abs(patterns @ d) / len(d)
    return float(np.mean(means >= abs(d.mean()) - _SAME))


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down correction (1979) of a family of p-values; None is no member of it."""
    order = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, i) in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * p))
        corrected[i] = largest
    return corrected


def against(summary: dict[str, Any], model: str = paper.GBAN) -> dict[str, dict[str, Any]]:
    """``model`` against every other model of a summary: metric -> baseline -> :func:`paired`.

    ``p_holm`` is ``p`` after Holm's correction over the baselines of that metric. Empty where the
    model was not trained.
    """
    if model not in summary:
        return {}
    ours, baselines = summary[model], [name for name in summary if name != model]
    tests: dict[str, dict[str, Any]] = {}
    for metric in ("wa", "ua"):
        found = [
            paired(ours[metric]["by_fold"], summary[name][metric]["by_fold"], ours["test_to_train"])
            for name in baselines
        ]
        corrected = holm([test["p"] for test in found])
        tests[metric] = {
            name: {**test, "p_holm": p}
            for name, test, p in zip(baselines, found, corrected, strict=True)
        }
    return tests


def markdown(tests: dict[str, dict[str, Any]], folds: Sequence[int], seeds: int) -> str:
    """The section of a report: GBAN against each baseline, and what the figures can bear."""
    if not tests:
        return "GBAN was not trained in this run, so there is nothing to test it against others."
    if not tests["wa"]:
        return "GBAN is the only system of this run, so there is nothing to test it against."
    metrics = _shown(tests)
    head = ["GBAN against"]
    for metric in metrics:
        head += [f"{metric.upper()} difference", "p", "p, Holm", "p, sign-flip"]
    rows = [
        [paper.title(name), *(cell for metric in metrics for cell in _cells(tests[metric][name]))]
        for name in tests["wa"]
    ]
    same = [] if len(metrics) > 1 else ["UA is equal to WA in this run, on every fold."]
    parts = [_method(folds), table(head, rows), *same, *_reasons(tests, metrics)]
    return "\n\n".join([*parts, _meaning(folds, seeds)])


def _shown(tests: dict[str, dict[str, Any]]) -> list[str]:
    """Both metrics, or WA alone where UA is the same (classes equally frequent)."""
    same = all(
        np.allclose(test["differences"], tests["ua"][name]["differences"], rtol=0, atol=_SAME)
        for name, test in tests["wa"].items()
    )
    return ["wa"] if same else ["wa", "ua"]


def _cells(test: dict[str, Any]) -> list[str]:
    change = signed(test["difference"])
    if test["standard_error"] is not None:
        change += f" ± {number(test['standard_error'])}"
    return [change, p_value(test["p"]), p_value(test["p_holm"]), number(test["p_sign_flip"])]


def _method(folds: Sequence[int]) -> str:
    return (
        f"Pairs are folds (n = {len(folds)}); a fold's value is the mean over seeds. ± is the "
        "standard error over folds and p the two-sided p of the corrected resampled t-test "
        "(Nadeau & Bengio 2003), whose variance has the factor 1/n + n_test/n_train because the "
        "training sets overlap. Holm's correction is over the baselines of a column. The sign-flip "
        "test is exact and assumes less."
    )


def _reasons(tests: dict[str, dict[str, Any]], metrics: list[str]) -> list[str]:
    """Why some cells hold no p, or a p of 1, each reason with the systems it holds for."""
    groups: dict[str, list[str]] = {}
    for metric in metrics:
        for name, test in tests[metric].items():
            if test["reason"]:
                groups.setdefault(test["reason"], []).append(
                    f"{paper.title(name)}, {metric.upper()}"
                )
    return [f"{reason.capitalize()}: {'; '.join(names)}." for reason, names in groups.items()]


def _meaning(folds: Sequence[int], seeds: int) -> str:
    least = number(2.0 ** (1 - len(folds)))
    below = " It can therefore not fall under .05, whatever the numbers." if len(folds) < 6 else ""
    text = (
        f"**What these figures can bear.** With {len(folds)} fold{'s' * (len(folds) > 1)} the "
        f"sign-flip p cannot be under {least}.{below} The t-test can, at the price of supposing "
        "that the differences are normally distributed. A p above .05 does not say that two "
        "systems are equal: it says that these folds do not tell them apart."
    )
    if seeds > 1:
        text += (
            f" The deviation over {seeds} seeds (in the tables above) is another thing: what other "
            "initial weights, another order of batches and another held-out 5% do to a training "
            "that is then tested on the same utterances. It says nothing about other speakers, "
            "and more seeds make the mean steadier without adding evidence about them."
        )
    else:
        text += (
            " One seed was trained, so nothing is known here of what another seed would change; "
            "the paper's cells are single runs too."
        )
    return text
