"""The command ``gban-edge``: ``gban-edge --help`` lists what it does."""

from __future__ import annotations

import sys


def main() -> None:
    """The whole program; user errors end it with one line and status 1."""
    try:
        import rich  # noqa: F401
        import typer  # noqa: F401
    except ImportError as error:
        print(
            f"error: the command gban-edge needs typer and rich ({error}): "
            'pip install "gban-edge[cli]"',
            file=sys.stderr,
        )
        sys.exit(1)
    from gban_edge.commands import app

    app()
