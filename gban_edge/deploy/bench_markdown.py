"""A report as one page of Markdown that also reads well as plain text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from gban_edge.deploy import bench_words as words
from gban_edge.deploy.bench_report import Report
from gban_edge.deploy.bench_stats import leaves


def markdown(report: Report, picture: str | None = None) -> str:
    """The page; ``picture`` is the name of the histogram's file beside it."""
    values = report.to_dict()
    parts = [
        f"# Latency of gban-edge: {words.title(values)}",
        headline(values),
        table(("run", ""), words.run_rows(values)),
        table(("latency", ""), words.latency_rows(values)),
        f"![Histogram of the latency]({picture})" if picture else "",
        table(("stage", "p50", "p90"), words.stage_rows(values)),
        table(("cold start (median)", ""), words.cold_rows(values)) if report.cold else "",
        table(("energy", ""), words.energy_rows(values)),
        _changes(values),
        table(("version", ""), report.versions.items()),
        "\n".join(f"- {note[:1].upper()}{note[1:]}." for note in report.notes),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def headline(values: dict[str, Any]) -> str:
    """The figure that counts, and loudly what spoils it."""
    stopped = (
        "**INTERRUPTED: the figures are of the calls until Ctrl-C.** "
        if values["interrupted"]
        else ""
    )
    return (
        f"{stopped}p90 **{words.number(values['latency_ms']['p90'])} ms** an utterance, "
        f"p50 {words.number(values['latency_ms']['p50'])} ms, "
        f"{words.number(values['throughput'])} utterances a second."
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table whose columns line up."""
    cells = [[_cell(value) for value in row] for row in (head, *rows)]
    widths = [max(3, *(len(row[i]) for row in cells)) for i in range(len(head))]
    widths[-1] = max(3, len(cells[0][-1])) if len(head) == 2 else widths[-1]
    lines = [
        "| "
        + " | ".join(value.ljust(width) for value, width in zip(row, widths, strict=True))
        + " |"
        for row in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def _cell(value: str) -> str:
    return " ".join(str(value).replace("|", "\\|").split())


def _changes(values: dict[str, Any]) -> str:
    """Clocks and temperatures before and after the measured calls, where the machine tells them."""
    before, after = (dict(leaves(values["machine"][key])) for key in ("before", "after"))
    rows = [
        (name, f"{number:g}", f"{after[name]:g}" if name in after else words.NONE)
        for name, number in before.items()
        if any(part in name for part in ("temperature", "clock", "mhz")) and "max" not in name
    ]
    return table(("clock or temperature", "before", "after"), rows) if rows else ""
