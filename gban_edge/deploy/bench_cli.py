"""The command: ``gban-edge bench`` and ``python deploy/benchmark.py``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gban_edge.options import BACKENDS, PRECISIONS, shells_files, suggesting
from gban_edge.told import INTERRUPTED, told

if TYPE_CHECKING:
    from gban_edge.deploy.bench_options import BenchOptions

EPILOG = (
    "Examples:\n\n"
    "  gban-edge bench MODEL --duration 10\n\n"
    "  gban-edge bench --compare A.json B.json\n\n"
    "Exit status: 0 measured; 1 the model, the backend or an option fails; 2 wrong usage; 130 "
    "interrupted by Ctrl-C (what was measured until then is written and shown)."
)
LOAD, RUN, REPORT = "What is measured", "How long", "The report"


@told
def bench(
    model: Annotated[
        Path | None,
        typer.Argument(
            metavar="MODEL",
            show_default=False,
            help="The model file: .safetensors, ONNX or an engine.",
            autocompletion=shells_files,
        ),
    ] = None,
    backend: Annotated[
        str,
        typer.Option(help=f"{', '.join(BACKENDS[1:])}, or auto.", rich_help_panel=LOAD, autocompletion=suggesting(*BACKENDS)),
    ] = "auto",
    precision: Annotated[
        str | None,
        typer.Option(help="fp32, fp16 or int8; an ONNX file or engine has its own.", rich_help_panel=LOAD, autocompletion=suggesting(*PRECISIONS)),
    ] = None,
    threads: Annotated[int, typer.Option(help="Of the CPU, for a call.", rich_help_panel=LOAD)] = 1,
    device: Annotated[int, typer.Option(help="The number of the GPU.", rich_help_panel=LOAD)] = 0,
    wait: Annotated[
        str, typer.Option(help="For the GPU: spin or block.", rich_help_panel=LOAD, autocompletion=suggesting("spin", "block"))
    ] = "spin",
    seconds: Annotated[
        str,
        typer.Option(help="Length of an utterance: 7.5, or 0.5-7.5 for mixed lengths.", rich_help_panel=LOAD),
    ] = "7.5",
    words: Annotated[
        str, typer.Option(help="Words of an utterance: 20, or 1-20.", rich_help_panel=LOAD)
    ] = "20",
    source: Annotated[
        str,
        typer.Option("--input", help="Where a call begins: pcm or features.", rich_help_panel=LOAD, autocompletion=suggesting("pcm", "features")),
    ] = "pcm",
    seed: Annotated[int, typer.Option(help="Of the utterances.", rich_help_panel=LOAD)] = 0,
    warmup: Annotated[
        float, typer.Option(help="Seconds of calls before the measured.", rich_help_panel=RUN)
    ] = 5.0,
    duration: Annotated[
        float,
        typer.Option(help="Seconds of measured calls; 600 for a figure to publish.", rich_help_panel=RUN),
    ] = 60.0,
    idle: Annotated[
        float | None,
        typer.Option(help="Seconds of idle power; 10 where there is a power meter.", rich_help_panel=RUN),
    ] = None,
    cold_starts: Annotated[
        int, typer.Option(help="Fresh processes; 0 for none.", rich_help_panel=RUN)
    ] = 3,
    reference: Annotated[
        Path | None,
        typer.Option(
            help="A .safetensors file whose answers on the CPU are the right ones.",
            rich_help_panel=REPORT, autocompletion=shells_files,
        ),
    ] = None,
    out: Annotated[
        Path,
        typer.Option(help="Folder for the files.", rich_help_panel=REPORT, autocompletion=shells_files),
    ] = Path("bench"),
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print the report as JSON, not as a table.", rich_help_panel=REPORT),
    ] = False,
    plot: Annotated[bool, typer.Option(help="Draw the histogram.", rich_help_panel=REPORT)] = True,
    compare: Annotated[
        tuple[Path, Path] | None,
        typer.Option(
            metavar="A B", help="Two .json reports: print them side by side.",
            rich_help_panel=REPORT, autocompletion=shells_files,
        ),
    ] = None,
) -> None:  # fmt: skip
    """Measure latency, throughput and energy of a model, from sound in memory to the result."""
    from gban_edge.deploy.bench_compare import compare as compared
    from gban_edge.deploy.bench_options import BenchOptions, parse_seconds, parse_words

    try:
        if compare is not None:
            typer.echo(compared(*compare), nl=False)
            return
        if model is None:
            raise ValueError("MODEL is missing: give a model file, or --compare A.json B.json")
        options = BenchOptions(
            model, backend, precision, threads, device, wait, parse_seconds(seconds),
            parse_words(words), source, warmup, duration, idle, cold_starts, seed, reference,
        )  # fmt: skip
        whole = _run(options, out, as_json, plot)
    except KeyboardInterrupt:
        typer.echo("interrupted before anything was measured; nothing was written", err=True)
        raise typer.Exit(INTERRUPTED) from None
    if not whole:
        raise typer.Exit(INTERRUPTED)


def _run(options: BenchOptions, out: Path, as_json: bool, plot: bool) -> bool:
    """Measure, write, show; False where Ctrl-C ended it early."""
    import json
    from contextlib import nullcontext
    from dataclasses import replace

    from gban_edge.deploy import bench_terminal as terminal
    from gban_edge.deploy.bench_measure import measure
    from gban_edge.deploy.bench_plot import check_matplotlib
    from gban_edge.deploy.bench_protocols import Tools, silent
    from gban_edge.deploy.bench_report import write_report
    from gban_edge.streams import check_folder

    if plot:  # now, not after ten minutes
        check_matplotlib()
    check_folder(out, f"--out {out}")
    if not as_json:
        terminal.check_rich()
    with nullcontext(silent) if as_json else terminal.progress() as progress:
        report = measure(options, replace(Tools(), progress=progress))
    paths = write_report(report, out, plot)
    if as_json:
        typer.echo(json.dumps(report.to_dict(), indent=1, ensure_ascii=False))
    else:
        terminal.show_report(report, paths)
    return not report.interrupted
