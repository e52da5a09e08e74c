"""Joules: the best meter that this machine has.

    meter = power.open_meter()
    if meter is None:
        print(power.missing())
    else:
        meter.start()
        ...
        print(meter.stop().joules)

In this order: a board's own rails (hwmon), tegrastats, nvidia-smi (the GPU only), RAPL (the
processor only). What a meter covers stands in ``covers``, so that no two are taken for the same.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from gban_edge.deploy import power_programs, power_rails
from gban_edge.deploy.board_files import SYSTEM, program
from gban_edge.deploy.power_meter import Energy, Meter
from gban_edge.deploy.power_tegrastats import Tegrastats, parse_tegrastats

__all__ = ["Energy", "Meter", "Tegrastats", "missing", "open_meter", "parse_tegrastats", "summary"]

_OPENERS: tuple[Callable[[Path, float], Meter], ...] = (
    power_rails.open_hwmon,
    power_programs.open_tegrastats,
    power_programs.open_nvidia_smi,
    power_rails.open_rapl,
)
_CURE = (
    "On a Jetson the rails are there from JetPack 6.1 on, outside of a container or with /sys in "
    "it; on a PC install NVIDIA's driver, or read RAPL as root"
)


def open_meter(root: Path = SYSTEM, interval: float = 0.02) -> Meter | None:
    """The best meter, not yet started, or None, for which :func:`missing` has the reasons.

    Args:
        interval: seconds between two readings; the programs are asked for 0.1 at least.

    Raises:
        ValueError: ``interval`` is not more than 0.
    """
    return _try(root, interval)[0]


def missing(root: Path = SYSTEM) -> str:
    """Why there is no meter, and the cure; empty where there is one."""
    meter, reasons = _try(root, 0.02)
    return "" if meter is not None else f"no power meter: {'; '.join(reasons)}. {_CURE}."


def summary(root: Path = SYSTEM) -> str:
    """The meter in a few words, quickly: no program is run, so what it prints is not known."""
    try:
        return _words(power_rails.open_hwmon(root))
    except RuntimeError as error:
        no_rails = str(error)
    for name in ("tegrastats", "nvidia-smi"):
        if program(root, name):
            return f"{name}{' (GPU only)' if name == 'nvidia-smi' else ''}; {no_rails}"
    try:
        return f"{_words(power_rails.open_rapl(root))}; {no_rails}"
    except RuntimeError as error:
        return f"none: {no_rails}; no tegrastats, no nvidia-smi; {error}"


def _words(meter: Meter) -> str:
    return f"{meter.name}, {' + '.join(meter.rails)} ({meter.covers})"


def _try(root: Path, interval: float) -> tuple[Meter | None, list[str]]:
    if not interval > 0:
        raise ValueError(f"interval must be more than 0 seconds, got {interval}")
    reasons: list[str] = []
    for opener in _OPENERS:
        try:
            meter = opener(root, interval)
        except RuntimeError as error:
            reasons.append(str(error))
        else:
            meter.passed_over = tuple(reasons)
            return meter, reasons
    return None, reasons
