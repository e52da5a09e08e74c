"""The command ``gban-edge predict``; needs typer and rich."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track

from gban_edge import predict_table
from gban_edge.asr_option import check_word_source
from gban_edge.files import write_text
from gban_edge.predict_inputs import STDIN, Input, Transcripts, find_inputs
from gban_edge.predict_output import Answer, csv_header, csv_line, json_line
from gban_edge.runtime import EmotionRecognizer
from gban_edge.terminal import hush
from gban_edge.told import told

SOME_FAILED, INTERRUPTED = 1, 130
EPILOG = (
    "Exit status: 0 all sounds heard; 1 the model or at least one sound failed (the others are "
    "still reported); 2 wrong usage; 130 interrupted."
)


@told
def predict(
    model: Annotated[str, typer.Argument(help="The model file, or its folder.")],
    sounds: Annotated[
        list[Path],
        typer.Argument(
            metavar="SOUND...",
            help="Sound files, folders (with all below them), or - for a WAV on standard input.",
        ),
    ],
    words: Annotated[str | None, typer.Option(help="What is said; for one sound.")] = None,
    words_from: Annotated[
        Path | None, typer.Option(help="Folder with the words of x.wav in x.txt.")
    ] = None,
    asr: Annotated[
        str | None,
        typer.Option(help="Recognise the words: pocketsphinx, or sherpa:FOLDER with a model."),
    ] = None,
    no_words: Annotated[
        bool,
        typer.Option("--no-words", help="By sound alone. Else the .txt file beside x.wav is read."),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line, errors included.")
    ] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV, errors included.")] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File for the JSON or CSV, written whole."),
    ] = None,
    backend: Annotated[
        str, typer.Option(help="cpu, cuda, onnxruntime, tensorrt or auto.")
    ] = "auto",
    precision: Annotated[str | None, typer.Option(help="fp32, fp16, or on the CPU int8.")] = None,
    threads: Annotated[int, typer.Option(help="Of the CPU, for a sound.")] = 1,
    abstain_below: Annotated[
        float, typer.Option(help='0 to 1: "not sure" where the best class is less probable.')
    ] = 0.0,
) -> None:
    """The emotion of recorded utterances."""
    check_usage(sounds, words, words_from, asr, no_words, as_json, as_csv, output)
    recognizer = EmotionRecognizer.from_pretrained(
        model, backend, precision=precision, threads=threads, abstain_below=abstain_below
    )
    transcripts = Transcripts("" if no_words else words, words_from, asr)
    inputs = find_inputs(sounds)
    if words is not None and len(inputs) > 1:
        raise typer.BadParameter(f"are those of one sound, got {len(inputs)}: --words-from or "
                                 "--asr is for several", param_hint="--words")  # fmt: skip
    answers, whole = gather(recognize(recognizer, transcripts, shown(inputs)), Writer(
        recognizer.labels, as_json, as_csv, output
    ))  # fmt: skip
    if not (as_json or as_csv):
        predict_table.show(Console(), answers, recognizer.labels, recognizer.backend)
    failed = sum(answer.result is None for answer in answers)
    if failed and (as_json or as_csv):
        complain(f"{failed} of {len(answers)} sounds failed")
    if not whole:
        complain(f"interrupted after {len(answers)} of {len(inputs)} sounds")
    if failed or not whole:
        raise SystemExit(SOME_FAILED if whole else INTERRUPTED)


def check_usage(
    sounds: Sequence[Path], words: str | None, words_from: Path | None, asr: str | None,
    no_words: bool, as_json: bool, as_csv: bool, output: Path | None,
) -> None:  # fmt: skip
    """BadParameter (status 2) for options that contradict each other."""
    ways = {"--words": words, "--words-from": words_from, "--asr": asr, "--no-words": no_words}
    given = [name for name, value in ways.items() if value not in (None, False)]
    if len(given) > 1:
        raise typer.BadParameter("exclude each other: give one", param_hint=" and ".join(given))
    if as_json and as_csv:
        raise typer.BadParameter("exclude each other: give one", param_hint="--json and --csv")
    if output is not None and not (as_json or as_csv):
        raise typer.BadParameter("needs --json or --csv", param_hint="--output")
    if list(sounds).count(STDIN) > 1:
        raise typer.BadParameter("standard input is one sound: give - once", param_hint="SOUND")
    if asr is not None:
        try:
            check_word_source(asr)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--asr") from None


def shown(inputs: Sequence[Input]) -> Iterable[Input]:
    """``inputs`` with a progress bar on standard error, where that is a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal or len(inputs) < 2:
        return inputs
    return track(inputs, "hearing", console=console, transient=True)


def recognize(
    recognizer: EmotionRecognizer, transcripts: Transcripts, inputs: Iterable[Input]
) -> Iterator[Answer]:
    """The answers in the order of ``inputs``; a bad sound is told and does not end it."""
    for one in inputs:
        words = ""
        try:
            if one.error:
                raise FileNotFoundError(one.error)
            sound = one.sound()
            words = transcripts.of(one, sound)
            answer = Answer(str(one.path), words, recognizer(sound, words))
        except (ValueError, OSError, RuntimeError) as error:
            message = " ".join(str(error).split())
            if str(one.path) not in message:
                message = f"{one.path}: {message}"
            complain(f"error: {message}")
            answer = Answer(str(one.path), words, None, message)
        yield answer


class Writer:
    """Writes JSON lines or CSV as answers come, or to a file at the end; nothing for a table."""

    def __init__(
        self, labels: Sequence[str], as_json: bool, as_csv: bool, output: Path | None
    ) -> None:
        self._line: Callable[[Answer], str] | None = None
        if as_json:
            self._line = json_line
        elif as_csv:
            self._line = lambda answer: csv_line(answer, labels)
        self._output = output
        self._kept: list[str] = []
        if as_csv:
            self._put(csv_header(labels))

    def write(self, answer: Answer) -> None:
        if self._line is not None:
            self._put(self._line(answer))

    def _put(self, line: str) -> None:
        if self._output is not None:
            self._kept.append(line)
            return
        sys.stdout.write(line)
        sys.stdout.flush()

    def close(self) -> None:
        if self._output is not None:
            write_text(self._output, "".join(self._kept))


def gather(answers: Iterator[Answer], writer: Writer) -> tuple[list[Answer], bool]:
    """All answers, each written as it came; and whether Ctrl-C did not end them early."""
    gathered: list[Answer] = []
    try:
        for answer in answers:
            gathered.append(answer)
            writer.write(answer)
    except KeyboardInterrupt:
        return gathered, False
    except BrokenPipeError:  # `| head` has seen enough
        hush()
        raise SystemExit(0) from None
    writer.close()
    return gathered, True


def complain(line: str) -> None:
    """A line of red on standard error."""
    Console(stderr=True).print(line, style="red", markup=False, highlight=False, soft_wrap=True)
