"""What ``gban-edge predict`` writes: JSON lines and CSV for programs."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gban_edge.runtime.result import Result

SPAN = ("start", "end")
GATES = ("a_s", "a_t", "h_s", "h_t")
UNSURE = "not sure"


@dataclass(frozen=True)
class Answer:
    """What came of one sound.

    Attributes:
        file: its path as given, "-" for standard input.
        words: that the recogniser was given.
        result: or None where there is an error.
        error: why there is no result, or "".
        span: from when to when it lies in its file, seconds; None where the file is one utterance.
    """

    file: str
    words: str
    result: Result | None
    error: str = ""
    span: tuple[float, float] | None = None

    @property
    def label(self) -> str:
        """The class, "not sure", or "" without a result."""
        if self.result is None:
            return ""
        return UNSURE if self.result.abstained else self.result.label


def json_line(answer: Answer) -> str:
    """One JSON object: file, words and every attribute of the result, or file and error; of a
    long sound's utterance start and end too, seconds."""
    values: dict[str, Any] = {"file": answer.file}
    if answer.span is not None:
        values["start"], values["end"] = (round(time, 3) for time in answer.span)
    if answer.result is None:
        values["error"] = answer.error
    else:
        values["words"] = answer.words
        values.update(answer.result.to_dict())
    return json.dumps(values, ensure_ascii=False, allow_nan=False) + "\n"


def csv_header(labels: Sequence[str], long: bool = False) -> str:
    """The first line of the CSV; ``long``: with start and end."""
    return _row([
        "file", *(SPAN if long else ()), "label", "abstained", "confidence",
        *(f"p_{name}" for name in labels), *GATES, "seconds", "words", "notes", "error",
    ])  # fmt: skip


def csv_line(answer: Answer, labels: Sequence[str], long: bool = False) -> str:
    """One line of the CSV; of a bad file all but its name and the error is empty."""
    if answer.result is None:
        empty = len(labels) + 10 + (len(SPAN) if long else 0)
        return _row([answer.file, *[""] * empty, answer.error])
    result = answer.result
    gates = result.contributions or {}
    return _row([
        answer.file, *(f"{time:.3f}" for time in (answer.span or ()) if long),
        result.label, str(result.abstained).lower(), _number(result.confidence),
        *(_number(result.probabilities[name]) for name in labels),
        *(_number(gates[name]) if name in gates else "" for name in GATES),
        f"{result.seconds:.3f}", answer.words, "; ".join(result.notes), "",
    ])  # fmt: skip


def _row(cells: Sequence[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()


def _number(value: float) -> str:
    return f"{value:.6f}"


def summary(answers: Sequence[Answer], labels: Sequence[str], backend: str) -> str:
    """One line: how many of each class, how many failed, what computed them."""
    counts = Counter(answer.label for answer in answers if answer.result is not None)
    parts = [f"{counts[name]} {name}" for name in (*labels, UNSURE) if counts[name]]
    failed = sum(answer.result is None for answer in answers)
    if failed:
        parts.append(f"{failed} failed")
    spans = sum(answer.span is not None for answer in answers)
    what = counted(len(answers), "sound")
    if spans:
        sounds = counted(len({answer.file for answer in answers}), "sound")
        what = f"{counted(spans, 'utterance')} in {sounds}"
    return f"{what}: {', '.join(parts)} ({backend})"


def counted(count: int, thing: str) -> str:
    """
    >>> counted(1, "sound"), counted(3, "sound")
    ('1 sound', '3 sounds')
    """
    return f"{count} {thing}{'' if count == 1 else 's'}"
