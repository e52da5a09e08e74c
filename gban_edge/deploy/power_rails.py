"""Meters on files of the kernel: a board's power rails (hwmon) and a PC's RAPL counters."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gban_edge.deploy import board_files
from gban_edge.deploy.power_meter import Clock, Counter, Sampler, Trapezoid, wait

# What adds up to a whole, best first, from the power chapters of NVIDIA's Jetson Linux Developer
# Guide. Left out of the sums, being inside another rail: VDD_CPU_GPU_CV and VDD_SOC (in VDD_IN),
# VDDQ_VDD2_1V8AO (in VIN_SYS_5V0), and every other rail where VIN is measured.
WHOLES: tuple[tuple[tuple[str, ...], str], ...] = (
    (("VDD_IN",), "the module"),
    (("VIN",), "the board's input, with the carrier and all that hangs on it"),
    (("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"), "the module's rails, summed"),
    (("VDD_GPU", "VDD_CPU_SOC_MSS", "VIN_SYS_5V0"), "the module's rails, summed"),
)
PERMISSION = (
    'run as root, or let everybody read them: echo \'SUBSYSTEM=="hwmon", ACTION=="add", '
    'RUN+="/bin/chmod -R a+r /sys%p"\' | sudo tee /etc/udev/rules.d/99-gban-edge-power.rules, '
    "then reboot"
)
_RAPL_CURE = "run as root, or until the next boot: sudo chmod a+r {path}"


@dataclass(frozen=True)
class Rail:
    """One channel of a power monitor: a file of microwatts, or of millivolts and milliamperes."""

    name: str
    chip: str
    power: Path | None
    voltage: Path
    current: Path

    def watts(self) -> float:
        """Now; OSError or ValueError where a file cannot be read."""
        if self.power is not None:
            return value(self.power) / 1e6
        return value(self.voltage) * value(self.current) / 1e6


def value(path: Path) -> int:
    """The number in ``path``; OSError, or ValueError that names the file."""
    text = path.read_text("ascii", "replace").strip()
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"{path} holds {text!r}, not a number") from None


def choose(names: Collection[str]) -> tuple[tuple[str, ...], str]:
    """The rails to add up out of ``names``, counting no power twice, and what they cover.

    >>> choose(["VDD_SOC", "VDD_IN", "VDD_CPU_GPU_CV"])
    (('VDD_IN',), 'the module')

    Raises:
        RuntimeError: no set of them is known to be a whole.
    """
    for rails, covers in WHOLES:
        if all(rail in names for rail in rails):
            return rails, covers
    known = " or ".join("+".join(rails) for rails, _ in WHOLES)
    raise RuntimeError(
        f"the rails found ({', '.join(sorted(names)) or 'none'}) are not known to make a whole; "
        f"known are {known}"
    )


def board_rails(root: Path) -> list[Rail]:
    """Every named rail of the INA power monitors (ina3221, ina238 and their like) under
    /sys/class/hwmon."""
    found = []
    for folder in sorted((root / "sys" / "class" / "hwmon").glob("hwmon[0-9]*")):
        chip = board_files.text(folder / "name") or ""
        if re.fullmatch(r"ina\d+x?", chip):
            found.extend(_channels(folder, chip))
    return found


def _channels(folder: Path, chip: str) -> list[Rail]:
    rails = []
    for number in (1, 2, 3):  # 4 to 7 of an ina3221 are shunt voltages and their sum, no rails
        label = board_files.text(folder / f"in{number}_label")
        if label is None and number == 1:  # a chip of one channel has its label beside its name
            label = board_files.text(folder / "label")
        enabled = board_files.number(folder / f"in{number}_enable")
        power = folder / f"power{number}_input"
        current = folder / f"curr{number}_input"
        there = power.exists() or current.exists()
        if there and label and label != "NC" and not label.startswith("sum") and enabled != 0:
            voltage = folder / f"in{number}_input"
            rails.append(Rail(label, chip, power if power.exists() else None, voltage, current))
    return rails


def open_hwmon(
    root: Path,
    interval: float = 0.02,
    clock: Clock = time.monotonic,
    pause: Callable[[threading.Event, float], object] = wait,
) -> Sampler:
    """The meter of a board's own rails.

    Raises:
        RuntimeError: there are none, none that make a whole, or they cannot be read; the cure.
    """
    found = {rail.name: rail for rail in board_rails(root)}
    if not found:
        raise RuntimeError("no power rails (ina3221, ina238) under /sys/class/hwmon")
    names, covers = choose(found)
    rails = [found[name] for name in names]
    try:
        for rail in rails:
            rail.watts()
    except PermissionError as error:
        raise RuntimeError(
            f"the power rails may not be read ({error.filename}): {PERMISSION}"
        ) from error
    except (OSError, ValueError) as error:
        raise RuntimeError(f"the power rails cannot be read ({error})") from error
    chips = ", ".join(dict.fromkeys(rail.chip for rail in rails))
    return Sampler(
        f"hwmon {chips}",
        names,
        covers,
        lambda: _now(rails),
        lambda: Trapezoid(len(rails)),
        interval,
        clock,
        pause,
    )


def _now(rails: Sequence[Rail]) -> list[float]:
    watts = []
    for rail in rails:
        try:
            watts.append(rail.watts())
        except (OSError, ValueError) as error:
            raise RuntimeError(f"rail {rail.name} vanished or cannot be read ({error})") from error
    return watts


def open_rapl(root: Path, interval: float = 0.02, **options: Any) -> Sampler:
    """The energy counters of a PC's processor packages (Intel's RAPL, AMD's too).

    Raises:
        RuntimeError: there are none, or they cannot be read; the cure.
    """
    folders = []
    for folder in sorted((root / "sys" / "class" / "powercap").glob("intel-rapl:[0-9]*")):
        # Only packages: cores and memory are inside them, and psys has them inside itself.
        if (board_files.text(folder / "name") or "").startswith("package"):
            folders.append(folder)
    if not folders:
        raise RuntimeError("no RAPL counters of a processor package under /sys/class/powercap")
    counters = [folder / "energy_uj" for folder in folders]
    try:
        for counter in counters:
            value(counter)
        ranges = [value(folder / "max_energy_range_uj") for folder in folders]
    except PermissionError as error:
        cure = _RAPL_CURE.format(path=error.filename)
        raise RuntimeError(f"the RAPL counters may not be read: {cure}") from error
    except (OSError, ValueError) as error:
        raise RuntimeError(f"the RAPL counters cannot be read ({error})") from error
    return Sampler(
        "RAPL package",
        _names(folders),
        "the processor, without memory's chips, GPU and the rest of the machine",
        lambda: [value(counter) for counter in counters],
        lambda: Counter(ranges),
        interval,
        **options,
    )


def _names(folders: Sequence[Path]) -> list[str]:
    return [board_files.text(folder / "name") or folder.name for folder in folders]
