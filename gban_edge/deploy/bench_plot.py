"""The picture of a report: how many calls took how long."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from gban_edge.deploy import bench_words as words
from gban_edge.deploy.bench_report import Report
from gban_edge.files import replacing

# Okabe and Ito's colours, which colour-blind people can tell apart.
LINES = {"p50": "#009E73", "p90": "#D55E00", "p99": "#CC79A7"}
BARS = "#56B4E9"


def write_plot(report: Report, path: Path) -> None:
    """Write the latency histogram as PNG.

    Raises:
        RuntimeError: matplotlib is not installed; says how to install it, or do without.
    """
    check_matplotlib()
    figure = _figure(report)
    with replacing(path) as temporary:
        # No software version in the file: equal reports give equal pictures.
        figure.savefig(temporary, format="png", dpi=150, metadata={"Software": None})


def check_matplotlib() -> None:
    """RuntimeError where no picture can be drawn."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise RuntimeError(
            'the histogram needs matplotlib: pip install "gban-edge[deploy]", or --no-plot'
        ) from error


def _figure(report: Report) -> Any:
    from matplotlib.figure import Figure

    values = report.to_dict()
    figure = Figure(figsize=(9.0, 5.0), layout="constrained")
    axes = figure.subplots()
    edges, counts = values["histogram"]["edges_ms"], values["histogram"]["counts"]
    axes.stairs(counts, edges, fill=True, color=BARS)
    for name, colour in LINES.items():
        value = values["latency_ms"][name]
        label = f"{name}  {words.number(value)} ms"
        axes.axvline(value, color=colour, linewidth=2, label=label)
    axes.legend(loc="upper right", frameon=False, fontsize=11)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(bottom=0.7)
    margin = (edges[-1] / edges[0]) ** 0.02
    axes.set_xlim(edges[0] / margin, edges[-1] * margin)
    axes.set_xticks(time_ticks(*axes.get_xlim()), minor=False)
    axes.set_xticks([], minor=True)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_xlabel("latency of a call, milliseconds (logarithmic)", fontsize=11)
    axes.set_ylabel(f"calls, of {report.count} (logarithmic)", fontsize=11)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.grid(axis="y", which="major", color="#dddddd", linewidth=0.7)
    axes.set_axisbelow(True)
    stopped = ", interrupted" if report.interrupted else ""
    figure.suptitle(_short(words.title(values)) + stopped, fontsize=13, fontweight="bold")
    axes.set_title(_short(words.machine(values), 110), fontsize=10, color="#444444")
    return figure


def time_ticks(low: float, high: float) -> list[float]:
    """Round numbers from ``low`` to ``high``, at most nine; denser where the range is narrow.

    >>> time_ticks(0.3, 40.0)
    [0.5, 1.0, 2.0, 5.0, 10.0, 20.0]
    """
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for digits in ((1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0), (1.0, 2.0, 5.0), (1.0,)):
        ticks = [float(f"{d}e{n}") for n in decades for d in digits]
        inside = [tick for tick in ticks if low <= tick <= high]
        if 3 <= len(inside) <= 9:
            return inside
    step = 10.0 ** math.floor(math.log10(high - low))
    step *= next(n for n in (1.0, 0.5, 0.2, 0.1) if (high - low) / (step * n) >= 3)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [float(f"{n * step:.6g}") for n in range(first, last + 1)]


def _short(text: str, most: int = 90) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
