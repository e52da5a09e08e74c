"""Two reports side by side."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gban_edge.deploy import bench_words as words
from gban_edge.deploy.bench_markdown import table
from gban_edge.deploy.bench_report import read_report

Values = dict[str, Any]


def compare(a: Path, b: Path) -> str:
    """A Markdown table of two JSON reports with the ratios B / A.

    Above it stands, loudly, what makes the two unlike besides what they are compared for.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a report, or one of another schema.
    """
    first, second = read_report(a), read_report(b)
    warnings = [
        f"**NOT ALIKE: {what}: {old} in A, {new} in B**"
        for what, old, new in differences(first, second)
    ]
    names = [f"A: {a.name}, {words.title(first)}", f"B: {b.name}, {words.title(second)}"]
    body = table(("", "A", "B", "B / A"), _rows(first, second))
    return (
        "\n\n".join(["# Two benchmarks", "\n".join(f"- {n}" for n in names), *warnings, body])
        + "\n"
    )


def differences(first: Values, second: Values) -> Iterator[tuple[str, str, str]]:
    """What differs that should not: its name and its value in each."""
    for what, old, new in zip(_FACTS, _facts(first), _facts(second), strict=True):
        if old != new:
            yield what, old, new


_FACTS = (
    "utterance length", "words", "input", "utterances drawn with seed", "machine",
    "wait for the GPU", "threads", "model sha256", "measured in full",
)  # fmt: skip


def _facts(report: Values) -> tuple[str, ...]:
    options = report["options"]
    return (
        f"{words.span(options['seconds'])} s",
        words.span(options["words"]),
        options["source"],
        str(options["seed"]),
        words.machine(report),
        str(report["backend"]["sync"] or "none"),
        str(options["threads"]),
        report["model"]["sha256"][:16],
        "no, interrupted" if report["interrupted"] else "yes",
    )


def _rows(first: Values, second: Values) -> Iterator[tuple[str, str, str, str]]:
    both = dict(_figures(first)), dict(_figures(second))
    for name in dict.fromkeys([*both[0], *both[1]]):
        old, new = (figures.get(name) for figures in both)
        ratio = words.NONE if not old or new is None else f"{new / old:.3f}"
        shown = [words.NONE if value is None else words.number(value) for value in (old, new)]
        yield name, shown[0], shown[1], ratio


def _figures(report: Values) -> Iterator[tuple[str, float | None]]:
    for name, value in report["latency_ms"].items():
        yield f"{name}, ms", value
    yield "throughput, 1/s", report["throughput"]
    yield "calls", report["count"]
    for name, stage in report["stages_ms"].items():
        yield f"{name} p50, ms", stage["p50"]
    if report["cold"] is not None:
        for name, value in report["cold"]["median_ms"].items():
            yield f"cold, {name.replace('_', ' ')}, ms", value
    energy = report["energy"]
    if energy is not None:
        yield f"gross, mJ ({energy['summed']})", energy["gross_joules"] * 1e3
        net = energy["net_joules"]
        yield f"minus idle, mJ ({energy['summed']})", None if net is None else net * 1e3
