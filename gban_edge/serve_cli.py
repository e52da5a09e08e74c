"""The command ``gban-edge serve``; needs typer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gban_edge.asr_option import ALLOWED, check_word_source, open_word_source
from gban_edge.options import (
    AbstainBelow,
    Backend,
    Precision,
    Threads,
    between,
    shells_files,
    suggesting,
)
from gban_edge.told import told

if TYPE_CHECKING:
    from gban_edge.words import WordSource

EPILOG = (
    "Examples:\n\n"
    "  gban-edge serve MODEL            then open http://127.0.0.1:8765 in a browser\n\n"
    "  gban-edge serve MODEL --asr pocketsphinx --abstain-below 0.8\n\n"
    "  gban-edge serve MODEL --host 0.0.0.0 --token-file TOKEN --certificate PEM --key PEM\n\n"
    "Exit status: 0 stopped by Ctrl-C or SIGTERM; 1 the model, an option or the port cannot be "
    "used, or a request did not end in time; 2 wrong usage; 130 Ctrl-C before it served."
)
WHO, MOST = "Who may use it", "How much at once; more gets 429"


@told
def serve(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", autocompletion=shells_files,
            help="A model file, an ONNX file, an engine, or a name of the Hugging Face hub.",
        ),
    ],
    host: Annotated[
        str, typer.Option(help="Where to listen; another than loopback needs a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 for a free one.", callback=between(0, 65535))] = 8765,
    asr: Annotated[
        str,
        typer.Option(
            metavar="NAME", autocompletion=suggesting("none", "pocketsphinx", "sherpa:"),
            help=f"Recognise the words in streams: {ALLOWED}; or none: as the client gives them.",
        ),
    ] = "none",
    abstain_below: AbstainBelow = 0.0,
    token: Annotated[
        str | None,
        typer.Option(
            envvar="GBAN_EDGE_TOKEN", rich_help_panel=WHO,
            help="What clients must send. Other users of this machine see it in the list of "
            "processes; the variable and --token-file are not seen.",
        ),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", autocompletion=shells_files, rich_help_panel=WHO,
            help="A file that holds the token and nothing else.",
        ),
    ] = None,
    certificate: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", autocompletion=shells_files, rich_help_panel=WHO,
            help="For https: a PEM file.",
        ),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", autocompletion=shells_files, rich_help_panel=WHO,
            help="The certificate's private key, without a passphrase.",
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", rich_help_panel=WHO,
            help="A further name of this machine in a request's Host.",
        ),
    ] = None,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(
            metavar="URL", rich_help_panel=WHO,
            help="Another site whose pages may use this service.",
        ),
    ] = None,
    workers: Annotated[
        int, typer.Option(help="Requests that are computed at once.", rich_help_panel=MOST)
    ] = 2,
    waiting: Annotated[
        int, typer.Option(help="Requests that may wait for a worker.", rich_help_panel=MOST)
    ] = 2,
    streams: Annotated[
        int, typer.Option(help="Streams that may be open.", rich_help_panel=MOST)
    ] = 8,
    backend: Backend = "auto",
    precision: Precision = None,
    threads: Threads = 1,
    device: Annotated[
        int, typer.Option(help="The number of the GPU.", rich_help_panel="Computing")
    ] = 0,
) -> None:  # fmt: skip
    """Answer on this machine over HTTP and WebSocket, and show a page for people."""
    if asr != "none":
        _check(asr)
    from gban_edge import EmotionRecognizer
    from gban_edge.serve import Limits, ServeOptions, run

    options = ServeOptions(
        host, port, _token(token, token_file), tuple(allow_host or ()), tuple(allow_origin or ()),
        certificate, key, _word_source(asr),
        limits=Limits(workers=workers, recognitions=workers + waiting, streams=streams),
    )  # fmt: skip
    recognizer = EmotionRecognizer.from_pretrained(
        model, backend, precision=precision, threads=threads, device=device,
        abstain_below=abstain_below,
    )  # fmt: skip
    run(recognizer, options, lambda address: _say(address, recognizer.backend))


def _say(address: str, backend: str) -> None:
    every = "://0.0.0.0:" in address or "://[::]:" in address
    where = "every address of this machine, in a browser with /?token=...; " if every else ""
    typer.echo(f"{address}  ({backend}; {where}Ctrl-C stops it)")


def _token(token: str | None, file: Path | None) -> str | None:
    if file is None:
        return token
    if token is not None:
        raise ValueError("give the token or a token file, not both")
    return file.read_text("utf-8").strip()


def _check(asr: str) -> None:
    try:
        check_word_source(asr)
    except ValueError as error:
        raise typer.BadParameter(f"{error}, or none", param_hint="--asr") from None


def _word_source(asr: str) -> WordSource | None:
    """The source that ``--asr`` names; None for none."""
    return None if asr == "none" else open_word_source(asr)
