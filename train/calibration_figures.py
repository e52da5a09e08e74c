"""Reliability diagrams, and accuracy against coverage, of a few systems of a run."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gban_edge.calibration import (
    MINIMUM,
    Reliability,
    accuracy_coverage,
    expected_calibration_error,
    reliability,
)
from train.predicted import Predicted, pooled, read_model

FIRST = ("gban", "h_s", "h_t")
MOST, BINS, FEWEST = 4, 10, 10
BEFORE, AFTER = "#E69F00", "#0072B2"
STYLES = (("#0072B2", "o"), ("#56B4E9", "s"), ("#E69F00", "^"), ("#009E73", "D"))


def chosen(run: Path, results: list[dict[str, Any]]) -> dict[str, Predicted]:
    """The predictions, all folds and seeds together, of GBAN, h_s, h_t and others, at most four."""
    models = list(dict.fromkeys(r["model"] for r in results))
    models.sort(key=lambda name: FIRST.index(name) if name in FIRST else len(FIRST))
    return {name: pooled(read_model(run, results, name).values()) for name in models[:MOST]}


def reliabilities(models: dict[str, Predicted]) -> Figure:
    """Accuracy against confidence, before and after the temperature; below, how many are where.

    A bin of fewer than ten utterances has no point.
    """
    figure, grid = plt.subplots(
        2, len(models), figsize=(max(3 * len(models), 4.4) + 0.4, 5), height_ratios=(3, 1),
        sharex=True, sharey="row", squeeze=False, layout="constrained",
    )  # fmt: skip
    for (upper, lower), (model, found) in zip(grid.T, models.items(), strict=True):
        upper.plot([0, 1], [0, 1], color="0.6", lw=1, zorder=0)
        eces = []
        for shares, colour, marker, label in (
            (found.uncalibrated, BEFORE, "s", "temperature 1"),
            (found.probabilities, AFTER, "o", "fitted temperature"),
        ):
            bins = reliability(shares, found.labels, BINS)
            _reliability_line(upper, bins, colour, marker, label)
            lower.stairs(bins.count / bins.count.sum(), np.linspace(0, 1, BINS + 1), color=colour,
                         lw=1.5)  # fmt: skip
            eces.append(expected_calibration_error(shares, found.labels))
        upper.set_title(f"{model}   ECE {eces[0]:.3f} → {eces[1]:.3f}", fontsize=10)
        upper.set(xlim=(0, 1), ylim=(0, 1.03))
        lower.set(xlabel="confidence", ylim=(0, 1))
    _finish(grid.flat)
    grid[0, 0].set_ylabel("accuracy")
    grid[1, 0].set_ylabel("share of\nutterances")
    figure.suptitle("Calibration: on the diagonal, confidence is accuracy", fontsize=11)
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2,
                  fontsize=9)  # fmt: skip
    return figure


def _reliability_line(axes: Axes, bins: Reliability, colour: str, marker: str, label: str) -> None:
    shown = bins.count >= FEWEST
    x, y = bins.confidence[shown], bins.accuracy[shown]
    fill = "none" if marker == "s" else colour
    axes.plot(x, y, color=colour, lw=1.2, marker=marker, ms=5, mfc=fill, label=label,
              clip_on=False)  # fmt: skip


def coverages(models: dict[str, Predicted]) -> Figure:
    """Accuracy of the answers against the share of utterances answered, the surest first."""
    figure, axes = plt.subplots(figsize=(7, 4.4), layout="constrained")
    for place, (model, found) in enumerate(models.items()):
        colour, marker = STYLES[place]
        coverage, accuracy = accuracy_coverage(found.confidence, found.correct)
        # The accuracy of a handful of answers says nothing.
        shown = coverage * len(found.labels) >= MINIMUM
        if shown.any():
            x, y = coverage[shown], accuracy[shown]
            marks = np.unique(np.searchsorted(x[:-1], np.arange(0.1, 1.05, 0.1)))
            axes.plot(x, y, color=colour, lw=1.6, marker=marker, ms=6, markevery=list(marks),
                      label=model, clip_on=False, zorder=9 - place)  # fmt: skip
    axes.set(xlabel="coverage: share of utterances answered, the surest first",
             ylabel="accuracy of the answers", xlim=(0, 1), ylim=(None, 1.01))  # fmt: skip
    axes.set_title("Accuracy against coverage, all folds and seeds together", fontsize=11)
    _finish([axes])
    if axes.lines:  # a smoke run's handfuls leave none
        figure.legend(loc="outside lower center", ncols=MOST, fontsize=9)
    return figure


def _finish(panels: Iterable[Axes]) -> None:
    for axes in panels:
        axes.grid(alpha=0.3)
        axes.tick_params(labelsize=9)
