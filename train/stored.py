"""Reading a run folder back: its settings, its tasks' results, where and with what it was made."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ENVIRONMENT = "environment.json"
_SETTINGS = {
    "corpus": str, "fingerprint": str, "utterances": int, "notes": list, "models": list,
    "folds": list, "seeds": list, "recipe": dict,
}  # fmt: skip
_RESULT = {
    "model": str, "fold": int, "seed": int, "wa": float, "ua": float, "recalls": list,
    "confusion": list, "best_epoch": int, "utterances": dict, "history": list,
}  # fmt: skip


@dataclass(frozen=True)
class Stored:
    """What a run folder holds.

    Attributes:
        settings: as train/run_folds.py stored them.
        results: of every task reported on, in order of model (the settings' order), fold and seed;
            every model has the same folds and seeds.
        facts: the training's versions, commit and machine; empty where none were recorded.
        left_out: names of the settings' tasks that are not among ``results``.
    """

    run: Path
    settings: dict[str, Any]
    results: list[dict[str, Any]]
    facts: dict[str, Any]
    left_out: list[str]

    @property
    def models(self) -> list[str]:
        return list(dict.fromkeys(r["model"] for r in self.results))

    def seconds(self, model: str) -> float | None:
        """How long a training of ``model`` took on average, or None where a time is not known."""
        names = [
            task_name(model, r["fold"], r["seed"]) for r in self.results if r["model"] == model
        ]
        paths = [self.run / "tasks" / name / "timing.json" for name in names]
        if not all(path.is_file() for path in paths):
            return None
        times = [_checked(path, {"seconds": float}, "a timing")["seconds"] for path in paths]
        return sum(times) / len(times)


def task_name(model: str, fold: int, seed: int) -> str:
    """The folder of a task below ``tasks``, as train/tasks.py names it."""
    return f"{model}-fold{fold}-seed{seed}"


def read(run: Path, partial: bool = False) -> Stored:
    """Read a run folder; ``partial`` accepts one whose grid is not finished.

    Of an unfinished grid the largest whole part is taken: every model that has a result, on the
    folds and seeds that all of them have.

    Raises:
        FileNotFoundError: no such folder, or one that holds no run.
        ValueError: settings or a result that cannot be read; tasks without a result, which are
            named; with ``partial``, no fold and seed that all models have.
    """
    if not run.is_dir():
        raise FileNotFoundError(f"run folder {run} does not exist")
    if not (run / "settings.json").is_file():
        raise FileNotFoundError(
            f"{run} holds no run: settings.json is missing; give the folder that "
            "train/run_folds.py named at its end"
        )
    settings = _checked(run / "settings.json", _SETTINGS, "the settings of a run")
    grid = list(itertools.product(settings["models"], settings["folds"], settings["seeds"]))
    found, faults = {}, {}
    for task in grid:
        try:
            found[task] = _result(run, *task)
        except (FileNotFoundError, ValueError) as error:
            faults[task] = str(error)
    if faults and not partial:
        raise ValueError(_unfinished(run, faults, len(grid)))
    chosen = _whole_part(run, list(found)) if faults else grid
    facts = run / ENVIRONMENT
    return Stored(
        run, settings, [found[task] for task in chosen],
        _checked(facts, {"versions": dict}, "a run's environment") if facts.is_file() else {},
        [task_name(*task) for task in grid if task not in chosen],
    )  # fmt: skip


def _unfinished(run: Path, faults: dict[Any, str], tasks: int) -> str:
    listed = "; ".join(list(faults.values())[:8])
    more = f"; and {len(faults) - 8} more" if len(faults) > 8 else ""
    return (
        f"{run}: {len(faults)} of {tasks} tasks have no usable result ({listed}{more}); "
        "train/run_folds.py --resume finishes them, --partial reports on the others"
    )


def _whole_part(run: Path, tasks: list[tuple[str, int, int]]) -> list[tuple[str, int, int]]:
    """The most tasks that are a whole grid: all models found x some folds x some seeds."""
    models = list(dict.fromkeys(model for model, _, _ in tasks))
    pairs = [{(f, s) for m, f, s in tasks if m == model} for model in models]
    common = set.intersection(*pairs) if pairs else set()
    folds = sorted({fold for fold, _ in common})
    best: list[tuple[int, int]] = []
    for size in range(len(folds), 0, -1):  # as many folds as possible where the counts are equal
        for chosen in itertools.combinations(folds, size):
            seeds = [s for s in sorted({s for _, s in common})
                     if all((f, s) in common for f in chosen)]  # fmt: skip
            if len(chosen) * len(seeds) > len(best):
                best = list(itertools.product(chosen, seeds))
    if not best:
        raise ValueError(
            f"{run}: no fold and seed are finished for every model begun "
            f"({', '.join(models) or 'none'}), so that there is nothing to compare yet"
        )
    return [(model, *pair) for model in models for pair in best]


def _result(run: Path, model: str, fold: int, seed: int) -> dict[str, Any]:
    """A finished task's result; FileNotFoundError or ValueError says what is wrong with it."""
    name = task_name(model, fold, seed)
    folder = run / "tasks" / name
    if not (folder / "result.json").is_file():
        raise FileNotFoundError(f"{name} is not finished")
    result = _checked(folder / "result.json", _RESULT, "a task's result")
    if (result["model"], result["fold"], result["seed"]) != (model, fold, seed):
        raise ValueError(f"{folder / 'result.json'}: the result of another task")
    if not (folder / "predictions.csv").is_file():
        raise FileNotFoundError(f"{name} has no predictions.csv")
    return result


def _checked(path: Path, kinds: dict[str, type], what: str) -> dict[str, Any]:
    """The JSON object at ``path``, which must have those keys with values of those types."""
    value = _json(path)
    if not isinstance(value, dict):
        raise ValueError(f"{path}: not {what} (it must be an object)")
    for key, kind in kinds.items():
        if not isinstance(value.get(key), kind):
            raise ValueError(f"{path}: not {what} ({key} must be of type {kind.__name__})")
    return value


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: not readable as JSON ({error})") from error
