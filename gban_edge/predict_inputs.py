"""Which sounds ``gban-edge predict`` is to hear."""

from __future__ import annotations

import io
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from glob import glob, has_magic
from pathlib import Path
from typing import Any, BinaryIO

from gban_edge.streams import sentence

# What libsndfile reads; WAV needs no package.
SOUNDS = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".aif", ".aiff", ".au", ".caf", ".w64")
STDIN = Path("-")
MOST = 2**30  # bytes of a stream that are kept in memory


@dataclass(frozen=True)
class Input:
    """A sound to hear.

    Attributes:
        path: of its file; "-" for standard input.
        inside: where it lies below the folder that was given; its name where a file was.
        error: why there is nothing to hear, or "".
    """

    path: Path
    inside: Path
    error: str = ""

    def __str__(self) -> str:
        return "standard input" if self.path == STDIN else str(self.path)

    def open(self, raw: int | None = None) -> Any:
        """What the recogniser takes: the path; of a stream, which is read to its end, an open file
        or, where it is 16-bit PCM of ``raw`` Hz without a header, int16 [samples].

        Raises:
            FileNotFoundError: there is no such file; ``error``.
            ValueError: a device or socket; an empty or endless stream, or one closed.
        """
        if self.error:
            raise FileNotFoundError(self.error)
        if self.path == STDIN:
            content = _read_stream(_stdin(), str(self))
            return _samples(content, str(self)) if raw else _named(content, str(self))
        kind = self.path.stat().st_mode if self.path.exists() else stat.S_IFREG
        if stat.S_ISREG(kind):
            return self.path
        if not stat.S_ISFIFO(kind):
            raise ValueError(f"{self.path}: no file but a device or a socket")
        with self.path.open("rb") as pipe:  # <(command)
            return _named(_read_stream(pipe, str(self)), str(self))


def _stdin() -> BinaryIO:
    if sys.stdin is None:
        raise ValueError("standard input: closed; give it a sound: `gban-edge predict - < x.wav`")
    if sys.stdin.isatty():
        raise ValueError("standard input: a keyboard; give it a sound: `... - < x.wav`")
    return sys.stdin.buffer


def _read_stream(stream: BinaryIO, name: str) -> bytes:
    content = stream.read(MOST + 1)
    if not content:
        raise ValueError(f"{name}: empty, it holds no sound")
    if len(content) > MOST:
        raise ValueError(f"{name}: more than {MOST >> 20} MiB; give a file")
    return content


def _named(content: bytes, name: str) -> BinaryIO:
    file = io.BytesIO(content)
    file.name = name  # for messages
    return file


def _samples(content: bytes, name: str) -> Any:
    import numpy as np

    if len(content) % 2:
        raise ValueError(f"{name}: {len(content)} bytes are no whole number of 16-bit samples")
    return np.frombuffer(content, "<i2").astype(np.int16)


def find_inputs(given: Sequence[str]) -> list[Input]:
    """Files as they were given, folders' sound files below them, sorted by path; patterns (``*``)
    that the shell left alone, likewise.

    Hidden files are passed over: macOS writes ``._x.wav`` files that are no sound; so are the
    ``x.txt`` beside an ``x.wav`` that is given too, as by ``folder/*``: they are its words. A
    folder without a sound file is an input with an error, and so is one that cannot be read.
    """
    places = [place for text in given for place in _expanded(text)]
    sounds = {path.with_suffix("") for path in places if _is_sound(path)}
    return [
        found
        for path in places
        if not (path.suffix == ".txt" and path.with_suffix("") in sounds)
        for found in _inputs_of(path)
    ]


def _is_sound(path: Path) -> bool:
    return path.suffix.lower() in SOUNDS


def _expanded(text: str) -> list[Path]:
    path = Path(text)
    if has_magic(text) and not path.exists():
        return [Path(found) for found in sorted(glob(text, recursive=True))] or [path]  # noqa: PTH207
    return [path]


def _inputs_of(path: Path) -> Iterator[Input]:
    if path == STDIN or not path.is_dir():
        yield Input(path, Path(path.name))
        return
    troubles: list[OSError] = []
    found = sorted(_sounds_below(path, troubles))
    for file in found:
        yield Input(file, file.relative_to(path))
    for trouble in troubles:
        place = Path(os.fsdecode(trouble.filename))
        yield Input(place, Path(place.name), f"folder {sentence(trouble)}")
    if not found and not troubles:
        yield Input(
            path, Path(path.name), f"folder {path} holds no sound file ({' '.join(SOUNDS)})"
        )


def _sounds_below(folder: Path, troubles: list[OSError]) -> Iterator[Path]:
    for place, folders, names in os.walk(folder, onerror=troubles.append):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if _is_sound(Path(name)) and not name.startswith("."):
                yield Path(place) / name
