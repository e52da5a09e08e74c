"""Reading what tegrastats prints, from JetPack 6 on.

A line, shortened: ``07-14-2025 10:29:36 RAM 2147/7620MB (lfb 2x4MB) SWAP 0/3810MB (cached 1MB) CPU
[3%@729,off] EMC_FREQ 0%@2133 GR3D_FREQ 0%@[305,305] cpu@47.6C VDD_IN 4556mW/4556mW``. JetPack 7.2
prints a third number of each rail and a second of each temperature.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

OFF = -256.0  # the temperature of a sensor whose part is switched off

_STAMP = re.compile(r"^\d\d-\d\d-\d{4} \d\d:\d\d:\d\d ")
_RAM = re.compile(r"^RAM (\d+)/(\d+)MB(?= |$)")
_SWAP = re.compile(r" SWAP (\d+)/(\d+)MB(?= |$)")
_CPU = re.compile(r" CPU \[([^\]]*)\](?= |$)")
_CORE = re.compile(r"(\d+)%@(\d+)")
_EMC = re.compile(r" EMC_FREQ (?:(\d+)%)?(?:@(\d+))?(?= |$)")
_GPU = re.compile(r" GR3D_FREQ (?:(\d+)%)?(?:@(?:\[([\d,]+)\]|(\d+)))?(?= |$)")
_TEMPERATURE = re.compile(r" ([A-Za-z]\w*)@(-?\d+(?:\.\d+)?)C(?:/-?\d+(?:\.\d+)?C)?(?= |$)")
_RAIL = re.compile(r" ([A-Z]\w*) (-?\d+)mW/(-?\d+)mW(?:/(-?\d+)mW)?(?= |$)")
_LIKE_A_RAIL = re.compile(r" ((?:VDD|VIN|POM|SYS5V)\w*)(?: (\S+))?")
_OLD = re.compile(r"-?\d+/-?\d+")


@dataclass(frozen=True)
class Rail:
    """Milliwatts now and on average since tegrastats started; JetPack 7.2's third number."""

    now: int
    average: int
    third: int | None = None


@dataclass(frozen=True)
class Core:
    """Load in per cent and clock in MHz of a processor core that is on."""

    percent: int
    mhz: int


@dataclass(frozen=True)
class Tegrastats:
    """One line. Sizes in MB; None where the line does not say, and for a core that is off."""

    ram_used: int
    ram_total: int
    swap_used: int | None = None
    swap_total: int | None = None
    cpus: tuple[Core | None, ...] = ()
    emc_percent: int | None = None
    emc_mhz: int | None = None
    gpu_percent: int | None = None
    gpu_mhz: tuple[int, ...] = ()
    temperatures: dict[str, float] = field(default_factory=dict)
    rails: dict[str, Rail] = field(default_factory=dict)


def parse_tegrastats(line: str) -> Tegrastats:
    """What ``line`` says.

    Raises:
        ValueError: it is damaged, or of JetPack 4 or 5, whose rails have no unit.
    """
    text = _STAMP.sub("", line.strip())
    ram = _RAM.match(text)
    if ram is None:
        raise ValueError(f"a line of tegrastats begins with RAM used/totalMB, got {_short(line)}")
    _refuse_damage(text, line)
    swap, emc, gpu = _SWAP.search(text), _EMC.search(text), _GPU.search(text)
    clocks = (gpu[2] or gpu[3] or "") if gpu else ""
    found = _TEMPERATURE.findall(text)
    return Tegrastats(
        ram_used=int(ram[1]),
        ram_total=int(ram[2]),
        swap_used=int(swap[1]) if swap else None,
        swap_total=int(swap[2]) if swap else None,
        cpus=_cores(text, line),
        emc_percent=int(emc[1]) if emc and emc[1] else None,
        emc_mhz=int(emc[2]) if emc and emc[2] else None,
        gpu_percent=int(gpu[1]) if gpu and gpu[1] else None,
        gpu_mhz=tuple(int(mhz) for mhz in clocks.split(",") if mhz),
        temperatures={name: float(value) for name, value in found if float(value) != OFF},
        rails=_rails(text),
    )


def _rails(text: str) -> dict[str, Rail]:
    return {
        name: Rail(int(now), int(average), int(third) if third else None)
        for name, now, average, third in _RAIL.findall(text)
        if name != "NC"  # a channel that is not connected
    }


def _cores(text: str, line: str) -> tuple[Core | None, ...]:
    found = _CPU.search(text)
    if found is None:
        return ()
    cores: list[Core | None] = []
    for part in found[1].split(","):
        core = _CORE.fullmatch(part)
        if core is None and part != "off":
            raise ValueError(f"CPU [...] of tegrastats holds {part!r}, in {_short(line)}")
        cores.append(Core(int(core[1]), int(core[2])) if core else None)
    return tuple(cores)


def _refuse_damage(text: str, line: str) -> None:
    """Every rail must be whole: a number that was cut off is still a number."""
    if " CPU [" in text and not _CPU.search(text):
        raise ValueError(f"CPU [...] of tegrastats does not end, in {_short(line)}")
    for rail in _LIKE_A_RAIL.finditer(text):
        if _RAIL.match(text, rail.start()):
            continue
        if rail[2] and _OLD.fullmatch(rail[2]):
            raise ValueError(
                f"{rail[1]} {rail[2]} has no unit, as JetPack 4 and 5 print it; gban-edge "
                "supports JetPack 6.1 and later"
            )
        raise ValueError(f"rail {rail[1]} of tegrastats is damaged, in {_short(line)}")


def _short(line: str) -> str:
    line = line.strip()
    return repr(line if len(line) <= 90 else f"{line[:60]} ... {line[-25:]}")
