"""A run's pictures: confusion matrices, learning curves, and the paper's Figure 2."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from gban_edge.files import replacing
from gban_edge.labels import FULL_NAMES, LABELS

COLOURS = {"a_s": "#1f77b4", "a_t": "#ff7f0e", "h_s": "#7fb3d9", "h_t": "#ffbe7d"}
NAMES = [FULL_NAMES[label] for label in LABELS]


def write_figures(run: Path, summary: dict[str, Any], results: list[dict[str, Any]]) -> None:
    """Write every figure of a run into ``run``/figures."""
    folder = run / "figures"
    for model, values in summary.items():
        chosen = [r for r in results if r["model"] == model]
        _save(_confusion(model, np.array(values["confusion"])), folder / f"confusion-{model}.png")
        _save(_curves(model, chosen), folder / f"learning-{model}.png")
        if "gates" in values:
            _save(_gates(model, values["folds"], values["gates"]), folder / f"gates-{model}.png")


def _save(figure: plt.Figure, path: Path) -> None:
    with replacing(path) as temporary:
        # No software version in the file: equal runs give equal pictures.
        figure.savefig(temporary, format="png", dpi=150, metadata={"Software": None})
    plt.close(figure)


def _confusion(model: str, counts: np.ndarray) -> plt.Figure:
    """Rows true, columns predicted; shade is the share of the true class, text adds the count."""
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure, axes = plt.subplots(figsize=(5.2, 4.4), layout="constrained")
    image = axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for i, j in np.ndindex(*counts.shape):
        axes.text(
            j, i, f"{share[i, j]:.0%}\n{counts[i, j]}", ha="center", va="center", fontsize=10,
            color="white" if share[i, j] > 0.5 else "black",
        )  # fmt: skip
    axes.set(
        xticks=range(len(NAMES)), yticks=range(len(NAMES)), xlabel="predicted", ylabel="true",
        title=f"{model}: all folds and seeds together",
    )  # fmt: skip
    axes.set_xticklabels(NAMES)
    axes.set_yticklabels(NAMES)
    figure.colorbar(image, ax=axes, label="share of the true class", shrink=0.85)
    return figure


def _curves(model: str, results: list[dict[str, Any]]) -> plt.Figure:
    """Loss and validation WA over epochs; a line a fold (first seed), a dot at the epoch kept."""
    first = min(r["seed"] for r in results)
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for i, result in enumerate(r for r in results if r["seed"] == first):
        history, colour = result["history"], f"C{i}"
        epochs = [row["epoch"] for row in history]
        best = result["best_epoch"] - 1
        left.plot(epochs, [r["train_loss"] for r in history], color=colour, ls=":", lw=1.2)
        for axes, key in ((left, "validation_loss"), (right, "validation_wa")):
            values = [row[key] for row in history]
            axes.plot(epochs, values, color=colour, label=f"fold {result['fold']}")
            axes.plot(epochs[best], values[best], "o", color=colour, ms=6)
    left.set(xlabel="epoch", ylabel="cross-entropy", ylim=(0, None),
             title="training (dotted), validation (solid)")  # fmt: skip
    right.set(xlabel="epoch", ylabel="WA on validation", ylim=(0, 1.02), title="dot: epoch kept")
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.xaxis.get_major_locator().set_params(integer=True)
    right.legend(fontsize=8, loc="lower right")
    figure.suptitle(f"{model}: learning curves, seed {first}")
    return figure


def _gates(model: str, folds: list[int], gates: dict[str, list[float]]) -> plt.Figure:
    """The paper's Figure 2: mean gate weight of the four representations on each fold."""
    figure, axes = plt.subplots(figsize=(8.4, 3.8), layout="constrained")
    width, offsets = 0.2, (-0.31, -0.11, 0.11, 0.31)  # the two groups stand a little apart
    for i, (name, values) in enumerate(gates.items()):
        place = np.arange(len(folds)) + offsets[i]
        bars = axes.bar(place, values, width * 0.95, label=name, color=COLOURS[name])
        axes.bar_label(bars, fmt="%.2f", fontsize=7, padding=1)
    axes.axhline(0.5, color="0.4", lw=0.8, ls="--", zorder=0)
    axes.set(
        xticks=range(len(folds)), xlabel="fold", ylabel="mean gate weight", ylim=(0, 1),
        title=f"{model}: how much each representation counted",
    )  # fmt: skip
    axes.set_xticklabels([str(fold) for fold in folds])
    axes.legend(ncols=4, fontsize=9, loc="upper center")
    return figure
