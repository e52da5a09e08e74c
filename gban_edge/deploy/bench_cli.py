"""The command: ``gban-edge bench`` and ``python deploy/benchmark.py``."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from gban_edge.deploy import bench_terminal as terminal
from gban_edge.deploy.bench_compare import compare as compared
from gban_edge.deploy.bench_measure import measure
from gban_edge.deploy.bench_options import BenchOptions, parse_seconds, parse_words
from gban_edge.deploy.bench_plot import check_matplotlib
from gban_edge.deploy.bench_protocols import Tools, silent
from gban_edge.deploy.bench_report import write_report
from gban_edge.told import told

INTERRUPTED = 130


@told
def bench(
    model: Annotated[
        Path | None, typer.Argument(help="The model file: .safetensors, ONNX or an engine.")
    ] = None,
    backend: Annotated[
        str, typer.Option(help="cpu, cuda, onnxruntime, tensorrt or auto.")
    ] = "auto",
    precision: Annotated[
        str | None,
        typer.Option(help="fp32, fp16 or int8; an ONNX file or engine has its own."),
    ] = None,
    threads: Annotated[int, typer.Option(help="Of the CPU, for a call.")] = 1,
    device: Annotated[int, typer.Option(help="The number of the GPU.")] = 0,
    wait: Annotated[str, typer.Option(help="For the GPU: spin or block.")] = "spin",
    seconds: Annotated[
        str, typer.Option(help="Length of an utterance: 7.5, or 0.5-7.5 for mixed lengths.")
    ] = "7.5",
    words: Annotated[str, typer.Option(help="Words of an utterance: 20, or 1-20.")] = "20",
    source: Annotated[
        str, typer.Option("--input", help="Where a call begins: pcm or features.")
    ] = "pcm",
    warmup: Annotated[float, typer.Option(help="Seconds of calls before the measured.")] = 5.0,
    duration: Annotated[
        float, typer.Option(help="Seconds of measured calls; 600 for a figure to publish.")
    ] = 60.0,
    idle: Annotated[
        float | None,
        typer.Option(help="Seconds of idle power; 10 where there is a power meter."),
    ] = None,
    cold_starts: Annotated[int, typer.Option(help="Fresh processes; 0 for none.")] = 3,
    seed: Annotated[int, typer.Option(help="Of the utterances.")] = 0,
    reference: Annotated[
        Path | None,
        typer.Option(help="A .safetensors file whose answers on the CPU are the right ones."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the files.")] = Path("bench"),
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the report as JSON, not as a table.")
    ] = False,
    plot: Annotated[bool, typer.Option(help="Draw the histogram.")] = True,
    compare: Annotated[
        tuple[Path, Path] | None,
        typer.Option(metavar="A B", help="Two .json reports: print them side by side."),
    ] = None,
) -> None:
    """Measure latency, throughput and energy of a model, from sound in memory to the result."""
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
    if plot:  # now, not after ten minutes
        check_matplotlib()
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
