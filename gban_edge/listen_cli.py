"""The command ``gban-edge listen``; needs typer and rich, and sounddevice for a microphone."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.live import Live

from gban_edge.asr_option import ALLOWED, check_word_source, open_word_source
from gban_edge.listen_panel import View, json_line, plain_line
from gban_edge.microphone import File, Microphone, Source, list_devices, load_sounddevice
from gban_edge.microphone import parse_device as parse
from gban_edge.runtime import EmotionRecognizer
from gban_edge.stream import Event, SpeechEnded, UtteranceStream
from gban_edge.terminal import hush
from gban_edge.told import told

EPILOG = (
    "Exit status: 0 ended by Ctrl-C or at the end of the file; 1 the model, the microphone or what "
    "they need failed; 2 wrong usage."
)
Show = Callable[[Event], None]


@told
def listen(
    model: Annotated[
        str | None, typer.Argument(help="The model file, or its folder.", show_default=False)
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="Number of the microphone, or a part of its name.")
    ] = None,
    devices: Annotated[
        bool, typer.Option("--list-devices", help="List the sound devices and end.")
    ] = False,
    words_source: Annotated[
        str, typer.Option(help=f"Recognise the words: {ALLOWED}; or none: by sound alone.")
    ] = "none",
    vad: Annotated[
        str, typer.Option(help="What finds speech: silero, energy, or auto: silero if installed.")
    ] = "auto",
    file: Annotated[
        Path | None, typer.Option(help="A sound file instead of the microphone, in real time.")
    ] = None,
    fast: Annotated[bool, typer.Option("--fast", help="The file as fast as possible.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Events as JSON lines instead of the panel.")
    ] = False,
    backend: Annotated[
        str, typer.Option(help="cpu, cuda, onnxruntime, tensorrt or auto.")
    ] = "auto",
    precision: Annotated[str | None, typer.Option(help="fp32, fp16, or on the CPU int8.")] = None,
    threads: Annotated[int, typer.Option(help="Of the CPU, for an utterance.")] = 1,
    abstain_below: Annotated[
        float, typer.Option(help='0 to 1: "not sure" where the best class is less probable.')
    ] = 0.0,
) -> None:
    """The emotion of what is being said, from the microphone; no sound is kept."""
    if devices:
        typer.echo("\n".join(list_devices(load_sounddevice())) or "no sound devices")
        return
    check_usage(model, device, words_source, file, fast)
    assert model is not None
    recognizer = EmotionRecognizer.from_pretrained(
        model, backend, precision=precision, threads=threads, abstain_below=abstain_below
    )
    source: Source = Microphone(parse(device)) if file is None else File(file, fast)
    words = None if words_source == "none" else open_word_source(words_source)
    stream = UtteranceStream(recognizer, vad=vad, words=words, sample_rate=source.rate)
    view = View(source.name, recognizer.backend, stream.vad.name,
                "" if words is None else words_source)  # fmt: skip
    try:
        if as_json:
            ready = {"type": "ready", "labels": recognizer.labels, "backend": recognizer.backend}
            _write(json.dumps(ready) + "\n")
        follow(source, stream, view, as_json)
    except KeyboardInterrupt:
        return
    except BrokenPipeError:  # the reader has heard enough
        hush()


def check_usage(
    model: str | None, device: str | None, words_source: str, file: Path | None, fast: bool
) -> None:
    """BadParameter (status 2) for what is missing or contradicts."""
    if model is None:
        raise typer.BadParameter("is missing: give a model file", param_hint="MODEL")
    if fast and file is None:
        raise typer.BadParameter("is for --file: a microphone has one speed", param_hint="--fast")
    if file is not None and device is not None:
        raise typer.BadParameter("exclude each other", param_hint="--file and --device")
    if words_source != "none":
        try:
            check_word_source(words_source)
        except ValueError as error:
            raise typer.BadParameter(f"{error}, or none", param_hint="--words-source") from None


def follow(source: Source, stream: UtteranceStream, view: View, as_json: bool) -> None:
    """Hear the source to its end; show events as JSON, in a panel, or where there is no terminal
    a line an utterance."""
    console = Console()
    live = console.is_terminal and not as_json
    show = _as_json if as_json else view.take if live else _as_line
    shown: Any = Live(view, console=console, refresh_per_second=10) if live else nullcontext()
    with source, shown:
        for block in source:
            view.lost = source.lost
            for event in stream.push(block):
                show(event)
        for event in stream.finish():
            show(event)


def _as_json(event: Event) -> None:
    _write(json_line(event))


def _as_line(event: Event) -> None:
    if isinstance(event, SpeechEnded):
        _write(plain_line(event) + "\n")


def _write(line: str) -> None:
    sys.stdout.write(line)
    sys.stdout.flush()
