#!/usr/bin/env python3
"""How far a run's confidences can be believed; the temperature that mends them; when to abstain.

    python train/calibration.py RUN --model gban --target 0.97

says which confidence a system must have to answer, so that its answers reach the target accuracy,
and how many utterances it then answers.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import ArrayLike
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from gban_edge.calibration import (
    BINS,
    CONFIDENCE_LEVEL,
    MINIMUM,
    abstain_threshold,
    accuracy_at_coverage,
    expected_calibration_error,
)
from train import calibration_text
from train.predicted import Predicted, pooled, read_model

TARGETS, COVERAGES = (0.90, 0.95, 0.99), (1.0, 0.9, 0.8, 0.5)
LOG_T_DEVIATION, LOG_T_BOUND = 0.5, np.log(20)
Tasks = dict[tuple[int, int], Predicted]  # by fold and seed


def fit_temperature(logits: ArrayLike, labels: ArrayLike) -> float:
    """The temperature T of softmax(logits / T) that suits held-out utterances best.

    Temperature scaling (Guo et al. 2017) minimises the summed negative log-likelihood over T.
    Where a small held-out part is all right, as 48 utterances often are, that has no minimum: the
    likelihood grows as T falls to 0, and the network would call every answer certain. So T has a
    weak prior, log T ~ Normal(0, 0.5), that a few dozen utterances of evidence outweigh, and this
    is the maximum a posteriori: the least of sum NLL(T) + (log T / 0.5)^2 / 2, for 1/20 <= T <= 20.

    ``logits`` [n, C] and class indices ``labels`` [n] are of utterances that were not trained on.

    Raises:
        ValueError: shapes that do not fit, no utterance, logits not finite, unknown labels.
    """
    values, truth = np.asarray(logits, np.float64), np.asarray(labels)
    if values.ndim != 2 or 0 in values.shape or not np.isfinite(values).all():
        raise ValueError(f"logits must be finite, [n, C], n >= 1, got {list(values.shape)}")
    known = np.isin(truth, np.arange(values.shape[1])).all()
    if truth.shape != values.shape[:1] or not known:
        raise ValueError(f"labels must be {len(values)} class indices below {values.shape[1]}")

    def loss(log_t: float) -> float:
        prior = (log_t / LOG_T_DEVIATION) ** 2 / 2
        return len(truth) * _nll(values / np.exp(log_t), truth) + prior

    found = minimize_scalar(
        loss, bounds=(-LOG_T_BOUND, LOG_T_BOUND), method="bounded", options={"xatol": 1e-6}
    )
    return float(np.exp(found.x))


def _nll(logits: np.ndarray, labels: np.ndarray) -> float:
    """Mean negative log-likelihood; from logits, so that a sure error is not infinitely bad."""
    return float(np.mean(logsumexp(logits, axis=1) - logits[np.arange(len(labels)), labels]))


def summary(run: Path, results: list[dict[str, Any]]) -> dict[str, Any]:
    """Calibration and abstention of every model of a run, over all its folds and seeds; JSON.

    ``results`` are the tasks' results (train/tasks.py); their predictions are read from ``run``.
    Models come in the order of ``results``. ``abstain`` is None for a run of one fold.
    """
    models = {}
    for model in dict.fromkeys(r["model"] for r in results):
        tasks = read_model(run, results, model)
        whole = pooled(tasks.values())
        models[model] = {
            "temperatures": [float(p.temperature[0]) for p in tasks.values()],
            "before": _scores(whole.logits, whole.uncalibrated, whole.labels),
            "after": _scores(
                whole.logits / whole.temperature[:, None], whole.probabilities, whole.labels
            ),
            "accuracy_at_coverage": [
                accuracy_at_coverage(whole.confidence, whole.correct, c) for c in COVERAGES
            ],
            "abstain": [abstaining(tasks, target) for target in TARGETS]
            if len({fold for fold, _ in tasks}) > 1
            else None,
        }
    return {"bins": BINS, "coverages": list(COVERAGES), "targets": list(TARGETS),
            "confidence_level": CONFIDENCE_LEVEL, "models": models}  # fmt: skip


def _scores(logits: np.ndarray, probabilities: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    wrong = probabilities - np.eye(probabilities.shape[1])[labels]
    return {
        "ece": expected_calibration_error(probabilities, labels),
        "nll": _nll(logits, labels),
        "brier": float(np.mean(np.sum(wrong**2, axis=1))),
    }


def abstaining(
    tasks: Tasks, target: float, confidence_level: float | None = CONFIDENCE_LEVEL
) -> dict[str, Any]:
    """What abstaining for a target accuracy reaches, cross-validated over the folds of a run.

    The threshold of each fold is chosen on the other folds' test predictions of the same seed
    (:func:`gban_edge.calibration.abstain_threshold`), then tried on this fold, none of whose
    utterances had a say in it. Where the others give no threshold, nothing of the fold is answered.

    Returns:
        ``target``; ``thresholds``, one a task, None where none reaches the target; their median,
        ``threshold`` (a mean would mix thresholds with the 0 of "no need"); ``coverage``, the
        share of all utterances that is answered; ``accuracy`` on these; ``lowest``, that of the
        fold where it is lowest. None where there is nothing.
    """
    thresholds, folds = [], {fold: np.zeros(2) for fold, _ in tasks}
    for (fold, seed), part in tasks.items():
        others = pooled(p for (f, s), p in tasks.items() if f != fold and s == seed)
        chosen = abstain_threshold(
            others.confidence, others.correct, target, MINIMUM, confidence_level
        )
        thresholds.append(chosen)
        if chosen is not None:
            answered = part.confidence >= chosen
            folds[fold] += answered.sum(), part.correct[answered].sum()
    kept, hits = np.sum(list(folds.values()), axis=0)
    found = [t for t in thresholds if t is not None]
    accuracies = [right / n for n, right in folds.values() if n]
    return {
        "target": target,
        "threshold": float(np.median(found)) if found else None,
        "thresholds": thresholds,
        "coverage": float(kept / sum(len(p.labels) for p in tasks.values())),
        "accuracy": float(hits / kept) if kept else None,
        "lowest": float(min(accuracies)) if accuracies else None,
    }


def section(run: Path, results: list[dict[str, Any]]) -> str:
    """The report's section on calibration and abstention, Markdown to stand below a heading."""
    return calibration_text.markdown(summary(run, results))


def choose(run: Path, model: str, target: float, confidence_level: float | None) -> str:
    """Which threshold ``model`` of the finished run needs for a target accuracy, in words.

    Raises:
        FileNotFoundError: ``run`` is no run, or lacks results.
        ValueError: unknown model, wrong target, one fold only, or no threshold reaches the target.
    """
    results = stored_results(run, model)
    folds, seeds = ({r[key] for r in results} for key in ("fold", "seed"))
    if len(folds) < 2:
        raise ValueError(f"{run} has fold {min(folds)} only; cross-validation needs two or more")
    one = abstaining(read_model(run, results, model), target, confidence_level)
    if one["accuracy"] is None:
        raise ValueError(
            f"no threshold of {model} reaches an accuracy of {target} on the other folds' test "
            f"utterances (at least {MINIMUM} answered, confidence level {confidence_level or 0}); "
            "lower the target"
        )
    facts = f"{model}, target accuracy {target}, {len(folds)} folds, {len(seeds)} seed(s)"
    return f"{facts}\n{calibration_text.choice(one)}"


def stored_results(run: Path, model: str) -> list[dict[str, Any]]:
    """The results of one model's tasks from a finished run's folder."""
    path = run / "settings.json"
    if not path.is_file():
        raise FileNotFoundError(f"{run} is not the folder of a run (it has no settings.json)")
    settings = _json(path)
    if model not in settings["models"]:
        raise ValueError(f"model must be among this run's {settings['models']}, got {model!r}")
    results = []
    for fold in settings["folds"]:
        for seed in settings["seeds"]:
            path = run / "tasks" / f"{model}-fold{fold}-seed{seed}" / "result.json"
            if not path.is_file():
                raise FileNotFoundError(f"{run} is not finished: {path} does not exist")
            results.append(_json(path))
    return results


def _json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: not JSON ({error})") from error


def main(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    model: Annotated[str, typer.Option(help="Which system of the run.")] = "gban",
    target: Annotated[float, typer.Option(help="Accuracy that its answers must have.")] = 0.95,
    confidence_level: Annotated[
        float, typer.Option(help="Of the bound that must reach the target; 0 for none.")
    ] = CONFIDENCE_LEVEL,
) -> None:
    """Choose the confidence below which a system abstains, for a target accuracy."""
    try:
        print(choose(run, model, target, confidence_level or None))
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None


if __name__ == "__main__":
    typer.run(main)
