"""Run folders as train/run_folds.py leaves them, with results made up to the digit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from fake_run import write_task

from gban_edge.files import write_json
from gban_edge.labels import LABELS
from train import paper, recipes
from train.metrics import from_confusion, summarise
from train.stored import task_name

EACH = 20  # test utterances of a class, so that every accuracy is a multiple of 1/20
FACTS = {
    "versions": {"python": "3.12.0", "torch": "2.0.0"}, "commit": "0123456789ab",
    "machine": "a machine", "cores": 2,
}  # fmt: skip
WA = Callable[[str, int, int], float]  # of model, fold and seed


def result(model: str, fold: int, seed: int, wa: float, classes: int = len(LABELS)) -> dict:
    """A task's result with ``wa`` in each of the first ``classes`` classes, the others absent."""
    right = round(EACH * wa)
    confusion = np.zeros((len(LABELS), len(LABELS)), int)
    for i in range(classes):
        confusion[i, i], confusion[i, (i + 1) % classes] = right, EACH - right
    found = from_confusion(confusion)
    gates = {"a_s": 0.48, "a_t": 0.52, "h_s": 0.3 + fold / 100, "h_t": 0.7 - fold / 100}
    history = [
        {"epoch": e, "train_loss": 1 / e, "validation_loss": 1.2 / e, "validation_wa": wa}
        for e in (1, 2)
    ]
    return {
        "model": model, "fold": fold, "seed": seed, "wa": found.wa, "ua": found.ua,
        "recalls": [None if np.isnan(v) else float(v) for v in found.recalls],
        "confusion": confusion.tolist(), "gates": gates if model == "gban" else None,
        "best_epoch": 2, "history": history, "vocabulary": 9, "temperature": 1.25,
        "parameters": 1000 + len(model),
        "utterances": {"train": 300, "validation": 20, "test": EACH * classes},
    }  # fmt: skip


def results_of(
    models: Sequence[str], folds: Sequence[int], seeds: int, wa: WA, classes: int = len(LABELS)
) -> list[dict[str, Any]]:
    """Results of a whole grid."""
    return [
        result(model, fold, seed, wa(model, fold, seed), classes)
        for model in models
        for fold in folds
        for seed in range(seeds)
    ]


def summary_of(
    models: Sequence[str], folds: Sequence[int], seeds: int, wa: WA
) -> dict[str, dict[str, Any]]:
    """The summary by model of a whole grid."""
    results = results_of(models, folds, seeds, wa)
    return {model: summarise([r for r in results if r["model"] == model]) for model in models}


def papers_wa(model: str, fold: int, seed: int) -> float:
    """The paper's WA to the nearest 1/20, and one utterance of each class more a seed."""
    cells = paper.wa_by_fold(model) or [paper.AVERAGES.get(model, 0.65)] * 5
    return round(cells[fold - 1] * EACH) / EACH + 0.05 * seed


def settings(models: Sequence[str], folds: Sequence[int], seeds: int) -> dict[str, Any]:
    """The settings that a run of the built-in corpus stores."""
    return {
        "corpus": "gban-edge synthesised", "fingerprint": "0123456789abcdef", "utterances": 1200,
        "notes": [], "skipped": {"label exc": 10}, "models": list(models), "folds": list(folds),
        "seeds": list(range(seeds)), "recipe": recipes.get("default").to_dict(),
        "validation": "random", "merge_excited": False, "glove": None, "extra_vocab": 0,
        "device": "cpu", "reference_ops": False, "frontend": 1,
    }  # fmt: skip


def write_run(
    run: Path, models: Sequence[str], folds: Sequence[int] = paper.FOLDS, seeds: int = 1,
    wa: WA = papers_wa, classes: int = len(LABELS), **changed: Any,
) -> Path:  # fmt: skip
    """Write a finished run into ``run``; ``changed`` replaces some of its settings."""
    write_json(run / "settings.json", settings(models, folds, seeds) | changed)
    write_json(run / "environment.json", FACTS)
    for found in results_of(models, folds, seeds, wa, classes):
        write_task(run, found, *_predicted(np.array(found["confusion"])))
        folder = run / "tasks" / task_name(found["model"], found["fold"], found["seed"])
        write_json(folder / "timing.json", {"seconds": 3.0 + found["seed"]})
    return run


def _predicted(confusion: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels [n] and logits [n, C] that give this confusion matrix."""
    pairs = [pair for pair in np.ndindex(*confusion.shape) for _ in range(confusion[pair])]
    labels, guesses = np.array(pairs).T
    return labels, 3.0 * np.eye(len(confusion))[guesses] - np.arange(len(pairs))[:, None] % 7 / 10
