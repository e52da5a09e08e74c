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
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from gban_edge import bundle, features, models, ops
from gban_edge.bundle import Standardisation
from gban_edge.calibration import softmax
from gban_edge.config import GBANConfig
from gban_edge.files import replacing, write_json, write_text
from gban_edge.labels import LABELS
from gban_edge.text import Vocabulary, tokenize
from train import authors, words
from train.calibration import fit_temperature
from train.corpus import Utterance
from train.data import Example, FeatureCache, make_examples
from train.folds import Fold, make_fold
from train.metrics import score
from train.recipes import Recipe
from train.runfolder import locked
from train.trainer import Predictions, best_epoch, predict, stable_seed, train

OnEpoch = Callable[[dict[str, Any]], None]


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
class Inputs:
    """What a task learns from: features [N, 52] by utterance, and word vectors (or none)."""

    frames: Mapping[str, np.ndarray]
    vectors: words.Vectors


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


def run_task(shared: Shared, task: Task, on_epoch: OnEpoch = lambda _: None) -> dict[str, Any]:
    """Do a task, or finish one that was begun, or return the result of one that is done."""
    folder = shared.run / "tasks" / task.name
    with locked(folder / "lock", f"task {task.name}", wait=30.0):
        done = result_of(shared, task)
        if done is not None:
            return done
        return do(shared, task, folder, load_inputs(shared), on_epoch)


def do(
    shared: Shared, task: Task, folder: Path, inputs: Inputs, on_epoch: OnEpoch = lambda _: None
) -> dict[str, Any]:
    """Train and test, and leave the task's files in ``folder``; a checkpoint there is gone on from.

    A pure function of its arguments: neither the machine's files nor ``shared.run`` are read.
    """
    started = time.perf_counter()
    fold = make_fold(shared.utterances, task.fold, task.seed, shared.validation)
    frames, recipe = inputs.frames, shared.recipe
    rng = np.random.default_rng(stable_seed("words", task.seed, task.fold))
    texts = [u.text for u in fold.train]
    vocabulary, embeddings = words.for_fold(texts, inputs.vectors, shared.extra_vocab, rng)
    standardise = Standardisation.fit([frames[u.name] for u in fold.train])
    if not recipe.standardise:
        standardise = Standardisation.none(features.FEATURES)
    config = GBANConfig(len(vocabulary), classes=len(LABELS), dropout=recipe.dropout)
    torch.manual_seed(stable_seed("weights", task.seed, task.fold, task.model))
    model = _build(shared, task, config, max(len(tokenize(text)) for text in texts))
    _set_embeddings(model, embeddings)
    model.to(shared.device)

    parts = [
        make_examples(part, frames, vocabulary, standardise)
        for part in (fold.train, fold.validation, fold.test)
    ]
    checkpoint = folder / "checkpoint.pt"
    with ops.reference(shared.reference_ops):
        history = train(model, parts[0], parts[1], recipe, task.name, checkpoint, on_epoch)
        temperature = fit_temperature(predict(model, parts[1]).logits, [e.label for e in parts[1]])
        predictions = predict(model, parts[2])
    result = _result(task, fold, history, predictions, parts[2], vocabulary)
    result["best_epoch"] = best_epoch(history, recipe.monitor)
    result["temperature"] = temperature
    result["parameters"] = count_parameters(model)
    _save_model(shared, task, folder, model, config, vocabulary, standardise, result)
    write_text(folder / "predictions.csv", _predictions_csv(predictions, parts[2], temperature))
    write_json(folder / "timing.json", {"seconds": time.perf_counter() - started})
    write_json(folder / "result.json", result)
    checkpoint.unlink()
    return result


def load_inputs(shared: Shared) -> Inputs:
    """Features and word vectors from this machine's disk; kept for the process's next task."""
    frames = _frames(shared.cache, tuple(sorted(shared.digests.items())))
    return Inputs(frames, _vectors(shared.word_vectors) if shared.word_vectors else {})


def count_parameters(model: torch.nn.Module) -> int:
    """Parameters that are trained, without the word vectors, which are the corpus's in number."""
    named = ((n, p) for n, p in model.named_parameters() if p.requires_grad)
    return sum(p.numel() for name, p in named if not name.endswith("embedding.weight"))


def _build(shared: Shared, task: Task, config: GBANConfig, longest: int) -> torch.nn.Module:
    if shared.recipe.name == "authors":
        return authors.build(task.model, config, longest)
    return models.build(task.model, config)


def _save_model(
    shared: Shared, task: Task, folder: Path, model: torch.nn.Module, config: GBANConfig,
    vocabulary: Vocabulary, standardise: Standardisation, result: dict[str, Any],
) -> None:  # fmt: skip
    if shared.recipe.name == "authors":
        # Another network than the one that the runtimes know: its weights, for comparison alone.
        with replacing(folder / "authors.safetensors") as temporary:
            save_file({k: v.cpu().contiguous() for k, v in model.state_dict().items()}, temporary)
        return
    facts = {k: result[k] for k in ("fold", "seed", "wa", "ua", "best_epoch")}
    bundle.save(
        folder / "model.safetensors", model, config, vocabulary, model=task.model, labels=LABELS,
        standardisation=standardise, temperature=result["temperature"],
        training={**facts, "recipe": shared.recipe.to_dict()},
    )  # fmt: skip


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
        "utterances": {p: len(getattr(fold, p)) for p in ("train", "validation", "test")},
        "vocabulary": len(vocabulary),
        "history": history,
    }


def _predictions_csv(predictions: Predictions, test: list[Example], temperature: float) -> str:
    """A row an utterance: label, prediction, calibrated probabilities, uncalibrated logits."""
    probabilities = softmax(predictions.logits, temperature)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["utterance", "label", "predicted", *LABELS, *(f"logit_{n}" for n in LABELS)])
    for example, row, logits in zip(test, probabilities, predictions.logits, strict=True):
        guess = LABELS[int(logits.argmax())]
        cells = [f"{p:.6f}" for p in row] + [repr(float(v)) for v in logits]
        writer.writerow([example.name, LABELS[example.label], guess, *cells])
    return text.getvalue()
