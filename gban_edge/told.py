"""How a command tells what a user can mend. Needs typer and rich."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import typer

from gban_edge.streams import hush, sentence

P = ParamSpec("P")
R = TypeVar("R")
INTERRUPTED = 130


def told(command: Callable[P, R]) -> Callable[P, R]:
    """``command`` with what a user can mend told in one line and status 1, without a traceback.

    Ctrl-C ends it with status 130, and a reader of its output that has seen enough with 0, both
    without a word.
    """

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            result = command(*args, **kwargs)
            sys.stdout.flush()  # here a full disk can be told
            return result
        except typer.Exit:  # a RuntimeError, and no failure
            raise
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            hush()
            raise typer.Exit(0) from None
        except (ValueError, OSError, RuntimeError) as error:
            from gban_edge.terminal import complain

            complain(f"error: {sentence(error)}")
            raise typer.Exit(1) from None

    return run
