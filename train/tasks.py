"""One task of the grid: one model on one fold with one seed, from cached features to a result.

A task is a pure function of its specification and the cached features. Its folder holds
``checkpoint.pt`` while it trains, and at the end ``model.safetensors``, ``predictions.csv`` and,
written last, ``result.json``: a folder with a result is finished.
"""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gban_edge import bundle, models, ops
from gban_edge.bundle import Standardisation
from gban_edge.config import GBANConfig
from gban_edge.files import write_json, write_text
from gban_edge.labels import LABELS
from gban_edge.text import Vocabulary
from train import words
from train.corpus import Utterance
from train.data import Example, FeatureCache, make_examples
from train.folds import Fold, make_fold
from train.metrics import score
from train.recipes import Recipe
from train.runfolder import locked
from train.trainer import Predictions, best_epoch, predict, stable_seed, train


@dataclass(frozen=True)
class Shared:
    """What every task of a run has in common."""

    run: Path
    cache: Path
    utterances: tuple[Utterance, ...]
    digests: dict[str, str]
    recipe: Recipe
    validation: str
    word_vectors: Path | None  # written by train/words.py
    extra_vocab: int
    device: str
    reference_ops: bool = False


@dataclass(frozen=True)
class Task:
    """Which model, which fold, which seed."""

    model: str
    fold: int
    seed: int

    @property
    def name(self) -> str:
        return f"{self.model}-fold{self.fold}-seed{self.seed}"


def result_of(shared: Shared, task: Task) -> dict[str, Any] | None:
    """The stored result of a finished task, or None."""
    path = shared.run / "tasks" / task.name / "result.json"
    if not path.is_file():
        return None
    try:
        return json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: not a result ({error}); remove it to train again") from error


def seconds_of(shared: Shared, task: Task) -> float:
    """How long a finished task took (its last sitting, where it was resumed)."""
    path = shared.run / "tasks" / task.name / "timing.json"
    return json.loads(path.read_text("utf-8"))["seconds"]


def run_task(
    shared: Shared, task: Task, on_epoch: Callable[[dict[str, Any]], None] = lambda _: None
) -> dict[str, Any]:
    """Do a task, or finish one that was begun, or return the result of one that is done."""
    folder = shared.run / "tasks" / task.name
    with locked(folder / "lock", f"task {task.name}", wait=30.0):
        done = result_of(shared, task)
        if done is not None:
            return done
        with ops.reference(shared.reference_ops):
            return _do(shared, task, folder, on_epoch)


def _do(shared: Shared, task: Task, folder: Path, on_epoch) -> dict[str, Any]:
    started = time.perf_counter()
    fold = make_fold(shared.utterances, task.fold, task.seed, shared.validation)
    frames = _frames(shared.cache, tuple(sorted(shared.digests.items())))
    vectors = _vectors(shared.word_vectors) if shared.word_vectors else {}
    rng = np.random.default_rng(stable_seed("words", task.seed, task.fold))
    texts = [u.text for u in fold.train]
    vocabulary, embeddings = words.for_fold(texts, vectors, shared.extra_vocab, rng)
    standardise = Standardisation.fit([frames[u.name] for u in fold.train])

    config = GBANConfig(len(vocabulary), classes=len(LABELS), dropout=shared.recipe.dropout)
    torch.manual_seed(stable_seed("weights", task.seed, task.fold, task.model))
    model = models.build(task.model, config)
    _set_embeddings(model, embeddings)
    model.to(shared.device)

    parts = [
        make_examples(part, frames, vocabulary, standardise)
        for part in (fold.train, fold.validation, fold.test)
    ]
    checkpoint = folder / "checkpoint.pt"
    history = train(model, parts[0], parts[1], shared.recipe, task.name, checkpoint, on_epoch)
    predictions = predict(model, parts[2])
    result = _result(task, fold, history, predictions, parts[2], vocabulary)
    facts = {k: result[k] for k in ("fold", "seed", "wa", "ua", "best_epoch")}
    bundle.save(
        folder / "model.safetensors", model, config, vocabulary, model=task.model, labels=LABELS,
        standardisation=standardise, training={**facts, "recipe": shared.recipe.to_dict()},
    )  # fmt: skip
    write_text(folder / "predictions.csv", _predictions_csv(predictions, parts[2]))
    write_json(folder / "timing.json", {"seconds": time.perf_counter() - started})
    write_json(folder / "result.json", result)
    checkpoint.unlink()
    return result


@lru_cache(maxsize=1)
def _frames(cache: Path, digests: tuple[tuple[str, str], ...]) -> dict[str, np.ndarray]:
    """Features by utterance; kept for the process's next task."""
    store = FeatureCache(cache)
    frames = {}
    for name, digest in digests:
        found = store.get(digest)
        if found is None:
            raise RuntimeError(
                f"the features of {name} are gone from {store.folder}; run again with --resume"
            )
        frames[name] = found
    return frames


@lru_cache(maxsize=1)
def _vectors(path: Path) -> words.Vectors:
    return words.load(path)


def _set_embeddings(model: torch.nn.Module, embeddings: np.ndarray) -> None:
    text = getattr(model, "text", None)
    if text is not None:
        with torch.no_grad():
            text.embedding.weight.copy_(torch.from_numpy(embeddings))


def _result(
    task: Task,
    fold: Fold,
    history: list[dict[str, Any]],
    predictions: Predictions,
    test: list[Example],
    vocabulary: Vocabulary,
) -> dict[str, Any]:
    metrics = score([e.label for e in test], predictions.logits.argmax(axis=1), len(LABELS))
    gates = None
    if predictions.gates is not None:
        z_p, z_q = predictions.gates.mean(axis=0)
        gates = {"a_s": z_p, "a_t": 1 - z_p, "h_s": z_q, "h_t": 1 - z_q}
        gates = {name: float(value) for name, value in gates.items()}
    return {
        "model": task.model,
        "fold": task.fold,
        "seed": task.seed,
        "wa": metrics.wa,
        "ua": metrics.ua,
        "recalls": [None if np.isnan(v) else float(v) for v in metrics.recalls],
        "confusion": metrics.confusion.tolist(),
        "gates": gates,
        "best_epoch": best_epoch(history),
        "utterances": {p: len(getattr(fold, p)) for p in ("train", "validation", "test")},
        "vocabulary": len(vocabulary),
        "history": history,
    }


def _predictions_csv(predictions: Predictions, test: list[Example]) -> str:
    """A row an utterance: label, prediction, the four probabilities."""
    exponents = np.exp(predictions.logits - predictions.logits.max(axis=1, keepdims=True))
    probabilities = exponents / exponents.sum(axis=1, keepdims=True)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["utterance", "label", "predicted", *LABELS])
    for example, row in zip(test, probabilities, strict=True):
        guess = LABELS[int(row.argmax())]
        writer.writerow([example.name, LABELS[example.label], guess, *(f"{p:.6f}" for p in row)])
    return text.getvalue()
