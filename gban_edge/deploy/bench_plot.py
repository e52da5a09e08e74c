"""The picture of a report: how many calls took how long."""

from __future__ import annotations

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
    axes.set_xlim(edges[0], edges[-1])
    _time_axis(axes.xaxis)
    axes.set_xlabel("latency of a call, milliseconds (logarithmic)", fontsize=11)
    axes.set_ylabel("calls (logarithmic)", fontsize=11)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.grid(axis="y", which="major", color="#dddddd", linewidth=0.7)
    axes.set_axisbelow(True)
    stopped = ", interrupted" if report.interrupted else ""
    figure.suptitle(_short(words.title(values)) + stopped, fontsize=13, fontweight="bold")
    axes.set_title(
        _short(f"{words.machine(values)}; {report.count} calls in {report.seconds:.0f} s"),
        fontsize=10,
        color="#444444",
    )
    return figure


def _time_axis(axis: Any) -> None:
    """Plain numbers at 1, 2 and 5 of every decade, or fewer where the range is wide."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = axis.get_view_interval()
    subs = (1.0, 2.0, 5.0) if high / low > 4 else tuple(n / 4 for n in range(4, 40))
    axis.set_major_locator(LogLocator(base=10.0, subs=subs, numticks=12))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def _short(text: str, most: int = 90) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
