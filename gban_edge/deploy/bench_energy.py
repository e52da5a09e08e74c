"""Joules an inference: what the rails took while the calls ran, gross and minus idle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gban_edge.deploy.bench_protocols import Energy, Meter

IDLE_SECONDS = 10.0
# Clocks and fans need a moment to come down after the check before idle power is idle.
SETTLE_SECONDS = 2.0


class Power:
    """A meter while a benchmark runs. One that fails costs the energy figures and says so in
    :attr:`missing`; ten minutes of latencies are not lost with it.

    Args:
        meter: None where there is none.
        missing: why not.
    """

    def __init__(self, meter: Meter | None, missing: str) -> None:
        self._meter = meter
        self._idle: Energy | None = None
        self._taken: Energy | None = None
        self.missing = missing

    def rest(self, seconds: float | None, sleep: Callable[[float], None]) -> None:
        """Measure idle power for ``seconds`` (None: 10) in which this process sleeps, the model
        being loaded; not at all for 0."""
        seconds = IDLE_SECONDS if seconds is None else seconds
        if self._meter is None or seconds <= 0:
            return
        sleep(SETTLE_SECONDS)
        self.start()
        try:
            sleep(seconds)
        finally:
            self.stop()
        self._idle, self._taken = self._taken, None

    def start(self) -> None:
        """Begin to measure."""
        if self._meter is not None:
            self._guarded(self._meter.start)

    def stop(self) -> None:
        """Take what was measured since :meth:`start`."""
        if self._meter is not None:
            self._taken = self._guarded(self._meter.stop)
            if self._taken and not (self._taken.samples > 0 and self._taken.seconds > 0):
                self._fail(f"{self._meter.name} gave no reading; measure for longer")

    def _guarded(self, act: Callable[[], Any]) -> Any:
        try:
            return act()
        except RuntimeError as error:
            self._fail(str(error))

    def _fail(self, why: str) -> None:
        """No more of the meter is used."""
        self._meter, self._idle, self._taken = None, None, None
        self.missing = f"the power meter failed: {why}"

    def figures(self, count: int) -> dict[str, Any] | None:
        """Joules of ``count`` calls, from the start of the measured loop to its end; None without a
        meter.

        ``gross_joules`` = joules / count. ``net_joules`` = (joules - idle watts x seconds) / count,
        None where idle power was not measured. ``summed`` says in words what was added up.
        """
        meter, taken = self._meter, self._taken
        if meter is None or taken is None:
            return None
        idle = None if self._idle is None else _watts(self._idle)
        net = None if idle is None else (taken.joules - idle["watts"] * taken.seconds) / count
        return {
            "meter": meter.name,
            "rails": list(meter.rails),
            "summed": f"{' + '.join(meter.rails)} ({meter.covers})",
            **_watts(taken),
            "by_rail_joules": dict(taken.by_rail),
            "idle": idle,
            "gross_joules": taken.joules / count,
            "net_joules": net,
        }


def _watts(energy: Energy) -> dict[str, float]:
    """``watts``, ``joules``, ``seconds`` and ``samples``."""
    return {
        "watts": energy.joules / energy.seconds,
        "joules": energy.joules,
        "seconds": energy.seconds,
        "samples": energy.samples,
    }
