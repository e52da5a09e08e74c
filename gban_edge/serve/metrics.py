"""Counts and times in Prometheus' text format, version 0.0.4.

Written here, since four kinds of lines need no package. Nothing of what was said or recognised is
counted, not even how often which label came.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Lock

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Counter:
    """What only grows, one number for every set of labels' values."""

    kind = "counter"

    def __init__(self, name: str, text: str, labels: Sequence[str] = ()) -> None:
        self.name, self.text, self._labels = name, text, tuple(labels)
        self._values: dict[tuple[str, ...], float] = {} if labels else {(): 0.0}
        self._lock = Lock()

    def add(self, *values: str, by: float = 1.0) -> None:
        """Add ``by`` to the number of these labels' values."""
        with self._lock:
            self._values[values] = self._values.get(values, 0.0) + by

    def lines(self) -> Iterator[str]:
        with self._lock:
            found = sorted(self._values.items())
        for values, number in found:
            yield f"{self.name}{_labels(self._labels, values)} {_number(number)}"


class Histogram:
    """How long something took, in seconds."""

    kind = "histogram"

    def __init__(self, name: str, text: str) -> None:
        self.name, self.text = name, text
        self._counts = [0] * (len(BUCKETS) + 1)
        self._sum = 0.0
        self._lock = Lock()

    def observe(self, seconds: float) -> None:
        place = next((i for i, bound in enumerate(BUCKETS) if seconds <= bound), len(BUCKETS))
        with self._lock:
            self._counts[place] += 1
            self._sum += seconds

    def lines(self) -> Iterator[str]:
        with self._lock:
            counts, total = list(self._counts), self._sum
        below = 0
        for bound, count in zip((*map(str, BUCKETS), "+Inf"), counts, strict=True):
            below += count
            yield f'{self.name}_bucket{{le="{bound}"}} {below}'
        yield f"{self.name}_sum {_number(total)}"
        yield f"{self.name}_count {below}"


class Gauge:
    """What is asked for when somebody looks."""

    kind = "gauge"

    def __init__(self, name: str, text: str, value: Callable[[], float]) -> None:
        self.name, self.text, self._value = name, text, value

    def lines(self) -> Iterator[str]:
        yield f"{self.name} {_number(self._value())}"


class Metrics:
    """All that the service counts."""

    def __init__(self) -> None:
        began = time.time()
        self.requests = Counter(
            "gban_requests_total", "HTTP requests by path and status.", ("path", "status")
        )
        self.request_seconds = Histogram(
            "gban_recognize_request_seconds", "From a request's head to its answer's end."
        )
        self.engine_seconds = Histogram(
            "gban_engine_seconds", "What the recogniser itself took, features included."
        )
        self.streams = Counter("gban_streams_total", "Streams by their close code.", ("code",))
        self.sound_seconds = Counter("gban_stream_sound_seconds_total", "Sound that streams sent.")
        self.utterances = Counter("gban_utterances_total", "Results that streams were sent.")
        self._all: list[Counter | Histogram | Gauge] = [
            self.requests, self.request_seconds, self.engine_seconds, self.streams,
            self.sound_seconds, self.utterances,
            Gauge("process_resident_memory_bytes", "Memory in use.", resident_bytes),
            Gauge("process_start_time_seconds", "When the service began.", lambda: began),
        ]  # fmt: skip

    def gauge(self, name: str, text: str, value: Callable[[], float]) -> None:
        """Another number to be asked for."""
        self._all.append(Gauge(name, text, value))

    def text(self) -> str:
        """The whole page."""
        lines: list[str] = []
        for one in self._all:
            lines += [f"# HELP {one.name} {one.text}", f"# TYPE {one.name} {one.kind}"]
            lines += one.lines()
        return "\n".join(lines) + "\n"


def resident_bytes() -> float:
    """Memory of this process; NaN where the system has no /proc."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except OSError:
        return float("nan")
    return float(pages * os.sysconf("SC_PAGE_SIZE"))


def _labels(names: Sequence[str], values: Sequence[str]) -> str:
    if not names:
        return ""
    pairs = (f'{name}="{_escaped(value)}"' for name, value in zip(names, values, strict=True))
    return "{" + ",".join(pairs) + "}"


def _escaped(value: str) -> str:
    """
    >>> _escaped('a"b')
    'a\\\\"b'
    """
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    """
    >>> _number(3.0), _number(0.25), _number(float("nan"))
    ('3', '0.25', 'NaN')
    """
    if value != value:
        return "NaN"
    return str(int(value)) if value == int(value) else repr(value)
