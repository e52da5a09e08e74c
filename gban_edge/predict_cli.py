"""The command ``gban-edge predict``: its options; needs typer. What it does is in predict_run.py,
which is imported when it is done: --help and completion must not wait for NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from gban_edge.asr_option import check_word_source
from gban_edge.options import (
    AbstainBelow,
    Backend,
    Precision,
    Threads,
    VadName,
    between,
    shells_files,
    suggesting,
)
from gban_edge.predict_inputs import SOUNDS
from gban_edge.told import told

EPILOG = (
    "Examples:\n\n"
    "  gban-edge predict MODEL hello.wav --words 'hello there'\n\n"
    "  gban-edge predict MODEL recordings/ --csv -o emotions.csv\n\n"
    "  gban-edge predict MODEL talk.wav --long --asr pocketsphinx\n\n"
    "  arecord -d 5 -f S16_LE -r 16000 | gban-edge predict MODEL -\n\n"
    "Exit status: 0 all sounds heard; 1 the model or at least one sound failed (the others are "
    "still reported); 2 wrong usage; 130 interrupted by Ctrl-C."
)
SAID, SHOWN, MADE = "Where the words come from", "What is shown", "Computing"


@told
def predict(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", autocompletion=shells_files,
            help="A model file, its folder, or a name of the Hugging Face hub.",
        ),
    ],
    sounds: Annotated[
        list[str],
        typer.Argument(
            metavar="SOUND...", autocompletion=shells_files,
            help="Sound files, folders (with all below them), patterns, or - for standard input: "
            "a WAV, or raw PCM with --raw.",
        ),
    ],
    words: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="What is said; for one sound.", rich_help_panel=SAID),
    ] = None,
    words_from: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH", autocompletion=shells_files, rich_help_panel=SAID,
            help="A folder with the words of x.wav in x.txt, or a .csv or .tsv file with the "
            "columns file and words.",
        ),
    ] = None,
    asr: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", autocompletion=suggesting("pocketsphinx", "sherpa:"),
            rich_help_panel=SAID,
            help="Recognise the words: pocketsphinx, or sherpa:FOLDER with a model.",
        ),
    ] = None,
    no_words: Annotated[
        bool,
        typer.Option(
            "--no-words", rich_help_panel=SAID,
            help="By sound alone. With none of these the x.txt beside x.wav is read, if there.",
        ),
    ] = False,
    long: Annotated[
        bool,
        typer.Option(
            "--long",
            help="Recordings of any length: find the utterances in each and answer each of them, "
            "with its start and end; words by --asr alone. Else a sound is one utterance, of which "
            "the first 7.5 s are heard.",
        ),
    ] = False,
    vad: VadName = "auto",
    raw: Annotated[
        int | None,
        typer.Option(
            metavar="RATE", callback=between(8000, 192000),
            help="Standard input is PCM without a header: 16 bits, little-endian, mono, RATE Hz.",
        ),
    ] = None,
    abstain_below: AbstainBelow = 0.0,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", help="One JSON object a line, errors included.", rich_help_panel=SHOWN
        ),
    ] = False,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="CSV, errors included.", rich_help_panel=SHOWN)
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", autocompletion=shells_files, rich_help_panel=SHOWN,
            help="For the JSON or CSV: written whole at the end.",
        ),
    ] = None,
    backend: Backend = "auto",
    precision: Precision = None,
    threads: Threads = 1,
) -> None:  # fmt: skip
    """Say the emotion of recorded utterances."""
    check_sounds(model, sounds, raw)
    check_words(words, words_from, asr, no_words, long)
    check_output(as_json, as_csv, output)
    from gban_edge.predict_run import Asked, run

    status = run(Asked(
        model, tuple(sounds), words=words, words_from=words_from, asr=asr, no_words=no_words,
        long=long, vad=vad, raw=raw, abstain_below=abstain_below, as_json=as_json, as_csv=as_csv,
        output=output, backend=backend, precision=precision, threads=threads,
    ))  # fmt: skip
    if status:
        raise typer.Exit(status)


def check_sounds(model: str, sounds: Sequence[str], raw: int | None) -> None:
    """BadParameter (status 2) for arguments that can be no model and no sounds."""
    if not model or Path(model).suffix.lower() in SOUNDS:
        raise typer.BadParameter(
            f"must be a model file, got {model!r}: the model comes first, then the sounds",
            param_hint="MODEL",
        )
    if "" in sounds:
        raise typer.BadParameter("must not be empty, got ''", param_hint="SOUND")
    if list(sounds).count("-") > 1:
        raise typer.BadParameter("standard input is one sound: give - once", param_hint="SOUND")
    if raw is not None and "-" not in sounds:
        raise typer.BadParameter("is about standard input: give - too", param_hint="--raw")


def check_words(
    words: str | None, words_from: Path | None, asr: str | None, no_words: bool, long: bool
) -> None:
    """BadParameter (status 2) for options about words that contradict each other."""
    ways = {"--words": words, "--words-from": words_from, "--asr": asr, "--no-words": no_words}
    given = [name for name, value in ways.items() if value not in (None, False)]
    if len(given) > 1:
        raise typer.BadParameter("exclude each other: give one", param_hint=" and ".join(given))
    if long and (words is not None or words_from is not None):
        raise typer.BadParameter(
            "is of one utterance, and --long finds several: --asr recognises the words of each",
            param_hint=given[0],
        )
    if asr is not None:
        try:
            check_word_source(asr)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--asr") from None


def check_output(as_json: bool, as_csv: bool, output: Path | None) -> None:
    """BadParameter (status 2) for options about the output that contradict each other."""
    if as_json and as_csv:
        raise typer.BadParameter("exclude each other: give one", param_hint="--json and --csv")
    if output is not None and not (as_json or as_csv):
        raise typer.BadParameter("needs --json or --csv", param_hint="--output")
