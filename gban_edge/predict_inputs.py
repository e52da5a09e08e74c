"""Which sounds ``gban-edge predict`` is to hear, and where the words of each come from."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from gban_edge.asr_option import open_word_source
from gban_edge.runtime.sound import as_float, read_sound
from gban_edge.words import WordSource

# What libsndfile reads; WAV needs no package.
SOUNDS = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".aif", ".aiff", ".au", ".caf", ".w64")
STDIN = Path("-")


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

    def sound(self) -> Path | BinaryIO:
        """What the recogniser takes; reads standard input to its end."""
        if self.path == STDIN:
            return io.BytesIO(sys.stdin.buffer.read())
        return self.path


def find_inputs(given: Sequence[Path]) -> list[Input]:
    """Files as they were given, folders' sound files below them, sorted by path.

    Hidden files are passed over: macOS writes ``._x.wav`` files that are no sound. A folder without
    a sound file is an input with an error.
    """
    return [found for path in given for found in _inputs_of(path)]


def _inputs_of(path: Path) -> Iterator[Input]:
    if path == STDIN or not path.is_dir():
        yield Input(path, Path(path.name))
        return
    found = sorted(_sounds_below(path))
    for file in found:
        yield Input(file, file.relative_to(path))
    if not found:
        yield Input(
            path, Path(path.name), f"folder {path} holds no sound file ({' '.join(SOUNDS)})"
        )


def _sounds_below(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if Path(name).suffix.lower() in SOUNDS and not name.startswith("."):
                yield Path(place) / name


class Transcripts:
    """Where words come from: what was given, a folder of texts, a recogniser, or beside the sound.

    Args:
        said: the words of every sound.
        folder: holds the words of ``x/y.wav`` in ``x/y.txt`` or, failing that, in ``y.txt``.
        asr: "pocketsphinx" or "sherpa:FOLDER".

    At most one of them; with none the words are in the .txt file beside a sound, or unknown.
    """

    def __init__(
        self, said: str | None = None, folder: Path | None = None, asr: str | None = None
    ) -> None:
        if folder is not None and not folder.is_dir():
            raise FileNotFoundError(f"--words-from must be a folder, got {folder}")
        self._said = said
        self._folder = folder
        self._asr: WordSource | None = None if asr is None else open_word_source(asr)

    def of(self, one: Input, sound: Path | BinaryIO) -> str:
        """The words of a sound; "" where none are known.

        Raises:
            FileNotFoundError: a folder was given and has no text of this sound.
            ValueError: the text is not UTF-8; the sound is damaged.
        """
        if self._said is not None:
            return self._said
        if self._asr is not None:
            return self._heard(sound)
        if self._folder is not None:
            return _read(self._text_of(one, self._folder))
        beside = one.path.with_suffix(".txt")
        return _read(beside) if one.path != STDIN and beside.is_file() else ""

    def _heard(self, sound: Path | BinaryIO) -> str:
        assert self._asr is not None
        heard = read_sound(sound)  # what the recogniser of emotions hears: 16 kHz, at most 7.5 s
        if not isinstance(sound, Path):
            sound.seek(0)
        return self._asr(as_float(heard.pcm).astype("float32"), 16000)

    @staticmethod
    def _text_of(one: Input, folder: Path) -> Path:
        if one.path == STDIN:
            raise FileNotFoundError("standard input has no name to look for in --words-from")
        for name in (one.inside, Path(one.inside.name)):
            text = folder / name.with_suffix(".txt")
            if text.is_file():
                return text
        raise FileNotFoundError(f"words {folder / one.inside.with_suffix('.txt')} do not exist")


def _read(path: Path) -> str:
    try:
        return " ".join(path.read_text("utf-8-sig").split())
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 text ({error.reason} at {error.start})") from error
