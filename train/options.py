"""The options of train/run_folds.py, checked before anything is read or made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from gban_edge import models as registry
from train import authors, cluster, recipes, runfolder
from train import folds as splits
from train.builtin import default_cache
from train.processes import cores

SMOKE_EPOCHS = 2


@dataclass(frozen=True)
class Options:
    """The command's options, checked; :func:`main` says what each means."""

    iemocap: Path | None
    glove: Path | None
    extra_vocab: int
    models: list[str]
    folds: list[int]
    seeds: int
    recipe: recipes.Recipe
    validation: str
    merge_excited: bool
    allow_partial: bool
    skip_bad: bool
    smoke: bool
    jobs: int
    ray: str | None
    device: str
    reference_ops: bool
    cache: Path
    folder: Path


def check_models(text: str, recipe: recipes.Recipe) -> list[str]:
    known = list(authors.names() if recipe.name == "authors" else registry.names())
    names = [name.strip() for name in text.split(",")]
    if names == ["all"]:
        return known
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(
            f"models must be 'all' or among {known} for recipe {recipe.name}, got {unknown}"
        )
    return list(dict.fromkeys(names))


def check_device(name: str) -> str:
    if name not in ("auto", "cpu", "cuda"):
        raise ValueError(f"device must be auto, cpu or cuda, got {name!r}")
    if name == "cuda" and not torch.cuda.is_available():
        raise RuntimeError(
            f"device cuda: this torch ({torch.__version__}) finds no GPU; use --device cpu"
        )
    return "cuda" if name != "cpu" and torch.cuda.is_available() else "cpu"


def check_ray(address: str | None, jobs: int | None, device: str) -> None:
    if address is not None and jobs is not None:
        raise ValueError("ray and jobs exclude each other: Ray runs one task a core or GPU")
    if address is not None:
        cluster.check(address, device)


def at_least(name: str, value: float | None, least: float) -> None:
    if value is not None and value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")


def check(
    iemocap: Path | None, glove: Path | None, extra_vocab: int, models: str, folds: str, seeds: int,
    recipe: str, epochs: int | None, l2: float | None, validation: str, merge_excited: bool,
    allow_partial: bool, skip_bad: bool, out: Path | None, resume: bool, smoke: bool,
    jobs: int | None, ray: str | None, device: str, reference_ops: bool, cache: Path | None,
    word_dropout: float,
) -> Options:  # fmt: skip
    """Refuse what is wrong before anything is read or made."""
    for name, value, least in (
        ("seeds", seeds, 1), ("jobs", jobs, 1), ("epochs", epochs, 1), ("l2", l2, 0),
        ("extra-vocab", extra_vocab, 0),
    ):  # fmt: skip
        at_least(name, value, least)
    if not 0.0 <= word_dropout < 1.0:
        raise ValueError(f"word-dropout must lie in [0, 1), got {word_dropout}")
    if validation not in ("random", "speaker"):
        raise ValueError(f"validation must be 'random' or 'speaker', got {validation!r}")
    if extra_vocab and glove is None:
        raise ValueError("extra-vocab takes its words from a GloVe file: give --glove too")
    if glove is not None and not glove.is_file():
        raise FileNotFoundError(f"GloVe file {glove} does not exist")
    if smoke and epochs is None:
        epochs = SMOKE_EPOCHS
    hardware = check_device(device)
    chosen = recipes.get(recipe).with_overrides(epochs=epochs, l2=l2, word_dropout=word_dropout)
    names, numbers = check_models(models, chosen), splits.parse_folds(folds)
    check_ray(ray, jobs, hardware)
    return Options(
        iemocap, glove, extra_vocab, names, numbers, seeds, chosen, validation, merge_excited,
        allow_partial, skip_bad, smoke, jobs or (1 if hardware == "cuda" else cores()), ray,
        hardware, reference_ops, cache or default_cache(), runfolder.choose(out, resume),
    )  # fmt: skip
