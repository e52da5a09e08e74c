"""The command ``gban-edge``: ``gban-edge --help`` lists what it does."""

from __future__ import annotations

import sys

from gban_edge import streams

INTERRUPTED = 130


def main() -> None:
    """The whole program; what a user can mend ends it with one line and status 1, a wrong command
    line with status 2, Ctrl-C with 130."""
    streams.prepare()
    try:
        status = _run()
    except KeyboardInterrupt:  # while modules are imported
        status = INTERRUPTED
    except BrokenPipeError:  # `--help | head`
        streams.hush()
        status = 0
    except OSError as error:  # `--help > /dev/full`
        streams.hush()
        print(f"error: standard output: {streams.sentence(error)}", file=sys.stderr)
        status = 1
    sys.exit(streams.finish(status))


def _run() -> int:
    try:
        import rich  # noqa: F401
        import typer  # noqa: F401
    except ImportError as error:
        print(
            f"error: the command gban-edge needs typer and rich ({error}): "
            'pip install "gban-edge[cli]"',
            file=sys.stderr,
        )
        return 1
    from gban_edge.commands import app

    try:
        app(prog_name="gban-edge")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0
