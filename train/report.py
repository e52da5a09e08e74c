"""A run's results as tables: Markdown, CSV and JSON, beside the facts that made them."""

from __future__ import annotations

import csv
import io
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from gban_edge.files import write_json, write_text
from gban_edge.labels import LABELS
from train.metrics import summarise

PACKAGES = ("gban-edge", "torch", "numpy", "scipy", "soundfile", "espeakng-loader")


def environment() -> dict[str, Any]:
    """Versions and the commit that a result was made with."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed"
    return {"versions": versions, "commit": _commit(), "machine": platform.machine()}


def _commit() -> str:
    folder = Path(__file__).resolve().parent
    try:
        commit = _git(folder, "rev-parse", "--short=12", "HEAD")
        return commit + ("+changes" if _git(folder, "status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def write_tables(
    run: Path, settings: dict[str, Any], results: list[dict[str, Any]]
) -> dict[str, Any]:
    """Write results.json, results.csv and results.md into ``run``; returns the summary by model.

    results.json holds nothing that differs between two equal runs (times are in timing.json).
    """
    order, facts = settings["models"], environment()
    results = sorted(results, key=lambda r: (order.index(r["model"]), r["fold"], r["seed"]))
    summary = {model: summarise([r for r in results if r["model"] == model]) for model in order}
    write_json(
        run / "results.json",
        {"settings": settings, **facts, "labels": LABELS, "summary": summary,
         "tasks": results},
    )  # fmt: skip
    write_text(run / "results.csv", _csv(results))
    write_text(run / "results.md", markdown(settings, summary, facts))
    return summary


def _csv(results: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    recalls = [f"recall_{label}" for label in LABELS]
    writer.writerow(["model", "fold", "seed", "wa", "ua", *recalls, "best_epoch", "test"])
    for r in results:
        cells = ["" if v is None else f"{v:.6f}" for v in (r["wa"], r["ua"], *r["recalls"])]
        writer.writerow([r["model"], r["fold"], r["seed"], *cells, r["best_epoch"],
                         r["utterances"]["test"]])  # fmt: skip
    return text.getvalue()


def markdown(settings: dict[str, Any], summary: dict[str, Any], facts: dict[str, Any]) -> str:
    """The whole report as Markdown; ``facts`` as :func:`environment` gives them."""
    parts = [
        "# GBAN, cross-validated by session\n",
        f"Corpus: {settings['corpus']} (fingerprint {settings['fingerprint']}, "
        f"{settings['utterances']} utterances). Recipe: {settings['recipe']['name']}. "
        f"Seeds: {len(settings['seeds'])}. Commit {facts['commit']}, "
        f"torch {facts['versions']['torch']}, Python {facts['versions']['python']}.\n",
        *(f"Note: {note}\n" for note in settings["notes"]),
    ]
    for metric, title in (("wa", "WA, weighted accuracy"), ("ua", "UA, unweighted accuracy")):
        parts.append(f"## {title}\n\n{fold_table(summary, metric)}\n")
    parts.append(f"## Recall of each class, all folds together\n\n{_recall_table(summary)}\n")
    for model, values in summary.items():
        parts.append(f"## Confusion, {model}\n\n{_confusion_table(values['confusion'])}\n")
    gated = {m: v["gates"] for m, v in summary.items() if "gates" in v}
    for model, gates in gated.items():
        folds = summary[model]["folds"]
        rows = [[str(f), *(f"{gates[name][i]:.3f}" for name in gates)] for i, f in enumerate(folds)]
        table = _table(["fold", *gates], rows)
        parts.append(
            f"## Mean gate weights, {model}\n\nWithin each group (a_s, a_t) and (h_s, h_t) they "
            f"sum to 1.\n\n{table}\n"
        )
    return "\n".join(parts)


def fold_table(summary: dict[str, Any], metric: str) -> str:
    """A row a model: the metric on each fold (mean over seeds), their mean, sd over seeds."""
    folds = next(iter(summary.values()))["folds"]
    several = len(next(iter(summary.values()))["seeds"]) > 1
    rows = []
    for model, values in summary.items():
        value = values[metric]
        mean = f"{value['mean']:.4f}"
        if several:
            mean += f" ± {value['sd_over_seeds']:.4f}"
        rows.append([model, *(f"{v:.4f}" for v in value["by_fold"]), mean])
    return _table(["model", *(f"fold {f}" for f in folds), "mean" + " ± sd" * several], rows)


def _recall_table(summary: dict[str, Any]) -> str:
    rows = [
        [model, *("–" if v is None else f"{v:.4f}" for v in values["recalls"])]
        for model, values in summary.items()
    ]
    return _table(["model", *LABELS], rows)


def _confusion_table(confusion: list[list[int]]) -> str:
    rows = [[label, *map(str, row)] for label, row in zip(LABELS, confusion, strict=True)]
    return _table(["true \\ predicted", *LABELS], rows)


def _table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table whose columns also line up as plain text."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    lines = ["| " + " | ".join(c.ljust(w) for c, w in zip(head, widths, strict=True)) + " |"]
    lines.append("|" + "|".join("-" * (w + 2) for w in widths) + "|")
    for row in rows:
        lines.append("| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |")
    return "\n".join(lines)
