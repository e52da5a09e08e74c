"""The command ``gban-edge demo``; needs typer and rich."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gban_edge.checkout import SPEAKING, find_checkout, hand_over, require
from gban_edge.options import between, shells_files
from gban_edge.told import told

EPILOG = (
    "Exit status: 0 shown; 1 no checkout, something not installed, or training failed; 2 wrong "
    "usage; 130 interrupted."
)


@told
def demo(
    model: Annotated[
        Path | None,
        typer.Option(
            help="A model file; else that of the newest run in runs/.",
            autocompletion=shells_files,
        ),
    ] = None,
    clips: Annotated[
        int, typer.Option(help="How many to speak, 1 to 40.", callback=between(1, 40))
    ] = 8,
    seed: Annotated[
        int, typer.Option(help="Another number, other sentences.", callback=between(1, 2**32))
    ] = 1,
    retrain: Annotated[
        bool, typer.Option("--retrain", help="Train although there is a model.")
    ] = False,
    save: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the clips; else none is written.", autocompletion=shells_files
        ),
    ] = None,
) -> None:
    """Hear a few clips with a model; train it first, if there is none.

    The corpus is built in and synthetic: nothing is downloaded. Needs a checkout of the sources.
    """
    script = find_checkout() / "train" / "demo.py"
    if model is not None and retrain:
        raise typer.BadParameter("exclude each other", param_hint="--model and --retrain")
    require(SPEAKING, "the demo's speech")
    arguments = ["--clips", str(clips), "--seed", str(seed)]
    for name, value in (("--model", model), ("--save", save)):
        arguments += [] if value is None else [name, str(value)]
    hand_over(script, [*arguments, "--retrain"] if retrain else arguments)
