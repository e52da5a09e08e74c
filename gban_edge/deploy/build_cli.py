"""The command ``gban-edge build``; needs typer and rich."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gban_edge.options import shells_files, suggesting
from gban_edge.told import told

if TYPE_CHECKING:
    from rich.table import Table

    from gban_edge.runtime.engine_file import EngineFile


WRITTEN = "197x8,397x16,747x32,747x512"  # engine_buckets.BUCKETS, which NumPy is imported for


@told
def build(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="An ONNX file, or a model file (.safetensors) to export first.",
            autocompletion=shells_files,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="ENGINE",
            help="The engine to write; beside FILE if left out.",
            autocompletion=shells_files,
        ),
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(
            help="Of a model file: fp32 or fp16. An ONNX file has its own.",
            autocompletion=suggesting("fp32", "fp16"),
        ),
    ] = None,
    flavour: Annotated[
        str,
        typer.Option(
            help="Of a model file: plain, plugin, or auto: plugin where TensorRT and the plugin "
            "library are here.",
            autocompletion=suggesting("auto", "plain", "plugin"),
        ),
    ] = "auto",
    buckets: Annotated[
        str,
        typer.Option(help="FRAMESxWORDS of each fixed shape, ascending (100 frames a second)."),
    ] = WRITTEN,
    dynamic: Annotated[
        bool,
        typer.Option("--dynamic", help="One profile for all lengths and batches, not buckets."),
    ] = False,
    module: Annotated[
        str,
        typer.Option(
            help="tensorrt, tensorrt_rtx or auto.",
            autocompletion=suggesting("auto", "tensorrt", "tensorrt_rtx"),
        ),
    ] = "auto",
    plugin: Annotated[
        Path | None,
        typer.Option(
            help="The plugin library, if not the one built here.", autocompletion=shells_files
        ),
    ] = None,
    timing_cache: Annotated[
        Path | None,
        typer.Option(
            help="Folder of timing caches; $GBAN_EDGE_CACHE or ~/.cache if left out.",
            autocompletion=shells_files,
        ),
    ] = None,
    workspace: Annotated[
        int | None, typer.Option(help="The most scratch memory a layer may use, in MiB.")
    ] = None,
    level: Annotated[
        int | None, typer.Option(help="Builder optimisation level: 0 (quick) to 5 (thorough).")
    ] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Print what TensorRT says as it builds.")
    ] = False,
) -> None:
    """Build a TensorRT engine for the GPU of this machine."""
    from rich.console import Console

    from gban_edge.deploy.build_export import exported
    from gban_edge.deploy.tensorrt_build import build as build_engine
    from gban_edge.runtime.engine_buckets import parse_buckets

    console = Console()
    shapes = parse_buckets(buckets)
    if file.suffix == ".safetensors":
        beside = (output or file).with_suffix("")
        file = exported(file, beside, precision or "fp32", flavour, module, plugin)
        output = output or beside.with_suffix(".engine")
    else:
        check_asked(file, precision, flavour)

    def say(line: str) -> None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    made = build_engine(
        file, output, buckets=shapes, dynamic=dynamic, module=module, plugin=plugin,
        cache=timing_cache, workspace=workspace, level=level, log=say if verbose else None,
    )  # fmt: skip
    console.print(table(made, file))
    for warning in made.warnings:
        say(f"warning: {warning}")


def check_asked(onnx_path: Path, precision: str | None, flavour: str) -> None:
    """ValueError where something else was asked for than the ONNX file is."""
    from gban_edge.deploy.tensorrt_source import Source

    facts = Source.read(onnx_path).facts
    for name, asked, has in (
        ("precision", precision, facts.precision),
        ("flavour", None if flavour == "auto" else flavour, facts.flavour),
    ):
        if asked is not None and asked != has:
            raise ValueError(
                f"{onnx_path} is {has} and {name} was to be {asked}, which is settled when a model "
                f"file is exported: give the model file, or gban-edge export --{name} {asked}"
            )


def table(made: EngineFile, onnx_path: Path) -> Table:
    """What was built, for people."""
    from rich.table import Table
    from rich.text import Text

    from gban_edge.runtime.engine_file import sidecar

    key, rows = made.key, Table(show_header=False, box=None, pad_edge=False)
    gpu = f"{key.gpu} (sm_{key.capability.replace('.', '')})" if key.capability else "none here"
    shapes = ", ".join(f"{frames}x{words}" for frames, words in key.buckets)
    for name, value in (
        ("engine", str(made.path)),
        ("beside it", sidecar(made.path).name),
        ("from", str(onnx_path)),
        ("network", f"{key.precision}, {made.facts.flavour}"),
        ("size", f"{made.path.stat().st_size / 2**20:.1f} MiB"),
        ("built in", f"{made.seconds:.1f} s"),
        ("TensorRT", f"{key.tensorrt} ({key.module})"),
        ("GPU", gpu),
        ("buckets", shapes or "none: dynamic shapes, which trtexec runs and gban-edge does not"),
        ("warnings", str(len(made.warnings) or "none")),
    ):
        rows.add_row(name, Text(value, overflow="fold"))
    return rows
