"""The command ``gban-edge serve``; needs typer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gban_edge.told import told

if TYPE_CHECKING:
    from gban_edge.serve.listening import WordSource


@told
def serve(
    model: Annotated[Path, typer.Argument(help="A model file, an ONNX file or an engine.")],
    host: Annotated[
        str, typer.Option(help="Where to listen; another than loopback needs a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 for a free one.")] = 8765,
    token: Annotated[
        str | None,
        typer.Option(
            envvar="GBAN_EDGE_TOKEN",
            help="What clients must send. Other users of this machine see it in the list of "
            "processes; the variable and --token-file are not seen.",
        ),
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option(help="A file that holds the token and nothing else.")
    ] = None,
    allow_host: Annotated[
        list[str] | None, typer.Option(help="A further name of this machine in a request's Host.")
    ] = None,
    allow_origin: Annotated[
        list[str] | None, typer.Option(help="Another site whose pages may use this service.")
    ] = None,
    certificate: Annotated[Path | None, typer.Option(help="For https: a PEM file.")] = None,
    key: Annotated[Path | None, typer.Option(help="The certificate's private key.")] = None,
    words: Annotated[
        str,
        typer.Option(
            help="What hears words in streams: none, pocketsphinx, or the folder of a sherpa-onnx "
            "model."
        ),
    ] = "none",
    backend: Annotated[
        str, typer.Option(help="cpu, cuda, onnxruntime, tensorrt or auto.")
    ] = "auto",
    precision: Annotated[str | None, typer.Option(help="fp32, fp16 or int8.")] = None,
    threads: Annotated[int, typer.Option(help="Of the CPU, for a call.")] = 1,
    device: Annotated[int, typer.Option(help="The number of the GPU.")] = 0,
    abstain_below: Annotated[
        float, typer.Option(help="A result whose probability is lower has no label.")
    ] = 0.0,
    workers: Annotated[int, typer.Option(help="Requests that are computed at once.")] = 2,
    waiting: Annotated[int, typer.Option(help="Requests that may wait for a worker.")] = 2,
    streams: Annotated[int, typer.Option(help="Streams that may be open.")] = 8,
) -> None:
    """Answer on this machine over HTTP and WebSocket, and show a page for people."""
    from gban_edge import EmotionRecognizer
    from gban_edge.serve import Limits, ServeOptions, run

    options = ServeOptions(
        host, port, _token(token, token_file), tuple(allow_host or ()), tuple(allow_origin or ()),
        certificate, key, _word_source(words),
        limits=Limits(workers=workers, recognitions=workers + waiting, streams=streams),
    )  # fmt: skip
    recognizer = EmotionRecognizer.from_pretrained(
        model, backend, precision=precision, threads=threads, device=device,
        abstain_below=abstain_below,
    )  # fmt: skip
    run(recognizer, options, lambda address: _say(address, recognizer.backend))


def _say(address: str, backend: str) -> None:
    typer.echo(f"{address}  ({backend}; Ctrl-C stops it)")


def _token(token: str | None, file: Path | None) -> str | None:
    if file is None:
        return token
    if token is not None:
        raise ValueError("give the token or a token file, not both")
    return file.read_text("utf-8").strip()


def _word_source(name: str) -> WordSource | None:
    """The source that ``--words`` names; None for none."""
    if name == "none":
        return None
    from gban_edge.words import pocketsphinx, sherpa_onnx

    return pocketsphinx() if name == "pocketsphinx" else sherpa_onnx(name)
