"""The stored test predictions of a run's tasks, as written by train/tasks.py."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from gban_edge.calibration import softmax
from gban_edge.labels import LABELS

COLUMNS = ("label", *(f"logit_{label}" for label in LABELS))


@dataclass(frozen=True)
class Predicted:
    """Labels [n] and uncalibrated logits [n, C] of test utterances, temperature of each [n]."""

    labels: np.ndarray
    logits: np.ndarray
    temperature: np.ndarray

    @cached_property
    def probabilities(self) -> np.ndarray:
        """Calibrated, [n, C]: softmax(logits / temperature)."""
        return softmax(self.logits / self.temperature[:, None])

    @cached_property
    def uncalibrated(self) -> np.ndarray:
        """softmax(logits), [n, C]."""
        return softmax(self.logits)

    @cached_property
    def confidence(self) -> np.ndarray:
        """The greatest calibrated probability, [n]."""
        return self.probabilities.max(axis=1)

    @cached_property
    def correct(self) -> np.ndarray:
        """Whether the most probable class is the label, bool [n]."""
        return self.logits.argmax(axis=1) == self.labels


def read(run: Path, result: dict[str, Any]) -> Predicted:
    """The predictions of one task; ``result`` is its result.

    Raises:
        FileNotFoundError: there are none.
        ValueError: the file lacks a column, a value is not what it should be, or the result has
            no temperature.
    """
    name = f"{result['model']}-fold{result['fold']}-seed{result['seed']}"
    path = run / "tasks" / name / "predictions.csv"
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist; run again with --resume")
    if "temperature" not in result:
        raise ValueError(f"{path.parent}: has no temperature (an older gban-edge); train again")
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        head = next(rows, [])
        missing = [column for column in COLUMNS if column not in head]
        if missing:
            raise ValueError(f"{path}: has no column {', '.join(missing)}; train again")
        places = [head.index(column) for column in COLUMNS]
        try:
            cells = [[row[i] for i in places] for row in rows]
            labels = np.array([LABELS.index(row[0]) for row in cells])
            logits = np.array([[float(v) for v in row[1:]] for row in cells])
        except (ValueError, IndexError) as error:
            raise ValueError(f"{path}: not a table of predictions ({error})") from error
    if not len(labels) or not np.isfinite(logits).all():
        raise ValueError(f"{path}: has no predictions, or a logit that is not finite")
    return Predicted(labels, logits, np.full(len(labels), float(result["temperature"])))


def read_model(
    run: Path, results: Iterable[dict[str, Any]], model: str
) -> dict[tuple[int, int], Predicted]:
    """The predictions of one model's tasks, by (fold, seed), in that order."""
    chosen = [r for r in results if r["model"] == model]
    chosen.sort(key=lambda r: (r["fold"], r["seed"]))
    return {(r["fold"], r["seed"]): read(run, r) for r in chosen}


def pooled(parts: Iterable[Predicted]) -> Predicted:
    """Several tasks' predictions as one."""
    chosen: Sequence[Predicted] = list(parts)
    return Predicted(
        np.concatenate([p.labels for p in chosen]),
        np.concatenate([p.logits for p in chosen]),
        np.concatenate([p.temperature for p in chosen]),
    )
