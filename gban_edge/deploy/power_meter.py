"""Joules from readings over time: the sums, and a thread that takes the readings."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

Clock = Callable[[], float]


@dataclass(frozen=True)
class Energy:
    """What a meter measured between its start and its stop.

    joules: of all rails together; seconds: from the first reading to the last; samples: how many
    readings; by_rail: joules of each rail, which add up to ``joules``; unread: how many of the
    lines that a program printed could not be read.
    """

    joules: float
    seconds: float
    samples: int
    by_rail: dict[str, float] = field(default_factory=dict)
    unread: int = 0

    @property
    def watts(self) -> float:
        """The mean power; 0 where no time has passed."""
        return self.joules / self.seconds if self.seconds > 0 else 0.0


class Meter(Protocol):
    """Measures energy from :meth:`start` to :meth:`stop`, as often as wished, one at a time.

    name: "hwmon ina3221", "tegrastats", "nvidia-smi (GPU only)" or "RAPL package".
    rails: what is added up. covers: what that is a measure of, in words.
    passed_over: why each better meter could not be had, one sentence each.
    """

    name: str
    rails: tuple[str, ...]
    covers: str
    passed_over: tuple[str, ...]

    def start(self) -> None:
        """Takes the first reading and goes on in a thread; RuntimeError if it is running."""

    def stop(self) -> Energy:
        """Ends the thread, always; RuntimeError if it was not running or a reading failed."""


class Trapezoid:
    """Joules of rails whose watts are read: the area of the trapezoids between the readings."""

    def __init__(self, rails: int) -> None:
        self.joules = [0.0] * rails
        self.samples = 0
        self.first = self.last = 0.0
        self._watts: Sequence[float] = ()

    def add(self, seconds: float, watts: Sequence[float]) -> None:
        """A reading of every rail at one time; times must not decrease."""
        if self.samples == 0:
            self.first = seconds
        else:
            for rail, (before, now) in enumerate(zip(self._watts, watts, strict=True)):
                self.joules[rail] += (before + now) / 2 * (seconds - self.last)
        self.last, self._watts = seconds, watts
        self.samples += 1

    def hold(self, seconds: float) -> None:
        """The last reading still holds at ``seconds``."""
        if self.samples and seconds > self.last:
            self.add(seconds, self._watts)
            self.samples -= 1  # a time, not a reading


class Counter:
    """Joules of counters of microjoules that begin anew at zero after ``ranges``."""

    def __init__(self, ranges: Sequence[int]) -> None:
        self.joules = [0.0] * len(ranges)
        self.samples = 0
        self.first = self.last = 0.0
        self._ranges = ranges
        self._values: Sequence[float] = ()

    def add(self, seconds: float, values: Sequence[float]) -> None:
        """A reading of every counter at one time, at most one turn of a counter apart."""
        if self.samples == 0:
            self.first = seconds
        else:
            for rail, (before, now) in enumerate(zip(self._values, values, strict=True)):
                # The largest value that is shown is the range itself.
                turned = self._ranges[rail] + 1 if now < before else 0
                self.joules[rail] += (now - before + turned) / 1e6
        self.last, self._values = seconds, values
        self.samples += 1


def energy(sums: Trapezoid | Counter, rails: Sequence[str], unread: int = 0) -> Energy:
    """What ``sums`` has added up, by the rails' names."""
    by_rail = dict(zip(rails, sums.joules, strict=True))
    return Energy(sum(sums.joules), sums.last - sums.first, sums.samples, by_rail, unread)


def wait(stopped: threading.Event, seconds: float) -> object:
    """Waits for the next reading, or for the end."""
    return stopped.wait(seconds)


class Sampler:
    """A meter whose rails are read at once, every ``interval`` seconds, in a thread.

    Args:
        read: gives one number a rail; an error where a rail can no longer be read.
        sums: makes what adds the readings up, for each measurement.
        pause: waits between readings; tests put their own.
    """

    def __init__(
        self,
        name: str,
        rails: Sequence[str],
        covers: str,
        read: Callable[[], Sequence[float]],
        sums: Callable[[], Trapezoid | Counter],
        interval: float = 0.02,
        clock: Clock = time.monotonic,
        pause: Callable[[threading.Event, float], object] = wait,
    ) -> None:
        if not interval > 0:
            raise ValueError(f"interval must be more than 0 seconds, got {interval}")
        self.name, self.rails, self.covers = name, tuple(rails), covers
        self.passed_over: tuple[str, ...] = ()
        self._read, self._make, self._interval = read, sums, interval
        self._clock, self._pause = clock, pause
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        if self._thread is not None:
            raise RuntimeError(f"the meter {self.name} is running; stop it first")
        self._sums = self._make()
        self._stopped = threading.Event()
        self._failure: Exception | None = None
        self._sample()
        self._thread = threading.Thread(target=self._loop, name="gban-edge meter", daemon=True)
        self._thread.start()

    def stop(self) -> Energy:
        if self._thread is None:
            raise RuntimeError(f"the meter {self.name} was not started")
        self._stopped.set()
        self._thread.join()
        self._thread = None
        if self._failure is not None:
            raise RuntimeError(str(self._failure)) from self._failure
        self._sample()
        return energy(self._sums, self.rails)

    def _loop(self) -> None:
        try:
            while True:
                self._pause(self._stopped, self._interval)
                if self._stopped.is_set():
                    return
                self._sample()
        except Exception as failure:  # told by stop(), in the caller's thread
            self._failure = failure

    def _sample(self) -> None:
        try:
            values = self._read()
        except (OSError, ValueError) as error:
            raise RuntimeError(f"{self.name} can no longer be read ({error})") from error
        self._sums.add(self._clock(), values)
