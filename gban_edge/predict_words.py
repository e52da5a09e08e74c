"""Where ``gban-edge predict`` has the words of a sound from."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gban_edge.asr_option import open_word_source
from gban_edge.predict_inputs import STDIN, Input
from gban_edge.words import WordSource

TABLES = {".csv": ",", ".tsv": "\t"}
FILE, WORDS = "file", "words"  # columns; what --csv writes has them too


class Lookup(Protocol):
    """Knows the words of sounds by their names."""

    def of(self, one: Input) -> str: ...


class Texts:
    """A folder that holds the words of ``x/y.wav`` in ``x/y.txt`` or, failing that, ``y.txt``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(self, one: Input) -> str:
        """The words; FileNotFoundError where there is no text, ValueError for one not UTF-8."""
        for name in (one.inside, Path(one.inside.name)):
            text = self._folder / name.with_suffix(".txt")
            if text.is_file():
                return read_text(text)
        wanted = self._folder / one.inside.with_suffix(".txt")
        raise FileNotFoundError(f"words {wanted} do not exist")


class Table:
    """A CSV (or TSV) file with the columns "file" and "words".

    A sound is looked for by its path as given, then by its path below the folder that was given,
    then by its name alone.

    Raises:
        ValueError: the columns are not there, a line is cut short, the text is not UTF-8, one file
            has two texts.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._of: dict[str, str] = {}
        self._named: dict[str, set[str]] = {}
        for line, file, words in self._rows():
            if self._of.setdefault(os.path.normpath(file), words) != words:
                raise ValueError(f"{path}, line {line}: {file} has other words in a line above")
            self._named.setdefault(Path(file).name, set()).add(words)

    def _rows(self) -> Iterator[tuple[int, str, str]]:
        delimiter = TABLES[self._path.suffix.lower()]
        try:
            with self._path.open(encoding="utf-8-sig", newline="") as lines:
                reader = csv.DictReader(lines, delimiter=delimiter)
                columns = list(reader.fieldnames or ())
                if not {FILE, WORDS} <= set(columns):
                    raise ValueError(
                        f"{self._path} must have the columns {FILE} and {WORDS}, got "
                        f"{', '.join(columns) or 'none'}"
                    )
                for row in reader:
                    if row[FILE] is None or row[WORDS] is None:
                        raise ValueError(f"{self._path}, line {reader.line_num}: cut short")
                    yield reader.line_num, row[FILE], " ".join(row[WORDS].split())
        except (UnicodeDecodeError, csv.Error) as error:
            raise ValueError(f"{self._path}: not a CSV file in UTF-8 ({error})") from error

    def of(self, one: Input) -> str:
        """The words; FileNotFoundError where the table lacks the sound, ValueError where only its
        name is there, with several texts."""
        for path in (one.path, one.inside):
            found = self._of.get(os.path.normpath(path))
            if found is not None:
                return found
        named = self._named.get(one.path.name, set())
        if len(named) > 1:
            raise ValueError(f"{self._path} has several files {one.path.name}, none of them {one}")
        if not named:
            raise FileNotFoundError(f"{self._path} has no words of {one}")
        return next(iter(named))


class Transcripts:
    """Where words come from: what was given, a folder or table, a recogniser, or beside the sound.

    Args:
        said: the words of every sound.
        source: a folder of texts, or a .csv or .tsv file.
        asr: "pocketsphinx" or "sherpa:FOLDER".

    At most one of them; with none the words are in the .txt file beside a sound, or unknown.

    Attributes:
        asr: the recogniser of words, or None.
    """

    def __init__(
        self, said: str | None = None, source: Path | None = None, asr: str | None = None
    ) -> None:
        self._said = said
        self._lookup: Lookup | None = None if source is None else open_lookup(source)
        self.asr: WordSource | None = None if asr is None else open_word_source(asr)

    def of(self, one: Input, pcm: NDArray[np.float32] | None = None) -> str:
        """The words of a sound; "" where none are known.

        Args:
            one: the sound.
            pcm: its first 7.5 s at 16 kHz; a recogniser of words needs it.

        Raises:
            FileNotFoundError: a folder or table was given and has no words of this sound.
            ValueError: the text is not UTF-8.
        """
        if self._said is not None:
            return self._said
        if self.asr is not None:
            assert pcm is not None
            return self.asr(pcm, 16000)
        if self._lookup is not None:
            if one.path == STDIN:
                raise FileNotFoundError("standard input has no name to look for in --words-from")
            return self._lookup.of(one)
        beside = one.path.with_suffix(".txt") if one.path.name else STDIN
        return read_text(beside) if one.path != STDIN and beside.is_file() else ""


def open_lookup(source: Path) -> Lookup:
    """What ``--words-from`` names.

    Raises:
        FileNotFoundError: it does not exist.
        ValueError: it is neither a folder nor a .csv or .tsv file; :class:`Table`.
    """
    if source.is_dir():
        return Texts(source)
    if not source.is_file():
        raise FileNotFoundError(f"--words-from {source} does not exist")
    if source.suffix.lower() not in TABLES:
        raise ValueError(f"--words-from must be a folder, or a .csv or .tsv file, got {source}")
    return Table(source)


def read_text(path: Path) -> str:
    """A file's words, one blank between them; ValueError where it is not UTF-8."""
    try:
        return " ".join(path.read_text("utf-8-sig").split())
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 text ({error.reason} at {error.start})") from error
