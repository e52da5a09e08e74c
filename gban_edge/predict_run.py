"""What ``gban-edge predict`` does; needs typer and rich."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.progress import Progress

from gban_edge import predict_table
from gban_edge.files import write_bytes
from gban_edge.predict_inputs import STDIN, Input, find_inputs
from gban_edge.predict_output import Answer, counted, csv_header, csv_line, json_line
from gban_edge.predict_words import Transcripts
from gban_edge.runtime import EmotionRecognizer
from gban_edge.runtime.sound import as_float, read_sound
from gban_edge.streams import check_folder, hush, sentence, write
from gban_edge.terminal import complain

SOME_FAILED, INTERRUPTED = 1, 130


@dataclass(frozen=True)
class Asked:
    """What the command line said: predict_cli.py explains each."""

    model: str
    sounds: tuple[str, ...]
    words: str | None
    words_from: Path | None
    asr: str | None
    no_words: bool
    long: bool
    vad: str
    raw: int | None
    abstain_below: float
    as_json: bool
    as_csv: bool
    output: Path | None
    backend: str
    precision: str | None
    threads: int


@dataclass
class Heard:
    """What came of the sounds so far."""

    answers: list[Answer] = field(default_factory=list)
    sounds: int = 0
    whole: bool = True

    @property
    def failed(self) -> int:
        return sum(answer.result is None for answer in self.answers)


def run(asked: Asked) -> int:
    """Hear all sounds and say what they are; the program's status.

    Raises:
        FileNotFoundError, ValueError, OSError, RuntimeError: of the model, the words' source or the
            output; what is wrong with a sound is told and ends nothing.
    """
    inputs = find_inputs(asked.sounds)
    if asked.words is not None and len(inputs) > 1:
        raise typer.BadParameter(f"are those of one sound, got {len(inputs)}: --words-from or "
                                 "--asr is for several", param_hint="--words")  # fmt: skip
    if asked.output is not None:
        if asked.output.is_dir():
            raise IsADirectoryError(f"--output must be a file, {asked.output} is a folder")
        check_folder(asked.output.parent, f"--output {asked.output}")  # not after an hour
    recognizer = EmotionRecognizer.from_pretrained(
        asked.model, asked.backend, precision=asked.precision, threads=asked.threads,
        abstain_below=asked.abstain_below,
    )  # fmt: skip
    words = Transcripts("" if asked.no_words else asked.words, asked.words_from, asked.asr)
    heard = Heard()
    with shown(inputs) as (steps, console):
        hear(Hearing(recognizer, words, asked, console), steps, Writer(recognizer.labels, asked),
             heard)  # fmt: skip
    if not (asked.as_json or asked.as_csv):
        silent = words.asr is None and not asked.no_words
        predict_table.show(
            Console(), heard.answers, recognizer.labels, recognizer.backend, hint=silent
        )
    return report(heard, inputs, asked)


def report(heard: Heard, inputs: Sequence[Input], asked: Asked) -> int:
    """Say on standard error what went wrong; the program's status."""
    if heard.failed and (asked.as_json or asked.as_csv):
        complain(f"{heard.failed} of {len(inputs)} sounds failed")
    if not heard.whole:
        kept = "" if asked.output is None else f"; {asked.output} was not written"
        complain(f"interrupted after {heard.sounds} of {counted(len(inputs), 'sound')}{kept}")
        return INTERRUPTED
    return SOME_FAILED if heard.failed else 0


@contextmanager
def shown(inputs: Sequence[Input]) -> Iterator[tuple[Iterable[Input], Console]]:
    """``inputs`` with a progress bar on standard error, where that is a terminal; and the console
    to complain on, which knows of the bar."""
    console = Console(stderr=True)
    if not console.is_terminal or console.is_dumb_terminal or len(inputs) < 2:
        yield inputs, console
        return
    with Progress(console=console, transient=True) as progress:
        yield progress.track(inputs, description="hearing"), console


class Hearing:
    """Answers a sound at a time."""

    def __init__(
        self, recognizer: EmotionRecognizer, words: Transcripts, asked: Asked, console: Console
    ) -> None:
        self._recognizer, self._words, self._asked = recognizer, words, asked
        self._console = console

    def answers(self, one: Input) -> list[Answer]:
        """The answer to a sound, with ``--long`` to every utterance in it; or why there is none,
        which is told."""
        try:
            sound = one.open(self._asked.raw)
            return self._long(one, sound) if self._asked.long else [self._short(one, sound)]
        except (ValueError, OSError, RuntimeError) as error:
            message = sentence(error)
            if " ".join(str(one).split()) not in message:
                message = f"{one}: {message}"
            complain(f"error: {message}", self._console)
            return [Answer(str(one.path), "", None, message)]

    def _rate(self, one: Input) -> int | None:
        return self._asked.raw if one.path == STDIN else None

    def _short(self, one: Input, sound: Any) -> Answer:
        rate = self._rate(one)
        if self._words.asr is None:
            words = self._words.of(one)
        else:  # what the recogniser of emotions hears: 16 kHz, at most 7.5 s
            pcm = as_float(read_sound(sound, rate).pcm).astype("float32")
            words = self._words.of(one, pcm)
            if hasattr(sound, "seek"):
                sound.seek(0)
        return Answer(str(one.path), words, self._recognizer(sound, words, rate))

    def _long(self, one: Input, sound: Any) -> list[Answer]:
        found = self._recognizer.recognize_long(
            sound, self._words.asr, self._rate(one), vad=self._asked.vad
        )
        if not found:
            raise ValueError(f"{one}: nobody speaks in it")
        return [
            Answer(str(one.path), part.words, part.result, span=(part.start, part.end))
            for part in found
        ]


class Writer:
    """Writes JSON lines or CSV as answers come, or to a file at the end; nothing for a table."""

    def __init__(self, labels: Sequence[str], asked: Asked) -> None:
        self._line: Callable[[Answer], str] | None = None
        if asked.as_json:
            self._line = json_line
        elif asked.as_csv:
            self._line = lambda answer: csv_line(answer, labels, asked.long)
        self._output = asked.output
        self._kept: list[str] = []
        if asked.as_csv:
            self._put(csv_header(labels, asked.long))

    def write(self, answer: Answer) -> None:
        if self._line is not None:
            self._put(self._line(answer))

    def _put(self, line: str) -> None:
        if self._output is None:
            write(line)
        else:
            self._kept.append(line)

    def close(self) -> None:
        if self._output is not None:
            write_bytes(self._output, "".join(self._kept).encode("utf-8", "backslashreplace"))


def hear(hearing: Hearing, inputs: Iterable[Input], writer: Writer, heard: Heard) -> None:
    """Gather the answers in the order of ``inputs``, each written as it comes; Ctrl-C ends it."""
    try:
        for one in inputs:
            for answer in hearing.answers(one):
                heard.answers.append(answer)
                writer.write(answer)
            heard.sounds += 1
    except KeyboardInterrupt:
        heard.whole = False
        return
    except BrokenPipeError:  # `| head` has seen enough
        hush()
        raise SystemExit(0) from None
    writer.close()
