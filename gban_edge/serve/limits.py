"""Doors that count: beyond a limit one is turned away at once, and nobody queues without end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gban_edge.serve.errors import ApiError


class Gate:
    """Lets a number in at once; used by the event loop's thread alone.

    Args:
        most: how many.
        what: what they are, for the message.
    """

    def __init__(self, most: int, what: str) -> None:
        self._most, self._what = most, what
        self.inside = 0

    @property
    def full(self) -> bool:
        return self.inside >= self._most

    def check(self) -> None:
        """ApiError 429 if nobody else can come in."""
        if self.full:
            raise ApiError(
                429, "busy", f"{self.inside} {self._what} of at most {self._most}; try again soon",
                {"retry-after": "1"},
            )  # fmt: skip

    def enter(self) -> None:
        """ApiError 429 if there is no room; else :meth:`leave` must follow."""
        self.check()
        self.inside += 1

    def leave(self) -> None:
        self.inside -= 1

    @contextmanager
    def held(self) -> Iterator[None]:
        """In for the length of a block."""
        self.enter()
        try:
            yield
        finally:
            self.leave()
