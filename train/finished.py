"""A finished run, read back: its settings, its tasks' files, the corpus that it learnt from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from train import data
from train.corpus import Corpus, read_corpus
from train.progress import Reporter
from train.tasks import Task

# What of the settings is used here and by train/word_errors.py.
SETTINGS = {
    "models", "folds", "seeds", "recipe", "fingerprint", "merge_excited", "device", "reference_ops"
}  # fmt: skip
Frames = dict[str, np.ndarray]  # float32 [N, 52] by utterance


@dataclass(frozen=True)
class FinishedRun:
    """A run folder whose tasks are done, and which of its models are to be evaluated."""

    folder: Path
    settings: dict[str, Any]
    models: list[str]

    @property
    def tasks(self) -> list[Task]:
        folds, seeds = self.settings["folds"], self.settings["seeds"]
        return [Task(m, fold, seed) for m in self.models for fold in folds for seed in seeds]

    @property
    def word_dropout(self) -> float:
        return self.settings["recipe"].get("word_dropout", 0.0)

    def file(self, task: Task, name: str) -> Path:
        return self.folder / "tasks" / task.name / name


def open_finished(folder: Path, names: list[str], reporter: Reporter) -> FinishedRun:
    """The run in ``folder``; says which of the models ``names`` it lacks, and where it runs.

    Raises:
        FileNotFoundError: there is no run.
        ValueError: it has none of the models, is not finished, or has no model files.
    """
    if not (folder / "settings.json").is_file():
        raise FileNotFoundError(f"{folder} holds no run of run_folds.py (no settings.json)")
    settings = read_json(folder / "settings.json")
    if lacking := sorted(SETTINGS - settings.keys()):
        raise ValueError(f"{folder} is a run of another version: its settings lack {lacking}")
    there = [name for name in names if name in settings["models"]]
    if not there:
        raise ValueError(f"{folder} has none of the models {names}; it has {settings['models']}")
    if missing := [name for name in names if name not in there]:
        reporter.say(f"note: {folder} has no {', '.join(missing)}; left out")
    finished = FinishedRun(folder, settings, there)
    for task in finished.tasks:
        if not finished.file(task, "result.json").is_file():
            raise ValueError(
                f"{folder} is not finished: {task.name} has no result; go on with "
                f"run_folds.py --resume --out {folder}"
            )
        if not finished.file(task, "model.safetensors").is_file():
            raise ValueError(
                f"{folder} has no model file of {task.name}, so it cannot be evaluated again "
                f"(recipe {settings['recipe']['name']!r}; 'authors' writes none)"
            )
    if device_of(finished) != settings["device"]:
        reporter.say(f"note: {folder} was trained on {settings['device']}, evaluated on the CPU")
    return finished


def check_comparable(runs: Sequence[FinishedRun]) -> None:
    """Refuse two runs that were not tested on the same utterances."""
    for key in ("fingerprint", "folds"):
        values = [finished.settings[key] for finished in runs]
        if any(value != values[0] for value in values):
            raise ValueError(
                f"{runs[0].folder} and {runs[1].folder} cannot be compared: {key} {values[0]} "
                f"and {values[1]}"
            )


def reread(
    finished: FinishedRun, iemocap: Path | None, cache: Path | None, reporter: Reporter
) -> tuple[Corpus, Frames]:
    """The corpus that the run was trained on, and its features.

    Raises:
        ValueError: it is not known where the corpus is, or what is there is another one.
    """
    path = finished.folder / "corpus.json"
    where = read_json(path) if path.is_file() else {}
    root, store = iemocap or where.get("root"), cache or where.get("cache")
    if root is None or store is None:
        raise ValueError(
            f"{path} does not say where the run's corpus and features are; say it with --iemocap "
            "and --cache"
        )
    # Where the file says nothing all is read: the fingerprint decides what the run's corpus is.
    merge, partial = finished.settings["merge_excited"], where.get("allow_partial", True)
    corpus = read_corpus(Path(root), merge, partial)
    features = data.FeatureCache(Path(store))
    with reporter.counting("features", len(corpus.utterances)) as step:
        digests = data.prepare(corpus, features, where.get("skip_bad", True), step)
    fingerprint, trained = data.fingerprint(corpus, digests), finished.settings["fingerprint"]
    if fingerprint != trained:
        raise ValueError(
            f"{root} is not the corpus of {finished.folder}: its fingerprint is {fingerprint}, "
            f"the run's is {trained}"
        )
    return corpus, {name: features.get(digest) for name, digest in digests.items()}


def device_of(finished: FinishedRun) -> str:
    """Where the run was trained, or the CPU where there is no GPU now."""
    on_gpu = finished.settings["device"] == "cuda" and torch.cuda.is_available()
    return "cuda" if on_gpu else "cpu"


def read_json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: not a file that run_folds.py wrote ({error})") from error
