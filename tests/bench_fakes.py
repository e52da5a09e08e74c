"""A recogniser, a clock and a power meter of known figures for tests of the benchmark."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

from gban_edge.deploy.bench_protocols import Tools
from gban_edge.text import PAD, UNKNOWN, Vocabulary

COLD = {
    "interpreter": 10.0, "import": 60.0, "load": 20.0, "first_call": 5.0, "second_call": 2.0,
    "to_first_answer": 95.0,
}  # fmt: skip
FACTS = {"board": "Board X", "temperatures": {"cpu": 40.0}, "cpu": {"mhz": [1500], "cores": 1}}


class Clock:
    """Nanoseconds that pass only when a fake says so."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now


@dataclass
class FakeAnswer:
    probabilities: dict[str, float]
    timings: dict[str, float]


@dataclass
class FakeTarget:
    """Call number i takes ``latencies[i % len]`` ns, of which a half is features and a quarter
    network; ``interrupt`` raises Ctrl-C in that call."""

    clock: Clock
    latencies: list[int]
    probability: float = 0.25
    interrupt: int = -1
    backend: str = "cuda fp16 Some GPU"
    reason: str = "cuda: asked for"
    sync: str | None = "block"
    calls: int = 0
    vocabulary: Vocabulary = field(default_factory=lambda: Vocabulary((PAD, UNKNOWN, "yes", "no")))

    def prepare(self, utterance: Any) -> Any:
        return self._call

    def _call(self) -> FakeAnswer:
        if self.calls == self.interrupt:
            raise KeyboardInterrupt
        spent = self.latencies[self.calls % len(self.latencies)]
        self.calls += 1
        self.clock.now += spent
        answer = {"no": 1 - self.probability, "yes": self.probability}
        return FakeAnswer(answer, {"features": spent / 2e9, "network": spent / 4e9})


@dataclass
class FakeEnergy:
    joules: float
    seconds: float
    samples: int
    by_rail: dict[str, float]


class FakeMeter:
    """Two rails whose watts are ``at_rest`` the first time and ``busy`` afterwards."""

    name = "hwmon ina3221"
    rails = ("VDD_CPU", "VDD_GPU")
    covers = "processor and GPU"

    def __init__(self, clock: Clock, at_rest: float, busy: float) -> None:
        self._clock = clock
        self._watts = itertools.chain([at_rest], itertools.repeat(busy))
        self.running = False

    def start(self) -> None:
        assert not self.running
        self.running, self._begin = True, self._clock.now

    def stop(self) -> FakeEnergy:
        assert self.running
        self.running = False
        seconds = (self._clock.now - self._begin) / 1e9
        joules = next(self._watts) * seconds
        rails = {"VDD_CPU": joules / 4, "VDD_GPU": joules * 3 / 4}
        return FakeEnergy(joules, seconds, int(seconds * 10), rails)


def fake_tools(clock: Clock, target: FakeTarget, **others: Any) -> Tools:
    """Tools of which none touches this machine."""

    def sleep(seconds: float) -> None:
        clock.now += round(seconds * 1e9)

    tools: dict[str, Any] = {
        "clock": clock,
        "sleep": sleep,
        "open_target": lambda _: target,
        "open_reference": lambda _: None,
        "cold_start": lambda _: dict(COLD),
        "open_meter": lambda: (None, "no power meter: none was given"),
        "facts": lambda: FACTS,
        **others,
    }
    return Tools(**tools)
