"""A run's folder with made-up results, for what reads runs; nothing is trained."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np

from gban_edge.calibration import softmax
from gban_edge.files import replacing, write_json
from gban_edge.labels import LABELS
from train.metrics import score, summarise

GATED = {"gban": ("a_s", "a_t", "h_s", "h_t")}


def logits_of(
    rng: np.random.Generator, labels: np.ndarray, strength: float, overconfidence: float = 1.0
) -> np.ndarray:
    """Logits [n, C] that are calibrated at temperature ``overconfidence``.

    Evidence of class c is normal, with mean ``strength`` for the true class and 0 for the others:
    with equally frequent classes the log posterior is ``strength`` times it.
    """
    evidence = rng.standard_normal((len(labels), len(LABELS)))
    evidence[np.arange(len(labels)), labels] += strength
    return overconfidence * strength * evidence


def make_run(
    run: Path, strengths: dict[str, float], folds: tuple[int, ...] = (1, 2, 3),
    seeds: tuple[int, ...] = (0, 1), utterances: int = 120, overconfidence: float = 2.0,
    epochs: int = 4,
) -> list[dict[str, Any]]:  # fmt: skip
    """Write a finished run of these models into ``run``; returns its results."""
    settings = {"models": list(strengths), "folds": list(folds), "seeds": list(seeds)}
    write_json(run / "settings.json", settings)
    results = []
    for number, (model, strength) in enumerate(strengths.items()):
        for fold in folds:
            for seed in seeds:
                rng = np.random.default_rng([number, fold, seed])
                labels = np.arange(utterances) % len(LABELS)
                logits = logits_of(rng, labels, strength + 0.1 * fold, overconfidence)
                task = {"model": model, "fold": fold, "seed": seed, "temperature": overconfidence}
                results.append({**task, **_result(rng, model, labels, logits, epochs)})
                write_task(run, results[-1], labels, logits)
    return results


def write_task(run: Path, result: dict[str, Any], labels: np.ndarray, logits: np.ndarray) -> None:
    """Write a task's result.json and predictions.csv, as train/tasks.py does."""
    folder = run / "tasks" / f"{result['model']}-fold{result['fold']}-seed{result['seed']}"
    write_json(folder / "result.json", result)
    with (
        replacing(folder / "predictions.csv", durable=False) as path,
        path.open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        heads = [*LABELS, *(f"logit_{name}" for name in LABELS)]
        writer.writerow(["utterance", "label", "predicted", *heads])
        probabilities = softmax(logits, result["temperature"])
        for i, (label, shares, row) in enumerate(zip(labels, probabilities, logits, strict=True)):
            cells = [f"{p:.6f}" for p in shares] + [repr(float(v)) for v in row]
            writer.writerow([f"u{i}", LABELS[label], LABELS[int(row.argmax())], *cells])


def summary_of(results: list[dict[str, Any]]) -> dict[str, Any]:
    """The summary by model that the figures are drawn from."""
    models = dict.fromkeys(r["model"] for r in results)
    return {model: summarise([r for r in results if r["model"] == model]) for model in models}


def _result(
    rng: np.random.Generator, model: str, labels: np.ndarray, logits: np.ndarray, epochs: int
) -> dict[str, Any]:
    metrics = score(labels, logits.argmax(axis=1), len(LABELS))
    losses = 1.4 - metrics.wa * (1 - np.exp(-np.arange(1, epochs + 1) / 4))
    losses += 0.02 * rng.standard_normal(epochs)
    history = [
        {"epoch": i + 1, "train_loss": float(loss - 0.01 * i), "validation_loss": float(loss),
         "validation_wa": metrics.wa}
        for i, loss in enumerate(losses)
    ]  # fmt: skip
    z_p, z_q = 0.48 + 0.02 * rng.standard_normal(), 0.33 + 0.04 * rng.standard_normal()
    gates = dict(zip(("a_s", "a_t", "h_s", "h_t"), (z_p, 1 - z_p, z_q, 1 - z_q), strict=True))
    return {
        "wa": metrics.wa, "ua": metrics.ua, "recalls": metrics.recalls.tolist(),
        "confusion": metrics.confusion.tolist(), "best_epoch": int(losses.argmin()) + 1,
        "gates": {name: gates[name] for name in GATED[model]} if model in GATED else None,
        "history": history, "vocabulary": 9,
        "utterances": {"train": 960, "validation": 48, "test": len(labels)},
    }  # fmt: skip
