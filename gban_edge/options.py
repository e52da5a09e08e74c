"""Options that several commands share: one name, one help, one set of values, one completion."""

from __future__ import annotations

from typing import Annotated, Any

import typer

BACKENDS = ("auto", "cpu", "cuda", "onnxruntime", "tensorrt")
PRECISIONS = ("fp32", "fp16", "int8")
VADS = ("auto", "silero", "energy")


def among(*values: str) -> dict[str, Any]:
    """What makes an option complete ``values``, and refuse another with status 2."""

    def complete(incomplete: str) -> list[str]:
        return [value for value in values if value.startswith(incomplete)]

    def check(value: str | None) -> str | None:
        if value is not None and value not in values:
            raise typer.BadParameter(f"must be one of {', '.join(values)}, got {value!r}")
        return value

    return {"autocompletion": complete, "callback": check}


def suggesting(*values: str) -> Any:
    """A completion of ``values`` for an option that takes others too."""
    return among(*values)["autocompletion"]


def between(low: float, high: float) -> Any:
    """A check of a number, status 2; typer's own is written into the help, wider than the help."""

    def check(value: float | None) -> float | None:
        if value is not None and not low <= value <= high:
            raise typer.BadParameter(f"must lie in {low:g}..{high:g}, got {value:g}")
        return value

    return check


def shells_files(incomplete: str) -> list[str]:
    """No completion of ours: then the shell completes the names of files, and knows how."""
    return []


Backend = Annotated[
    str,
    typer.Option(
        help=f"What computes: {', '.join(BACKENDS[1:])}, or auto.",
        rich_help_panel="Computing", **among(*BACKENDS),
    ),
]  # fmt: skip
Precision = Annotated[
    str | None,
    typer.Option(
        help="fp32, fp16, or on the CPU int8. An ONNX file or engine has its own.",
        rich_help_panel="Computing", **among(*PRECISIONS),
    ),
]  # fmt: skip
Threads = Annotated[
    int,
    typer.Option(
        help="Of the CPU, for an utterance.", rich_help_panel="Computing",
        callback=between(1, 1024),
    ),
]  # fmt: skip
AbstainBelow = Annotated[
    float,
    typer.Option(
        metavar="P", callback=between(0, 1),
        help='"not sure" where the most probable class is less probable than this, 0 to 1.',
    ),
]  # fmt: skip
VadName = Annotated[
    str,
    typer.Option(
        help="What finds speech: silero, energy, or auto: silero where it is installed.",
        **among(*VADS),
    ),
]
