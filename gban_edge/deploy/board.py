"""What this machine is and how it is set: the board, JetPack, clocks, temperatures, memory.

Everything is read from files under a root; what a machine does not have is left out.
"""

from __future__ import annotations

import platform
import re
from pathlib import Path
from typing import Any

from gban_edge.deploy import board_jetpack
from gban_edge.deploy.board_files import SYSTEM, Runner, number, runner, text

# Arm's part numbers (implementer 0x41) of the processors that a Jetson or another board has.
_ARM_PARTS = {
    "0xd03": "Cortex-A53",
    "0xd07": "Cortex-A57",
    "0xd08": "Cortex-A72",
    "0xd0b": "Cortex-A76",
    "0xd0c": "Neoverse-N1",
    "0xd42": "Cortex-A78AE",
    "0xd4f": "Neoverse-V2",
    "0xd83": "Neoverse-V3AE",
}
_SMI_FIELDS = {
    "name": "name",
    "driver_version": "driver",
    "clocks.sm": "mhz",
    "clocks.max.sm": "maximum_mhz",
    "clocks.mem": "memory_mhz",
    "power.limit": "power_limit_w",
    "temperature.gpu": "temperature",
}


def facts(root: Path = SYSTEM, run: Runner | None = None) -> dict[str, Any]:
    """Every fact about this machine that can go into a JSON file; MHz, degrees Celsius, MiB.

    Keys, each left out where it does not apply: ``board``, ``compatible``, ``jetson`` (always
    there), ``l4t``, ``jetpack``, ``nvidia_jetpack``, ``power_mode``, ``cpu``, ``gpu_clocks``,
    ``memory_clock``, ``temperatures``, ``fan``, ``memory``, ``os``, ``kernel``, ``machine``,
    ``python``, ``gpus``.

    Args:
        root: where the file system begins.
        run: runs nvpmodel and nvidia-smi; by default those of ``root``.
    """
    run = run or runner(root)
    model, compatible = identity(root)
    jetson = is_jetson(root)
    found: dict[str, Any] = {"board": model, "compatible": compatible, "jetson": jetson}
    if jetson:
        found.update(board_jetpack.jetpack(root))
        found["power_mode"] = board_jetpack.power_mode(root, run)
        found["gpu_clocks"] = board_jetpack.gpu_clocks(root)
        found["memory_clock"] = board_jetpack.memory_clock(root)
    found["cpu"] = cpu(root)
    found["temperatures"] = temperatures(root)
    found["fan"] = fan(root)
    found["memory"] = memory(root)
    found["os"] = system(root)
    found["kernel"] = text(root / "proc" / "sys" / "kernel" / "osrelease")
    found["machine"] = platform.machine()
    found["python"] = platform.python_version()
    found["gpus"] = gpus(run)
    return {key: value for key, value in found.items() if value not in (None, "", [], {})}


def identity(root: Path) -> tuple[str | None, list[str]]:
    """The board's name and what it is compatible with, from the device tree; else the PC's name."""
    tree = root / "proc" / "device-tree"
    compatible = [name for name in (text(tree / "compatible") or "").split("\0") if name]
    model = text(tree / "model")
    if not model:
        dmi = root / "sys" / "class" / "dmi" / "id"
        parts = [text(dmi / "sys_vendor"), text(dmi / "product_name")]
        model = " ".join(part.strip() for part in parts if part) or None
    return model, compatible


def is_jetson(root: Path) -> bool:
    """A board with an NVIDIA Tegra, or one that runs Jetson Linux."""
    tegra = any(name.startswith("nvidia,tegra") for name in identity(root)[1])
    return tegra or (root / "etc" / "nv_tegra_release").is_file()


def cpu(root: Path) -> dict[str, Any]:
    """``model``, ``cores`` (online), ``governor`` (each kind) and ``mhz`` of each core."""
    listing = text(root / "proc" / "cpuinfo") or ""
    found: dict[str, Any] = {}
    model = _cpu_model(listing)
    cores = len(re.findall(r"^processor\s*:", listing, re.MULTILINE))
    if model:
        found["model"] = model
    if cores:
        found["cores"] = cores
    folders = (root / "sys" / "devices" / "system" / "cpu").glob("cpu[0-9]*/cpufreq")
    folders_in_order = sorted(folders, key=lambda path: int(path.parent.name[3:]))
    governors = {text(path / "scaling_governor") for path in folders_in_order}
    if governors - {None}:
        found["governor"] = sorted(name for name in governors if name)
    for key, file in (("mhz", "scaling_cur_freq"), ("maximum_mhz", "scaling_max_freq")):
        kilohertz = [number(path / file) for path in folders_in_order]
        if kilohertz and None not in kilohertz:
            found[key] = [round(value / 1e3) for value in kilohertz if value is not None]
    return found


def _cpu_model(listing: str) -> str | None:
    def field(name: str) -> list[str]:
        return re.findall(rf"^{name}\s*:\s*(.+?)\s*$", listing, re.MULTILINE)

    if set(field("CPU implementer")) == {"0x41"}:
        parts = list(dict.fromkeys(field("CPU part")))
        return " and ".join(_ARM_PARTS.get(part, f"Arm part {part}") for part in parts)
    names = field("model name")
    return names[0] if names else None


def temperatures(root: Path) -> dict[str, float]:
    """Degrees Celsius of every thermal zone that can be read now, by the zone's type."""
    found: dict[str, float] = {}
    zones = (root / "sys" / "class" / "thermal").glob("thermal_zone[0-9]*")
    for zone in sorted(zones, key=lambda path: int(path.name[len("thermal_zone") :])):
        kind, value = text(zone / "type"), number(zone / "temp")
        # A part that is switched off (a Jetson's idle CV cores) reads -256.
        if kind and value is not None and value > -256000:
            key = kind if kind not in found else f"{kind} ({zone.name})"
            found[key] = value / 1000
    return found


def fan(root: Path) -> dict[str, list[int]]:
    """``pwm`` (0 to 255) and ``rpm`` of the fans."""
    found: dict[str, list[int]] = {}
    folders = sorted((root / "sys" / "class" / "hwmon").glob("hwmon[0-9]*"))
    for key, pattern in (("pwm", "pwm[0-9]"), ("rpm", "fan[0-9]_input"), ("rpm", "rpm")):
        for folder in folders:
            values = [number(path) for path in sorted(folder.glob(pattern))]
            if values:
                found.setdefault(key, []).extend(v for v in values if v is not None)
    return {key: values for key, values in found.items() if values}


def memory(root: Path) -> dict[str, int]:
    """``total`` and ``available`` MiB of RAM."""
    listing = text(root / "proc" / "meminfo") or ""
    found = dict(re.findall(r"^(MemTotal|MemAvailable):\s+(\d+) kB", listing, re.MULTILINE))
    names = {"MemTotal": "total", "MemAvailable": "available"}
    return {names[key]: int(value) // 1024 for key, value in found.items()}


def system(root: Path) -> str | None:
    """The operating system's name for itself."""
    found = re.search(
        r'^PRETTY_NAME="?([^"\n]*)"?', text(root / "etc" / "os-release") or "", re.MULTILINE
    )
    return found[1] if found else None


def gpus(run: Runner) -> list[dict[str, Any]]:
    """What nvidia-smi says about each GPU; without what it does not know ("[N/A]")."""
    query = f"--query-gpu={','.join(_SMI_FIELDS)}"
    printed = run(["nvidia-smi", query, "--format=csv,noheader,nounits"]) or ""
    found = []
    for line in printed.splitlines():
        values = [value.strip() for value in line.split(",")]
        if len(values) == len(_SMI_FIELDS):
            named = zip(_SMI_FIELDS.values(), values, strict=True)
            found.append({key: _value(key, v) for key, v in named if not v.startswith("[")})
    return found


def _value(key: str, value: str) -> str | float:
    if key in ("name", "driver"):
        return value
    try:
        return float(value)
    except ValueError:
        return value
