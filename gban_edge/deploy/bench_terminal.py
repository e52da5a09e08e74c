"""What a person sees of a benchmark: progress between the chunks, then a panel."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gban_edge.deploy import bench_words as words
from gban_edge.deploy.bench_protocols import Progress
from gban_edge.deploy.bench_report import Report

if TYPE_CHECKING:
    from rich.table import Table


def check_rich() -> None:
    """RuntimeError where nothing can be shown."""
    try:
        import rich  # noqa: F401
    except ImportError as error:
        raise RuntimeError('rich is missing: pip install "gban-edge[deploy]"') from error


@contextmanager
def progress() -> Iterator[Progress]:
    """A bar on standard error that is drawn when it is called and never by itself.

    A thread that redraws it would take time from the calls that are measured. Nothing is shown
    where standard error is no terminal.
    """
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    bars = Bars(
        TextColumn("{task.description:<10}"), BarColumn(), TaskProgressColumn(),
        console=console, auto_refresh=False, transient=True, disable=not console.is_terminal,
    )  # fmt: skip
    with bars:
        task = bars.add_task("", total=1.0)

        def show(what: str, done: float) -> None:
            bars.update(task, description=what, completed=done, refresh=True)

        yield show


def show_report(report: Report, paths: Iterable[Path]) -> None:
    """Print the panel, and where the files are, on standard output."""
    from rich.console import Console, Group
    from rich.panel import Panel
    from rich.text import Text

    values = report.to_dict()
    parts: list[Any] = [_table(words.run_rows(values)), Text("")]
    parts += [_table(words.latency_rows(values), bold="p90"), Text("")]
    parts += [_stages(values), Text("")]
    if report.cold is not None:
        parts += [
            Text("cold start, median", style="bold"),
            _table(words.cold_rows(values)),
            Text(""),
        ]
    parts.append(_table(words.energy_rows(values)))
    stopped = " (INTERRUPTED)" if report.interrupted else ""
    console = Console()
    console.print(Panel(Group(*parts), title=Text(f"{words.title(values)}{stopped}"), expand=False))
    for path in paths:
        console.print(Text(str(path)), soft_wrap=True)


def _table(rows: Iterable[words.Row], bold: str = "no row") -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        style = "bold" if name.startswith(bold) else ""
        table.add_row(Text(name), Text(value, style=style))
    return table


def _stages(values: dict[str, Any]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("stage", "p50", "p90"):
        table.add_column(name, justify="left" if name == "stage" else "right")
    for row in words.stage_rows(values):
        table.add_row(*(Text(cell) for cell in row))
    return table
