"""What ``gban-edge listen`` does; needs rich, and sounddevice for a microphone."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live

from gban_edge.asr_option import open_word_source
from gban_edge.listen_panel import View, json_line, plain_line
from gban_edge.microphone import File, Microphone, Source, list_devices, load_sounddevice
from gban_edge.microphone import parse_device as parse
from gban_edge.runtime import EmotionRecognizer
from gban_edge.stream import Event, SpeechEnded, UtteranceStream
from gban_edge.streams import hush, printable, write

Show = Callable[[Event], None]


def devices() -> str:
    """A line a sound device."""
    return "\n".join(list_devices(load_sounddevice())) or "no sound devices"


def open_source(device: str | None, file: Path | None, fast: bool) -> Source:
    """The microphone, or the file in its place; errors as theirs."""
    return Microphone(parse(device)) if file is None else File(file, fast)


def run(
    recognizer: EmotionRecognizer, source: Source, words_source: str, vad: str, as_json: bool
) -> None:
    """Listen until the source ends, or Ctrl-C ends it, or nobody reads on.

    Raises:
        FileNotFoundError, ValueError, RuntimeError: of the source of words, the vad, or the
            microphone.
    """
    words = None if words_source == "none" else open_word_source(words_source)
    stream = UtteranceStream(recognizer, vad=vad, words=words, sample_rate=source.rate)
    view = View(source.name, recognizer.backend, stream.vad.name,
                "" if words is None else words_source)  # fmt: skip
    try:
        if as_json:
            ready = {"type": "ready", "labels": recognizer.labels, "backend": recognizer.backend}
            write(json.dumps(ready, ensure_ascii=False) + "\n")
        follow(source, stream, view, as_json)
    except KeyboardInterrupt:
        return
    except BrokenPipeError:  # the reader has heard enough
        hush()


def follow(source: Source, stream: UtteranceStream, view: View, as_json: bool) -> None:
    """Hear the source to its end; show events as JSON, in a panel, or where there is no terminal
    that can draw one, a line an utterance."""
    console = Console()
    live = console.is_terminal and not console.is_dumb_terminal and not as_json
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
    write(json_line(event))


def _as_line(event: Event) -> None:
    if isinstance(event, SpeechEnded):
        print(printable(plain_line(event)), flush=True)
