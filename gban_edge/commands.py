"""What ``gban-edge`` can do: a function a command. Imported by :mod:`gban_edge.cli` alone, since it
needs typer and rich."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from gban_edge import demo_cli, listen_cli, predict_cli, train_cli
from gban_edge.deploy.bench_cli import bench
from gban_edge.deploy.build_cli import build
from gban_edge.serve_cli import serve
from gban_edge.told import told

app = typer.Typer(
    name="gban-edge",
    help="The emotion in one spoken utterance, from its sound and its words, on the device.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@told
def export(
    model: Annotated[Path, typer.Argument(help="A model file (.safetensors).")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="The ONNX file to write; beside the model file if left out."
        ),
    ] = None,
    precision: Annotated[
        str, typer.Option(help="fp32, or fp16: weights and states in half precision.")
    ] = "fp32",
    flavour: Annotated[
        str,
        typer.Option(
            help="plain (standard operators), or plugin (nodes for TensorRT with this project's kernels)."
        ),
    ] = "plain",
    strip_functions: Annotated[
        bool,
        typer.Option(
            "--strip-functions",
            help="Plugin flavour without what its nodes mean in standard operators: for TensorRT before 10.7.",
        ),
    ] = False,
) -> None:
    """Write a model file's network as ONNX."""
    from gban_edge.deploy.onnx_export import export as write

    path = output or model.with_suffix(".onnx")
    write(model, path, precision=precision, flavour=flavour, functions=not strip_functions)
    size = path.stat().st_size / 2**20
    shape = flavour + (", functions stripped" if flavour == "plugin" and strip_functions else "")
    Console().print(f"{path}: {precision}, {shape}, {size:.1f} MiB", markup=False, soft_wrap=True)


@told
def info() -> None:
    """Every fact about this build and this machine, and what it lacks."""
    from gban_edge.info import main

    main()


app.command()(export)
app.command()(build)
app.command()(bench)
app.command(epilog=predict_cli.EPILOG)(predict_cli.predict)
app.command(epilog=listen_cli.EPILOG)(listen_cli.listen)
app.command()(serve)
app.command(epilog=train_cli.EPILOG, context_settings=train_cli.CONTEXT)(train_cli.train)
app.command(epilog=demo_cli.EPILOG)(demo_cli.demo)
app.command()(info)
