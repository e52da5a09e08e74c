"""A run's pictures: all systems side by side, confusions, learning curves, the paper's Figure 2."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gban_edge.files import replacing
from gban_edge.labels import LABELS
from train import calibration_figures, paper

# Okabe and Ito's colours, which colour-blind people can tell apart: blue speech, orange text.
COLOURS = {"a_s": "#0072B2", "a_t": "#D55E00", "h_s": "#56B4E9", "h_t": "#E69F00"}
FOLD_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#56B4E9", "#E69F00")
GROUPS = (
    ("Table 1: one representation", ("h_s", "h_t", "a_s", "a_t")),
    ("Table 2: fusion", ("concat_1", "tfl", "gmu", "concat_2", "gban")),
    ("Table 3: other systems",
     ("cnn_att", "lstm_att", "self_att", "att_lstm", "mdre", "mdrea")),
)  # fmt: skip


def write_figures(run: Path, summary: dict[str, Any], results: list[dict[str, Any]]) -> None:
    """Write every figure of a run into ``run``/figures.

    ``summary`` is that of each model (train/metrics.py), ``results`` the tasks' results; their
    predictions are read from ``run``/tasks.

    Raises:
        FileNotFoundError, ValueError: predictions are missing or malformed.
    """
    folder = run / "figures"
    save(_overview(summary), folder / "overview.png")
    save(_confusions(summary), folder / "confusions.png")
    save(_learning(list(summary), results), folder / "learning.png")
    for model, values in summary.items():
        if "gates" in values:
            save(_gates(model, values["folds"], values["gates"]), folder / f"gates-{model}.png")
    tasks = calibration_figures.chosen(run, results)
    save(calibration_figures.reliabilities(tasks), folder / "calibration.png")
    save(calibration_figures.coverages(tasks), folder / "coverage.png")


def save(figure: Figure, path: Path) -> None:
    with replacing(path) as temporary:
        # No software version in the file: equal runs give equal pictures.
        figure.savefig(temporary, format="png", dpi=150, metadata={"Software": None})
    plt.close(figure)


def _overview(summary: dict[str, Any]) -> Figure:
    """WA of every system: its mean, each fold, and the paper's average, table by table."""
    groups = [(title, [n for n in names if n in summary]) for title, names in GROUPS]
    known = {name for _, names in groups for name in names}
    groups.append(("Other systems", [name for name in summary if name not in known]))
    groups = [(title, names) for title, names in groups if names]
    rows = sum(len(names) + 1 for _, names in groups)
    figure, axes = plt.subplots(figsize=(8.6, 1.5 + 0.27 * rows), layout="constrained")
    row, places, labels = 0, [], []
    for title, names in groups:
        if row:
            axes.axhline(row - 0.5, color="0.75", lw=0.8)
        axes.text(0.005, row, title, transform=axes.get_yaxis_transform(), fontsize=9,
                  fontweight="bold", va="center")  # fmt: skip
        for name in names:
            row += 1
            places.append(row)
            labels.append(name)
            _overview_row(axes, row, summary[name]["wa"], paper.AVERAGES.get(name))
        row += 1
    axes.set(yticks=places, ylim=(row - 0.4, -0.7), xlabel="WA", title="WA of every system")
    axes.set_yticklabels(labels)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", alpha=0.3)
    _overview_legend(figure)
    return figure


def _overview_row(axes: Axes, row: int, wa: dict[str, Any], of_paper: float | None) -> None:
    folds = wa["by_fold"]
    axes.plot([min(folds), max(folds)], [row, row], color=COLOURS["h_s"], lw=1, zorder=1)
    axes.plot(folds, [row] * len(folds), "o", color=COLOURS["h_s"], ms=4, zorder=2)
    axes.plot(wa["mean"], row, "o", color=COLOURS["a_s"], ms=8, zorder=3)
    if of_paper is not None:
        axes.plot(of_paper, row, "D", mfc="none", mec=COLOURS["a_t"], mew=1.5, ms=7, zorder=4)
    axes.text(1.01, row, f"{wa['mean']:.3f}", transform=axes.get_yaxis_transform(), fontsize=9,
              va="center")  # fmt: skip


def _overview_legend(figure: Figure) -> None:
    style = {"ls": "none"}
    handles = [
        Line2D([], [], marker="o", color=COLOURS["a_s"], ms=8, label="mean of the folds", **style),
        Line2D([], [], marker="o", color=COLOURS["h_s"], ms=4, label="one fold", **style),
        Line2D([], [], marker="D", mfc="none", mec=COLOURS["a_t"], mew=1.5, ms=7,
               label="the paper's average (IEMOCAP)", **style),
    ]  # fmt: skip
    figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=9)


def _grid(count: int, width: float, height: float, **shared: Any) -> tuple[Figure, list[Axes]]:
    """A figure of ``count`` small panels, row by row, each ``width`` by ``height`` inches."""
    columns = count if count <= 4 else 4 if count <= 8 else 5
    rows = -(-count // columns)
    figure, grid = plt.subplots(
        rows, columns, figsize=(max(width * columns, 5), height * rows + 0.8), squeeze=False,
        layout="constrained", **shared,
    )  # fmt: skip
    panels = list(grid.flat)
    for empty in panels[count:]:
        empty.set_axis_off()
    return figure, panels[:count]


def _confusions(summary: dict[str, Any]) -> Figure:
    """A matrix a system: rows true, columns predicted, the share of the true class in per cent."""
    figure, panels = _grid(len(summary), 2.35, 2.35)
    ticks = range(len(LABELS))
    for axes, (model, values) in zip(panels, summary.items(), strict=True):
        counts = np.array(values["confusion"])
        share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
        for i, j in np.ndindex(*counts.shape):
            axes.text(j, i, f"{100 * share[i, j]:.0f}", ha="center", va="center", fontsize=9,
                      color="white" if share[i, j] > 0.5 else "black")  # fmt: skip
        axes.set(xticks=ticks, yticks=ticks)
        axes.set_xticklabels(LABELS, fontsize=8)
        axes.set_yticklabels(LABELS, fontsize=8)
        axes.tick_params(length=0)
        axes.set_title(f"{model}   WA {values['wa']['mean']:.3f}", fontsize=9)
    title = (
        "Rows true, columns predicted: per cent of the true class,\nall folds and seeds together"
    )
    figure.suptitle(title, fontsize=11)
    return figure


def _learning(models: list[str], results: list[dict[str, Any]]) -> Figure:
    """Loss over epochs, a panel a system and a line a fold (first seed); a dot at the epoch kept.

    What is far above a guess's cross-entropy (ln 4 = 1.39) is cut off.
    """
    figure, panels = _grid(len(models), 2.35, 2.0, sharey=True)
    first = min(r["seed"] for r in results)
    folds = sorted({r["fold"] for r in results})
    for axes, model in zip(panels, models, strict=True):
        for result in (r for r in results if r["model"] == model and r["seed"] == first):
            colour = FOLD_COLOURS[folds.index(result["fold"]) % len(FOLD_COLOURS)]
            _learning_lines(axes, result, colour)
        axes.set_title(model, fontsize=9)
        axes.tick_params(labelsize=8)
        axes.grid(alpha=0.3)
        axes.xaxis.get_major_locator().set_params(integer=True, nbins=6)
    panels[0].set_ylim(0, min(panels[0].get_ylim()[1], 2 * np.log(len(LABELS))))
    _learning_legend(figure, folds)
    for axes in panels:
        place = axes.get_subplotspec()
        axes.set_xlabel("epoch" if place.is_last_row() else "", fontsize=9)
        axes.set_ylabel("cross-entropy" if place.is_first_col() else "", fontsize=9)
    figure.suptitle(f"Learning curves, seed {first}", fontsize=11)
    return figure


def _learning_lines(axes: Axes, result: dict[str, Any], colour: str) -> None:
    history = result["history"]
    epochs = [row["epoch"] for row in history]
    losses = [row["validation_loss"] for row in history]
    axes.plot(epochs, [row["train_loss"] for row in history], color=colour, ls=":", lw=1.2)
    axes.plot(epochs, losses, color=colour, lw=1.2)
    best = result["best_epoch"]
    axes.plot(best, losses[epochs.index(best)], "o", color=colour, ms=5)


def _learning_legend(figure: Figure, folds: list[int]) -> None:
    handles = [
        Line2D([], [], color=FOLD_COLOURS[i % len(FOLD_COLOURS)], label=f"fold {fold}")
        for i, fold in enumerate(folds)
    ]
    for style, label in (("-", "validation"), (":", "training")):
        handles.append(Line2D([], [], color="0.3", ls=style, label=label))
    handles.append(Line2D([], [], color="0.3", marker="o", ls="none", label="epoch kept"))
    columns = len(handles) if figure.get_figwidth() > 9 else 4
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, fontsize=9)


def _gates(model: str, folds: list[int], gates: dict[str, list[float]]) -> Figure:
    """Mean gate weights by fold, as in the paper's Figure 2, which stands beside GBAN's."""
    if model != "gban":
        figure, axes = plt.subplots(figsize=(7.6, 4), layout="constrained")
    else:
        figure, (axes, right) = plt.subplots(
            1, 2, figsize=(11, 4.2), width_ratios=(3, 1), sharey=True, layout="constrained"
        )
        _paper_gates(right)
    _gate_bars(axes, folds, gates)
    figure.suptitle(f"{model}: how much each representation counted", fontsize=11)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def _gate_bars(axes: Axes, folds: list[int], gates: dict[str, list[float]]) -> None:
    for offset, (name, values) in zip(_offsets(len(gates)), gates.items(), strict=True):
        bars = axes.bar(np.arange(len(folds)) + offset, values, 0.19, label=name,
                        color=COLOURS.get(name, "0.5"))  # fmt: skip
        texts = [f"{v:.2f}".lstrip("0") for v in values]
        backed = {"facecolor": "white", "edgecolor": "none", "pad": 0.3}  # the line at 0.5 passes
        axes.bar_label(bars, labels=texts, fontsize=8, padding=2, bbox=backed)
    axes.axhline(0.5, color="0.4", lw=0.8, ls="--", zorder=0)
    axes.set(xticks=range(len(folds)), xlabel="fold", ylabel="mean gate weight", ylim=(0, 1))
    axes.set_title("this run", fontsize=10)
    axes.set_xticklabels([str(fold) for fold in folds])


def _offsets(count: int) -> Iterator[float]:
    """Places of a fold's bars; pairs that sum to 1 stand a little apart from other pairs."""
    middle = (count - 1) / 2
    for i in range(count):
        yield 0.2 * (i - middle) + 0.02 * (i // 2 - (count // 2 - 1) / 2)


def _paper_gates(axes: Axes) -> None:
    """The range of each gate over the paper's five folds."""
    for place, (name, (low, high)) in enumerate(paper.FIGURE_2.items()):
        axes.bar(place, high - low, 0.7, bottom=low, color=COLOURS[name])
        axes.text(place, high + 0.015, f"{low:.2f}–\n{high:.2f}".replace("0.", "."), ha="center",
                  va="bottom", fontsize=8)  # fmt: skip
    axes.axhline(0.5, color="0.4", lw=0.8, ls="--", zorder=0)
    axes.set(xticks=range(len(paper.FIGURE_2)), xlim=(-0.7, len(paper.FIGURE_2) - 0.3))
    axes.set_xticklabels(list(paper.FIGURE_2))
    axes.set_title(
        "the paper's Figure 2 (IEMOCAP),\nas read off: range over the folds", fontsize=10
    )
