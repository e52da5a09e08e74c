"""Calibration and abstention in words and tables, for people."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from train.markdown import NONE, number, table

USE = """\
Each fold's threshold was chosen on the other folds' test utterances, so these figures are of
speakers who had no say in it. To use it: probabilities = softmax(logits, temperature), from
gban_edge.calibration, with the temperature of the model file; answer if the greatest probability
is at least the threshold, else say that it is not sure."""


def markdown(found: dict[str, Any]) -> str:
    """What train/calibration.py's ``summary`` found, as a section of the report."""
    return f"{_calibration_text(found)}\n\n{_coverage_text(found)}\n\n{_abstain_text(found)}\n"


def _calibration_text(found: dict[str, Any]) -> str:
    rows = []
    for model, values in found["models"].items():
        t, before, after = values["temperatures"], values["before"], values["after"]
        spread = f" ({min(t):.2f} to {max(t):.2f})" if len(t) > 1 else ""
        pairs = [f"{number(before[k])} → {number(after[k])}" for k in ("ece", "nll", "brier")]
        rows.append([model, f"{np.mean(t):.2f}{spread}", *pairs])
    head = ["model", "temperature", "ECE", "NLL", "Brier"]
    return (
        "A confidence, the greatest of the four probabilities, is *calibrated* if of all answers "
        "given with .80 four in five are right. Each model file holds a temperature for this: the "
        "logits are divided by it before the softmax. It is fitted on the fold's validation part, "
        "never on its test session, and changes no answer. Above 1 it makes a system less sure, "
        "below 1 surer.\n\n"
        "The table is of all test utterances of all folds and seeds, without → with the "
        f"temperature. ECE, the expected calibration error ({found['bins']} bins), is how far "
        "confidence and accuracy lie apart on average; NLL is the mean negative log-likelihood, "
        "Brier the mean squared error of the four probabilities. Less is better for all three. "
        "The validation part is small, and shares its speakers with training unless the run held "
        "speakers out for it; so a temperature may be too low for new speakers, and can make a "
        "figure worse.\n\n"
        f"{table(head, rows)}"
    )


def _coverage_text(found: dict[str, Any]) -> str:
    rows = [
        [model, *map(number, values["accuracy_at_coverage"])]
        for model, values in found["models"].items()
    ]
    head = ["model", *(f"{c:.0%} answered" for c in found["coverages"])]
    return (
        "### Accuracy on the surest answers\n\n"
        "Accuracy when only the utterances with the greatest confidence are answered. It rises "
        "from left to right where confidence tells right answers from wrong ones.\n\n"
        f"{table(head, rows)}"
    )


def _abstain_text(found: dict[str, Any]) -> str:
    title = "### When to abstain\n\n"
    if any(values["abstain"] is None for values in found["models"].values()):
        return (
            f"{title}Not available: this run has one fold only, and a threshold is to be tried on "
            "other speakers than those it was chosen on."
        )
    head, rows, partly = ["model"], [], False
    for target in found["targets"]:
        head += [f"for {target:.2f}", "answered", "right"]
    for model, values in found["models"].items():
        rows.append([model])
        for one in values["abstain"]:
            some = None in one["thresholds"] and one["threshold"] is not None
            partly |= some
            rows[-1] += _abstain_cells(one, "†" if some else "")
    return (
        f"{title}A kiosk that must not be wrong often can say that it is not sure. Choose the "
        "accuracy that its answers must have, and take the threshold below: answer if the "
        "confidence is at least that, else abstain. *Answered* and *right* say what this costs "
        "and what it gives. Each fold's threshold was chosen on the other folds' test utterances "
        "and tried on this fold, whose speakers had no say in it; the table has the median "
        "threshold, the share of utterances answered, and the accuracy of these answers. A "
        "threshold of 0 means that the target is reached without abstaining, – that no threshold "
        f"reaches it{', † that some folds had none and were left unanswered' if partly else ''}.\n"
        f"\n{table(head, rows)}\n\n"
        f"A threshold is chosen with a margin: the {found['confidence_level']:.0%} lower bound "
        "(Clopper-Pearson) of the accuracy on the utterances it is chosen on must reach the "
        "target. *Right* can still lie below the target where a fold's speakers differ from the "
        "others. For another target: `python train/calibration.py RUN --model NAME --target "
        "0.97`. A threshold belongs to one system, one corpus and one place; choose it anew from "
        "recordings of the place where it is used."
    )


def _abstain_cells(one: dict[str, Any], mark: str) -> list[str]:
    if one["threshold"] is None:
        return [NONE] * 3
    threshold = threshold_text(one["threshold"]) + mark
    return [threshold, f"{one['coverage']:.1%}", number(one["accuracy"])]


def threshold_text(value: float) -> str:
    """Four digits, and near 1 as many as tell it from 1: with 1, next to nothing is answered."""
    if value in (0, 1):
        return f"{value:.0f}"
    digits = max(4, math.ceil(-math.log10(1 - value)) + 2)
    return f"{value:.{digits}f}".removeprefix("0")


def choice(one: dict[str, Any]) -> str:
    """What ``abstaining`` found for one target, as plain text; some threshold reaches it."""
    found = [t for t in one["thresholds"] if t is not None]
    low, high = threshold_text(min(found)), threshold_text(max(found))
    lines = [
        f"threshold  {threshold_text(one['threshold'])}  median of the folds' ({low} to {high})",
        f"coverage   {number(one['coverage'])}  of the test utterances are answered",
        f"accuracy   {number(one['accuracy'])}  of the answers are right; "
        f"{number(one['lowest'])} on the fold where it is lowest",
    ]
    tests = len(one["thresholds"])
    if len(found) < tests:
        lines.append(f"{tests - len(found)} of {tests} tests had no threshold: nothing answered")
    return "\n".join([*lines, "", USE])
