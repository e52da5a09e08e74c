#!/usr/bin/env python3
"""The model card of a run: docs/model-card-template.md with the run's own figures.

    python tools/model_card.py RUN                        print the card of the run's gban
    python tools/model_card.py RUN --model h_s -o CARD.md

Figures come from RUN/results.json (train/report.py writes it). What no run knows (who speaks in a
corpus that is not the built-in one, what it may be used for, its licence) is left as "TO FILL IN".
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from gban_edge.files import write_text
from gban_edge.labels import FULL_NAMES
from train.evidence import synthesised

TEMPLATE = Path(__file__).resolve().parent.parent / "docs" / "model-card-template.md"
BUILT_IN = {
    "data": (
        "The built-in corpus ([train/synthesise.py](../train/synthesise.py)): ten synthetic voices "
        "of\nespeak-ng, two a session, say English sentences of a small grammar. Arousal is in the "
        "prosody,\nvalence in the words; in half of the utterances two clauses of opposite valence "
        "stand side by side\nand the stressed one decides. No person was recorded and no person "
        "labelled anything. The best\npossible is .500 from prosody alone, .417 from words alone, "
        "1.000 from both aligned."
    ),
    "use": (
        "Trying gban-edge: tests, demonstrations, measuring speed. It recognises this corpus and "
        "nothing\nelse; it is of no use on people's voices."
    ),
    "out_of_scope": "Every recording of a person: the network has never heard one.",
    "limits": (
        "Ten synthetic voices and a small grammar. Words outside its vocabulary are one unknown "
        "word."
    ),
    "licence": (
        "Apache-2.0, as gban-edge: the corpus is made by a script of this repository. (espeak-ng, "
        "which\nspeaks it, is GPL-3.0 and no part of the model.)"
    ),
}
OPEN = {
    "data": "TO FILL IN: who speaks, how many, in what language; acted or not; who labelled it",
    "use": "TO FILL IN: for what, for whom, with which people's consent",
    "out_of_scope": "TO FILL IN: what else it must not be used for",
    "limits": "TO FILL IN: whom the corpus does not represent (language, age, microphone, room)",
    "licence": "TO FILL IN: the terms of the corpus, and what they allow to do with models of it",
}


def card(run: Path, model: str, template: str) -> str:
    """The template with every ``{{name}}`` replaced.

    Raises:
        FileNotFoundError: ``run`` has no results.json.
        ValueError: not a run's results, no such model among them, an unknown placeholder.
    """
    path = run / "results.json"
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist; python train/report.py {run} writes it")
    try:
        values = _values(json.loads(path.read_text("utf-8")), model)
    except (KeyError, TypeError, IndexError, json.JSONDecodeError) as error:
        raise ValueError(f"{path}: not the results of a finished run ({error!r})") from error
    unknown = sorted(set(re.findall(r"\{\{(\w+)\}\}", template)) - set(values))
    if unknown:
        raise ValueError(f"the template has placeholders without a value: {unknown}")
    return re.sub(r"\{\{(\w+)\}\}", lambda found: values[found[1]], template)


def _values(found: dict[str, Any], model: str) -> dict[str, str]:
    if model not in found["summary"]:
        raise ValueError(f"model must be among this run's {list(found['summary'])}, got {model!r}")
    settings, summary = found["settings"], found["summary"][model]
    tasks = [task for task in found["tasks"] if task["model"] == model]
    counts = tasks[0]["utterances"]
    skipped = ", ".join(f"{n} x {what}" for what, n in settings["skipped"].items())
    return {
        "model": model,
        "version": found["versions"].get("gban-edge", "of an unknown version"),
        "classes": ", ".join(FULL_NAMES.get(label, label) for label in found["labels"]),
        "parameters": f"{tasks[0]['parameters']:,}",
        "recipe": f"recipe {settings['recipe']['name']}",
        "trainings": str(len(tasks)),
        "folds": _listed(summary["folds"]),
        "seeds": _listed(summary["seeds"]),
        "corpus": settings["corpus"],
        "fingerprint": settings["fingerprint"],
        "utterances": str(settings["utterances"]),
        "left_out": skipped or "none",
        "validation": settings["validation"],
        "fold": str(tasks[0]["fold"]),
        "train": str(counts["train"]),
        "validated": str(counts["validation"]),
        "test": str(counts["test"]),
        "command": _command(settings, model),
        "made_with": _made_with(found),
        **(BUILT_IN if synthesised(settings) else OPEN),
        **_metrics(found, summary),
        **_calibration(found["calibration"], model),
    }


def _metrics(found: dict[str, Any], summary: dict[str, Any]) -> dict[str, str]:
    values = {
        "sessions": f"Of the test session of each fold, mean over {len(summary['seeds'])} seed(s); "
        "± is the deviation over seeds.",
        "recalls": "\n".join(
            f"| {FULL_NAMES.get(label, label)} | {_number(recall)} |"
            for label, recall in zip(found["labels"], summary["recalls"], strict=True)
        ),
    }
    for metric in ("wa", "ua"):
        one = summary[metric]
        several = f" ± {one['sd_over_seeds']:.4f}" if len(summary["seeds"]) > 1 else ""
        values[metric] = _number(one["mean"]) + several
        values[f"{metric}_folds"] = ", ".join(map(_number, one["by_fold"]))
    return values


def _calibration(found: dict[str, Any], model: str) -> dict[str, str]:
    one = found["models"][model]
    answered = dict(zip(found["coverages"], one["accuracy_at_coverage"], strict=True))
    temperatures = one["temperatures"]
    return {
        "temperatures": f"{min(temperatures):.2f} to {max(temperatures):.2f}",
        "ece": _number(one["after"]["ece"]),
        "ece_before": _number(one["before"]["ece"]),
        "nll": _number(one["after"]["nll"]),
        "nll_before": _number(one["before"]["nll"]),
        "at_90": _number(answered[0.9]),
        "at_50": _number(answered[0.5]),
        "abstain": _abstain(one["abstain"]),
    }


def _abstain(targets: list[dict[str, Any]] | None) -> str:
    """The strictest target that was reached somewhere, in words."""
    reached = [t for t in targets or [] if t["accuracy"] is not None]
    if not reached:
        return "here no threshold could be tried or reached its target"
    one = reached[-1]
    return (
        f"for .{100 * one['target']:.0f} it is {one['threshold']:.4f} (median over folds and "
        f"seeds), which answers {100 * one['coverage']:.1f}% of the utterances, "
        f"{_number(one['accuracy'])} of them rightly"
    )


def _command(settings: dict[str, Any], model: str) -> str:
    seeds = len(settings["seeds"])
    corpus = "" if synthesised(settings) else "--iemocap FOLDER "
    return f"{corpus}--models {model} --seeds {seeds} --recipe {settings['recipe']['name']}"


def _made_with(found: dict[str, Any]) -> str:
    versions = ", ".join(
        f"{name} {found['versions'][name]}"
        for name in ("python", "torch")
        if name in found["versions"]
    )
    return f"commit {found['commit']}, {versions}, {found['cores']} cores of {found['machine']}"


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers))


def _number(value: float | None) -> str:
    return "—" if value is None else f"{value:.4f}"


def main(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    model: Annotated[str, typer.Option(help="Which system of the run.")] = "gban",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write, instead of printing.")
    ] = None,
) -> None:
    """Fill the model card's template from a run."""
    try:
        text = card(run, model, TEMPLATE.read_text("utf-8"))
        if output is None:
            print(text, end="")
        else:
            write_text(output, text)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    left = text.count("TO FILL IN")
    if left:
        print(f"{left} places are left to you: look for TO FILL IN", file=sys.stderr)


if __name__ == "__main__":
    typer.run(main)
