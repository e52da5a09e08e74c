"""A report from top to bottom: which section stands where, with which pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from train import evidence, findings, sections, significance, tables
from train.stored import Stored

TITLE = "GBAN and what it is compared with, cross-validated by session"
WORD_ERRORS = "word-errors"
CAPTIONS = {
    "overview": "WA of every system",
    "gates-gban": "Mean gate weights of GBAN on each fold",
    "calibration": "Confidence against accuracy",
    "coverage": "Accuracy against the share of utterances answered",
    "confusions": "Confusion matrices: rows true, columns predicted",
    "learning": "Loss and validation WA of every system over epochs",
    WORD_ERRORS: "WA against word error rate",
}


def markdown(
    found: Stored,
    summary: dict[str, Any],
    paper_tables: list[dict[str, Any]],
    parts: dict[str, Any],
    calibrated: str,
) -> str:
    """The whole report; pictures are named relative to the run folder.

    ``parts`` holds "significance", "claims" and "unimodal" as train/significance.py and
    train/findings.py give them; ``calibrated`` is the section on calibration.
    """
    run, first = found.run, next(iter(summary.values()))
    tests, claims, alone = parts["significance"], parts["claims"], parts["unimodal"]
    chapters = [
        ("What was run", sections.what_was_run(found)),
        ("The answer", with_pictures(
            run, sections.answer(found, summary, tests, claims, alone), "overview")),
        ("The systems", sections.systems(found.models, found.settings["recipe"])),
        ("Tables 1 to 3 beside the paper", "\n\n".join(map(tables.markdown, paper_tables))),
        ("Figure 2 beside the paper", with_pictures(run, sections.gates(summary), "gates-gban")),
        ("The paper's orderings", findings.markdown(claims, alone)),
        ("What this is evidence of", evidence.markdown(found.settings, summary)),
        ("Significance", significance.markdown(tests, first["folds"], len(first["seeds"]))),
        ("Parameters and training", sections.cost(found)),
        ("Calibration", with_pictures(
            run, sections.as_subsection(calibrated), "calibration", "coverage")),
        ("Imperfect words", _word_errors(run)),
        ("Which classes are confused", with_pictures(
            run, sections.recalls(summary), "confusions")),
        ("Learning curves", _folded(run, "learning")),
        ("Notes and limits", sections.limits(found)),
    ]  # fmt: skip
    body = "\n\n".join(f"## {title}\n\n{text}" for title, text in chapters if text)
    return f"# {TITLE}\n\n{body}\n"


def with_pictures(run: Path, text: str, *names: str) -> str:
    """``text`` and those figures of the run that exist and that it does not show already."""
    shown = [_picture(run, name) for name in names if f"/{name}.png" not in text]
    return "\n\n".join(part for part in [text, *shown] if part)


def _picture(run: Path, name: str) -> str:
    path = f"figures/{name}.png"
    return f"![{CAPTIONS.get(name, name)}]({path})" if (run / path).is_file() else ""


def _word_errors(run: Path) -> str:
    """What train/word_errors.py left, where it was run."""
    path = run / f"{WORD_ERRORS}.md"
    if not path.is_file():
        return ""
    return with_pictures(run, sections.as_subsection(path.read_text("utf-8")), WORD_ERRORS)


def _folded(run: Path, name: str) -> str:
    """A picture behind a line that opens it."""
    picture = _picture(run, name)
    if not picture:
        return ""
    return f"<details>\n<summary>{CAPTIONS[name]}</summary>\n\n{picture}\n\n</details>"
