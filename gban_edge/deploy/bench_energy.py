"""Joules an inference: what the rails took while the calls ran, gross and minus idle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gban_edge.deploy.bench_protocols import Energy, Meter

IDLE_SECONDS = 10.0
# Clocks and fans need a moment to come down after the check before idle power is idle.
SETTLE_SECONDS = 2.0


def idle_power(
    meter: Meter, seconds: float, sleep: Callable[[float], None]
) -> dict[str, float] | None:
    """``watts`` over ``seconds`` in which this process sleeps, the model being loaded; None for 0
    seconds.

    Raises:
        RuntimeError: the meter gave no reading.
    """
    if seconds <= 0:
        return None
    sleep(SETTLE_SECONDS)
    meter.start()
    try:
        sleep(seconds)
    finally:
        energy = meter.stop()
    return {"watts": watts(meter, energy), "seconds": energy.seconds, "joules": energy.joules}


def watts(meter: Meter, energy: Energy) -> float:
    """The mean power."""
    if energy.samples < 1 or not energy.seconds > 0:
        raise RuntimeError(
            f"{meter.name} gave no reading; measure for longer, or see gban-edge info"
        )
    return energy.joules / energy.seconds


def energy_figures(
    meter: Meter, energy: Energy, idle: dict[str, float] | None, count: int
) -> dict[str, Any]:
    """Joules of ``count`` calls, from the start of the measured loop to its end.

    ``gross_joules`` = joules / count. ``net_joules`` = (joules - idle watts x seconds) / count,
    None where idle power was not measured. ``summed`` says in words what was added up.
    """
    mean = watts(meter, energy)
    net = None
    if idle is not None:
        net = (energy.joules - idle["watts"] * energy.seconds) / count
    return {
        "meter": meter.name,
        "rails": list(meter.rails),
        "summed": f"{' + '.join(meter.rails)} ({meter.covers})",
        "joules": energy.joules,
        "seconds": energy.seconds,
        "samples": energy.samples,
        "by_rail_joules": dict(energy.by_rail),
        "watts": mean,
        "idle": idle,
        "gross_joules": energy.joules / count,
        "net_joules": net,
    }
