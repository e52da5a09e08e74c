"""The command ``gban-edge listen``: its options; needs typer. What it does is in listen_run.py,
which is imported when it is done."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gban_edge.asr_option import ALLOWED, check_word_source
from gban_edge.options import (
    AbstainBelow,
    Backend,
    Precision,
    Threads,
    VadName,
    shells_files,
    suggesting,
)
from gban_edge.told import told

EPILOG = (
    "Examples:\n\n"
    "  gban-edge listen MODEL --asr pocketsphinx\n\n"
    "  gban-edge listen --list-devices\n\n"
    "  gban-edge listen MODEL --file talk.wav --fast\n\n"
    "Exit status: 0 ended by Ctrl-C or at the end of the file; 1 the model, the microphone or "
    "what they need failed; 2 wrong usage; 130 Ctrl-C before it listened."
)
SOUND = "Where the sound comes from"


@told
def listen(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL", show_default=False, autocompletion=shells_files,
            help="A model file, its folder, or a name of the Hugging Face hub.",
        ),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", rich_help_panel=SOUND,
            help="Number of the microphone, or a part of its name; else the system's own choice.",
        ),
    ] = None,
    devices: Annotated[
        bool,
        typer.Option(
            "--list-devices", "--list", rich_help_panel=SOUND,
            help="List the sound devices and end.",
        ),
    ] = False,
    file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", autocompletion=shells_files, rich_help_panel=SOUND,
            help="A sound file instead of the microphone, in real time.",
        ),
    ] = None,
    fast: Annotated[
        bool,
        typer.Option("--fast", help="The file as fast as possible.", rich_help_panel=SOUND),
    ] = False,
    asr: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            autocompletion=suggesting("none", "pocketsphinx", "sherpa:"),
            help=f"Recognise the words: {ALLOWED}; or none: by sound alone.",
        ),
    ] = "none",
    vad: VadName = "auto",
    as_json: Annotated[
        bool, typer.Option("--json", help="Events as JSON lines instead of the panel.")
    ] = False,
    abstain_below: AbstainBelow = 0.0,
    backend: Backend = "auto",
    precision: Precision = None,
    threads: Threads = 1,
) -> None:  # fmt: skip
    """Say the emotion of what is said into the microphone, live.

    Emotion is estimated on this machine; no sound is kept or sent.
    """
    if not devices:
        check_usage(model, device, asr, file, fast)
    from gban_edge import listen_run
    from gban_edge.runtime import EmotionRecognizer

    if devices:
        typer.echo(listen_run.devices())
        return
    assert model is not None
    recognizer = EmotionRecognizer.from_pretrained(
        model, backend, precision=precision, threads=threads, abstain_below=abstain_below
    )
    listen_run.run(recognizer, listen_run.open_source(device, file, fast), asr, vad,
                   as_json)  # fmt: skip


def check_usage(
    model: str | None, device: str | None, asr: str, file: Path | None, fast: bool
) -> None:
    """BadParameter (status 2) for what is missing or contradicts."""
    if not model:
        raise typer.BadParameter("is missing: give a model file", param_hint="MODEL")
    if fast and file is None:
        raise typer.BadParameter("is for --file: a microphone has one speed", param_hint="--fast")
    if file is not None and device is not None:
        raise typer.BadParameter("exclude each other", param_hint="--file and --device")
    if asr != "none":
        try:
            check_word_source(asr)
        except ValueError as error:
            raise typer.BadParameter(f"{error}, or none", param_hint="--asr") from None
