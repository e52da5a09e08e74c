#!/usr/bin/env python3
"""A run's results as tables, figures and one report that is read from top to bottom.

    python train/report.py RUN             rebuild everything from what RUN stores
    python train/report.py RUN --partial   of a run that is not finished, what there is

Written into the run folder: results.json and results.csv, tables/table1 to table3 (.md, .csv,
.json), figures/*.png, report.md and report.html. Everything comes from files of the run folder, so
that a rebuilt report equals the first one byte for byte.
"""

from __future__ import annotations

import csv
import io
import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any

import typer

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from gban_edge.files import write_json, write_text
from gban_edge.labels import LABELS
from train import (
    calibration,
    calibration_text,
    chapters,
    figures,
    findings,
    page,
    runfolder,
    significance,
    stored,
    tables,
)
from train.markdown import table
from train.metrics import summarise

PACKAGES = ("gban-edge", "torch", "numpy", "scipy", "soundfile", "espeakng-loader")


def environment() -> dict[str, Any]:
    """Versions, the commit and the machine that a result is made with."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed"
    return {
        "versions": versions,
        "commit": _commit(),
        "machine": platform.machine(),
        "system": platform.system(),
        "processor": _processor(),
        "cores": os.cpu_count(),
    }


def record_environment(run: Path, **more: Any) -> None:
    """Store :func:`environment`, and facts such as ``gpu``, as those of the run's training."""
    write_json(run / stored.ENVIRONMENT, environment() | more)


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text("utf-8", "replace").splitlines() if path.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


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


def build(run: Path, partial: bool = False) -> dict[str, Any]:
    """Write tables, figures and report of the run in ``run``; returns the summary by model.

    results.json holds nothing that differs between two equal runs (times are in timing.json).
    Everything is read and computed before anything is written. Raises what :func:`stored.read`
    raises.
    """
    found = stored.read(run, partial)
    summary = {
        model: summarise([r for r in found.results if r["model"] == model])
        for model in found.models
    }
    parts: dict[str, Any] = {
        "significance": significance.against(summary),
        "claims": findings.evaluate(summary),
        "unimodal": findings.unimodal(summary),
        "calibration": calibration.summary(run, found.results),
    }
    calibrated = calibration_text.markdown(parts["calibration"])
    paper_tables = tables.build(summary)
    figures.write_figures(run, summary, found.results)
    tables.write(run, paper_tables)
    write_json(run / "results.json", {
        "settings": found.settings, **found.facts, "labels": LABELS, "left_out": found.left_out,
        "summary": summary, **parts, "tasks": found.results,
    })  # fmt: skip
    write_text(run / "results.csv", _csv(found.results))
    text = chapters.markdown(found, summary, paper_tables, parts, calibrated)
    write_text(run / "report.md", text)
    write_text(run / "report.html", page.render(text, run))
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


def fold_table(summary: dict[str, Any], metric: str) -> str:
    """A row a model: the metric on each fold (mean over seeds), their mean, sd over seeds."""
    first = next(iter(summary.values()))
    several = len(first["seeds"]) > 1
    rows = []
    for model, values in summary.items():
        value = values[metric]
        mean = f"{value['mean']:.4f}"
        if several:
            mean += f" ± {value['sd_over_seeds']:.4f}"
        rows.append([model, *(f"{v:.4f}" for v in value["by_fold"]), mean])
    head = ["model", *(f"fold {f}" for f in first["folds"]), "mean" + " ± sd" * several]
    return table(head, rows)


def main(
    run: Annotated[Path, typer.Argument(help="Folder of a run of train/run_folds.py.")],
    partial: Annotated[
        bool, typer.Option("--partial", help="Report on the finished part of an unfinished run.")
    ] = False,
) -> None:
    """Rebuild tables, figures and report of a run from its stored results."""
    try:
        stored.read(run, partial)  # before the lock, whose file would be made in any folder
        with runfolder.locked(run / "lock", f"the run in {run}", wait=5.0):
            build(run, partial)
    except (ValueError, OSError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    print(run / "report.html")


if __name__ == "__main__":
    typer.run(main)
