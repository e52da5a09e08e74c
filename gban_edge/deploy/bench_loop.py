"""The closed loop: one call after the other, timed one by one.

The loop runs in chunks of about a second. Within a chunk nothing is printed, nothing is allocated
but what the calls allocate, and the garbage collector is off; between chunks progress is shown and
cycles are collected, and that time is not counted.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from gban_edge.deploy.bench_protocols import Call

Clock = Callable[[], int]
CHUNK_NS = 1_000_000_000
ROOM = 4096
MOST_ROOM = 1 << 22


class Samples:
    """Figures of calls, in room that is made before they are timed.

    Attributes:
        count: how many there are.
        elapsed: nanoseconds that their chunks took.
    """

    def __init__(self, room: int = ROOM) -> None:
        self.count = 0
        self.elapsed = 0
        self._latency: NDArray[np.int64] = np.full(room, -1, np.int64)
        self._stages: NDArray[np.float64] = np.full((2, room), -1.0)

    @property
    def latency(self) -> NDArray[np.int64]:
        """Nanoseconds of each call, int64 [count]."""
        return self._latency[: self.count]

    @property
    def features(self) -> NDArray[np.float64]:
        """Seconds that each call spent on features, float64 [count]."""
        return self._stages[0, : self.count]

    @property
    def network(self) -> NDArray[np.float64]:
        """Seconds that each call spent on the network, float64 [count]."""
        return self._stages[1, : self.count]

    def reserve(self, more: int) -> None:
        """Make room for ``more`` calls; written to, so that the pages are there."""
        short = self.count + more - len(self._latency)
        if short > 0:
            grown = max(short, len(self._latency))
            self._latency = np.concatenate([self._latency, np.full(grown, -1, np.int64)])
            self._stages = np.concatenate([self._stages, np.full((2, grown), -1.0)], axis=1)

    def run(self, calls: Sequence[Call], clock: Clock, length: int) -> None:
        """Call ``calls`` in turn until ``length`` nanoseconds have passed or the room is full.

        What an exception or Ctrl-C leaves unfinished is not counted.
        """
        latency, (features, network) = self._latency, self._stages
        i, room, turns = self.count, len(latency), len(calls)
        begin = done = clock()
        last = begin + length
        try:
            while done < last and i < room:
                call = calls[i % turns]
                start = clock()
                answer = call()
                end = clock()
                latency[i] = end - start
                timings = answer.timings
                features[i] = timings["features"]
                network[i] = timings["network"]
                del answer, timings  # freed here, not within the next call's time
                done = end
                i += 1
        finally:
            self.count = i
            self.elapsed += done - begin


def run_loop(
    calls: Sequence[Call],
    clock: Clock,
    seconds: float,
    progress: Callable[[float], None],
    samples: Samples,
) -> bool:
    """Fill ``samples`` with ``seconds`` of calls; False if Ctrl-C came before the end.

    Args:
        progress: called between chunks with the share that is done, 0 to 1.
    """
    whole = round(seconds * 1e9)
    try:
        with no_collector():
            while samples.elapsed < whole:
                gc.collect()
                progress(samples.elapsed / whole)
                length = min(CHUNK_NS, whole - samples.elapsed)
                samples.reserve(_at_most(samples, length))
                samples.run(calls, clock, length)
            progress(1.0)
    except KeyboardInterrupt:
        return False
    return True


def _at_most(samples: Samples, length: int) -> int:
    """Calls that ``length`` nanoseconds may hold, by the fastest so far; with no call yet, ROOM."""
    if samples.count == 0:
        return ROOM
    return 16 + min(MOST_ROOM, length // max(1, int(samples.latency.min())))


@contextmanager
def no_collector() -> Iterator[None]:
    """The garbage collector off, as it was afterwards."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
