"""Threads that compute for the event loop, which they do not keep from ending."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from threading import Thread, get_ident
from time import monotonic
from typing import Any, TypeVar

T = TypeVar("T")


class Workers:
    """A number of threads, and a line in front of them that its users bound.

    Unlike those of concurrent.futures they are daemons: Python would wait at its end, for ever, for
    one that is stuck in the network.

    Args:
        number: how many.
        name: what they are called.
    """

    def __init__(self, number: int, name: str) -> None:
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._since: dict[int, float] = {}  # by thread, when it began what it is at
        self._names = [f"{name}-{i}" for i in range(number)]
        self._begun = False

    def run(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """What ``work`` returns or raises; call this in the event loop's thread."""
        if not self._begun:
            self._begun = True
            for name in self._names:
                Thread(target=self._live, name=name, daemon=True).start()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._jobs.put(partial(self._do, loop, future, work))
        return future

    def longest(self) -> float:
        """Seconds that the oldest work takes by now; 0 if all threads wait."""
        now = monotonic()
        return max((now - since for since in list(self._since.values())), default=0.0)

    def close(self) -> None:
        """Let the threads end once they have nothing to do."""
        for _ in self._names:
            self._jobs.put(None)

    def _live(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()

    def _do(
        self, loop: asyncio.AbstractEventLoop, future: asyncio.Future[T], work: Callable[[], T]
    ) -> None:
        if future.cancelled():
            return
        me = get_ident()
        self._since[me] = monotonic()
        value: Any = None
        failed: BaseException | None = None
        try:
            value = work()
        except BaseException as error:
            failed = error
        del self._since[me]
        with suppress(RuntimeError):  # the loop ended meanwhile: nobody waits
            loop.call_soon_threadsafe(_settle, future, value, failed)


def _settle(future: asyncio.Future[Any], value: Any, failed: BaseException | None) -> None:
    if future.done():
        return
    if failed is None:
        future.set_result(value)
    else:
        future.set_exception(failed)
