"""What the benchmark needs of a recogniser, a power meter and the machine; tests bring others."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from gban_edge.text import Vocabulary

if TYPE_CHECKING:
    from gban_edge.deploy.bench_inputs import Utterance
    from gban_edge.deploy.bench_options import BenchOptions

# What is being done, and how much of it is done, 0 to 1.
Progress = Callable[[str, float], None]


class Answer(Protocol):
    """The part of :class:`gban_edge.runtime.result.Result` that is read here."""

    @property
    def probabilities(self) -> Mapping[str, float]:
        """Of every class."""

    @property
    def timings(self) -> Mapping[str, float]:
        """Seconds of ``features`` and ``network``."""


Call = Callable[[], Answer]


class Target(Protocol):
    """A loaded recogniser that is to be measured."""

    @property
    def backend(self) -> str:
        """What computes the network: "cpu fp32 avx512"."""

    @property
    def reason(self) -> str:
        """Why that one."""

    @property
    def sync(self) -> str | None:
        """How a call waits for a GPU, "spin" or "block"; None where it waits for none."""

    @property
    def vocabulary(self) -> Vocabulary:
        """The words that it knows."""

    def prepare(self, utterance: Utterance) -> Call:
        """The call that is timed: everything it needs is in host memory."""


class Energy(Protocol):
    """What a meter says of the time between its start and its stop; ``by_rail`` adds up to
    ``joules``."""

    @property
    def joules(self) -> float: ...
    @property
    def seconds(self) -> float: ...
    @property
    def samples(self) -> int: ...
    @property
    def by_rail(self) -> dict[str, float]: ...


class Meter(Protocol):
    """A power meter; ``rails`` are those summed, ``covers`` says what they supply."""

    @property
    def name(self) -> str: ...
    @property
    def rails(self) -> Sequence[str]: ...
    @property
    def covers(self) -> str: ...
    def start(self) -> None: ...
    def stop(self) -> Energy: ...


def open_target(options: BenchOptions) -> Target:
    """The recogniser that ``options`` name."""
    from gban_edge.deploy.bench_target import open_recognizer

    return open_recognizer(options)


def open_reference(options: BenchOptions) -> Target | None:
    """What its answers are compared with, or None."""
    from gban_edge.deploy.bench_target import open_cpu

    return open_cpu(options)


def cold_start(options: BenchOptions) -> dict[str, float]:
    """Milliseconds of a fresh process."""
    from gban_edge.deploy.bench_cold import one_start

    return one_start(options)


def open_meter() -> tuple[Meter | None, str]:
    """This machine's power meter, or None and the reason.

    It reads ten times a second: its thread shares the interpreter with the calls that are timed.
    """
    from gban_edge.deploy import power

    meter = power.open_meter(interval=0.1)
    return meter, power.missing() if meter is None else ""


def machine_facts() -> dict[str, Any]:
    """What this machine is and how it is set now."""
    from gban_edge.deploy import board

    return board.facts()


def silent(_what: str, _done: float) -> None:
    """No progress is shown."""


@dataclass(frozen=True)
class Tools:
    """What :func:`gban_edge.deploy.bench_measure.measure` uses; a test replaces some.

    ``clock`` counts nanoseconds.
    """

    clock: Callable[[], int] = time.perf_counter_ns
    sleep: Callable[[float], None] = time.sleep
    progress: Progress = silent
    open_target: Callable[[BenchOptions], Target] = open_target
    open_reference: Callable[[BenchOptions], Target | None] = open_reference
    cold_start: Callable[[BenchOptions], dict[str, float]] = cold_start
    open_meter: Callable[[], tuple[Meter | None, str]] = field(default=open_meter)
    facts: Callable[[], dict[str, Any]] = machine_facts
