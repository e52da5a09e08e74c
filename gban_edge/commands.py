"""What ``gban-edge`` can do: a function a command, and the panels of ``gban-edge --help``. Imported
by :mod:`gban_edge.cli` alone, since it needs typer and rich."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from gban_edge import __version__, demo_cli, listen_cli, predict_cli, serve_cli, train_cli
from gban_edge.deploy import bench_cli, build_cli
from gban_edge.options import shells_files, suggesting
from gban_edge.told import told

PEOPLE, DEPLOY, LEARN = "Hear emotions", "Deploy a model", "Train a model"
app = typer.Typer(
    name="gban-edge",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    epilog="New here? gban-edge demo shows what it does; gban-edge COMMAND --help explains a "
    "command, with examples.\n\nExit status: 0 done; 1 something failed, told in one line; 2 wrong usage; 130 "
    "interrupted by Ctrl-C.",
)
STATUS = "Exit status: 0 {}; 1 {}; 2 wrong usage; 130 interrupted by Ctrl-C."


def print_version(asked: bool) -> None:
    """Print the version and end, where it was asked for."""
    if asked:
        typer.echo(f"gban-edge {__version__}")
        raise typer.Exit


@app.callback()
def gban_edge(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and end.", is_eager=True, callback=print_version
        ),
    ] = False,
) -> None:
    """The emotion in one spoken utterance, from its sound and its words, on the device."""


@told
def export(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL", help="A model file (.safetensors).", autocompletion=shells_files
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="The ONNX file to write; beside the model file if left out.",
            autocompletion=shells_files,
        ),
    ] = None,
    precision: Annotated[
        str,
        typer.Option(help="fp32, or fp16: weights and states in half precision.", autocompletion=suggesting("fp32", "fp16")),
    ] = "fp32",
    flavour: Annotated[
        str,
        typer.Option(
            help="plain (standard operators), or plugin (nodes for TensorRT with this project's kernels).",
            autocompletion=suggesting("plain", "plugin"),
        ),
    ] = "plain",
    strip_functions: Annotated[
        bool,
        typer.Option(
            "--strip-functions",
            help="Plugin flavour without what its nodes mean in standard operators: for TensorRT before 10.7.",
        ),
    ] = False,
) -> None:  # fmt: skip
    """Write a model file's network as ONNX."""
    from gban_edge.deploy.onnx_export import export as write

    path = output or model.with_suffix(".onnx")
    write(model, path, precision=precision, flavour=flavour, functions=not strip_functions)
    size = path.stat().st_size / 2**20
    shape = flavour + (", functions stripped" if flavour == "plugin" and strip_functions else "")
    typer.echo(f"{path}: {precision}, {shape}, {size:.1f} MiB")


@told
def info(
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object instead of a table.")
    ] = False,
) -> None:
    """Print what this build and this machine have, and what they lack."""
    from gban_edge.info import show

    show(as_json)


def add(panel: str, command: Callable[..., Any], epilog: str, **settings: Any) -> None:
    """Register a command below ``panel`` of ``gban-edge --help``."""
    app.command(epilog=epilog, rich_help_panel=panel, **settings)(command)


add(PEOPLE, demo_cli.demo, demo_cli.EPILOG)
add(PEOPLE, predict_cli.predict, predict_cli.EPILOG)
add(PEOPLE, listen_cli.listen, listen_cli.EPILOG)
add(
    PEOPLE, serve_cli.serve, serve_cli.EPILOG,
    short_help="Answer over HTTP and WebSocket, with a page for the browser."
)  # fmt: skip
add(DEPLOY, info, STATUS.format("printed", "it could not be written"))
add(DEPLOY, export, STATUS.format("written", "the model cannot be read, or the file not written"))
add(DEPLOY, build_cli.build, STATUS.format("built", "TensorRT, the GPU or the file refuses"))
add(DEPLOY, bench_cli.bench, bench_cli.EPILOG,
    short_help="Measure a model's latency, throughput and energy.")  # fmt: skip
add(LEARN, train_cli.train, train_cli.EPILOG, context_settings=train_cli.CONTEXT,
    short_help="Train and cross-validate, in a checkout of the sources.")  # fmt: skip
