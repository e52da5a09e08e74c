"""Which JetPack a Jetson runs, and in which power mode."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from gban_edge.deploy.board_files import Runner, number, text

# JetPack of each release of Jetson Linux (L4T), from NVIDIA's JetPack archive. Releases that only
# came as updates through apt (36.4.7) have no line of their own there and are left out: sources
# differ about them, and the package nvidia-jetpack says which JetPack it was.
JETPACK = {
    "36.3.0": "6.0",
    "36.4.0": "6.1",
    "36.4.3": "6.2",
    "36.4.4": "6.2.1",
    "36.5.0": "6.2.2",
    "36.5.2": "6.2.3",
    "38.2.0": "7.0",
    "38.2.1": "7.0",
    "38.4.0": "7.1",
    "39.2.0": "7.2",
    "39.2.1": "7.2.1",
}
# The first number of L4T gives the first number of JetPack, known or not.
MAJOR = {"32": "4", "34": "5", "35": "5", "36": "6", "38": "7", "39": "7"}

_RELEASE = re.compile(r"^# R(\d+) \(release\), REVISION: (\d+(?:\.\d+)*)", re.MULTILINE)
_MODEL = re.compile(r"^<\s*POWER_MODEL\s+ID=(\d+)\s+NAME=(\S+)\s*>", re.MULTILINE)


def jetpack(root: Path) -> dict[str, str]:
    """``l4t`` ("36.4.3"), ``jetpack`` ("JetPack 6.2 (L4T R36.4.3)"), ``nvidia_jetpack`` (the
    version of that package); without what is not there."""
    facts: dict[str, str] = {}
    found = _RELEASE.search(text(root / "etc" / "nv_tegra_release") or "")
    package = _package(root, "nvidia-jetpack")
    if package:
        facts["nvidia_jetpack"] = package
    if found:
        facts["l4t"] = f"{found[1]}.{found[2]}"
        facts["jetpack"] = name(facts["l4t"], package)
    return facts


def name(l4t: str, package: str | None = None) -> str:
    """JetPack's name of release ``l4t``; where it is not known, by its package, or "unknown".

    >>> name("36.4.3"), name("40.1.0")
    ('JetPack 6.2 (L4T R36.4.3)', 'unknown JetPack (L4T R40.1.0)')
    """
    known = JETPACK.get(l4t)
    if known:
        return f"JetPack {known} (L4T R{l4t})"
    if package:
        version = re.split(r"[+-]", package)[0]
        return f"JetPack {version} (by its package nvidia-jetpack {package}; L4T R{l4t})"
    major = MAJOR.get(l4t.split(".")[0])
    return f"unknown JetPack {major} (L4T R{l4t})" if major else f"unknown JetPack (L4T R{l4t})"


def _package(root: Path, package: str) -> str | None:
    """The installed version of a Debian package, from dpkg's own file."""
    status = text(root / "var" / "lib" / "dpkg" / "status") or ""
    start = status.find(f"Package: {package}\n")
    if start < 0 or (start > 0 and status[start - 1] != "\n"):
        return None
    paragraph = status[start:].split("\n\n", 1)[0]
    version = re.search(r"^Version: (\S+)", paragraph, re.MULTILINE)
    installed = re.search(r"^Status: \S+ \S+ installed$", paragraph, re.MULTILINE)
    return version[1] if version and installed else None


def power_mode(root: Path, run: Runner) -> dict[str, Any]:
    """``id`` and ``name`` of nvpmodel's mode, ``modes`` (every name by id) and ``maximum`` (the id
    of the fastest); empty where there is no nvpmodel.

    The same id means another mode on another board: on an Orin Nano Super 0 is 15W and 2 is
    MAXN_SUPER, on an AGX Orin 0 is MAXN. So a mode is known by its name.
    """
    listing = text(root / "etc" / "nvpmodel.conf") or ""
    modes = {int(found[1]): found[2] for found in _MODEL.finditer(listing)}
    facts: dict[str, Any] = {}
    stored = re.search(r"pmode:(\d+)", text(root / "var" / "lib" / "nvpmodel" / "status") or "")
    if stored:
        facts["id"] = int(stored[1])
        if facts["id"] in modes:
            facts["name"] = modes[facts["id"]]
    if "name" not in facts:
        facts.update(_asked(run(["nvpmodel", "-q"]) or ""))
    if modes:
        facts["modes"] = modes
        facts["maximum"] = fastest(modes)
    return facts


def _asked(printed: str) -> dict[str, Any]:
    """nvpmodel -q prints "NV Power Mode: MAXN_SUPER" and the id on the next line."""
    name = re.search(r"^NV Power Mode: *(\S+)", printed, re.MULTILINE)
    mode = re.search(r"^(\d+)\s*$", printed, re.MULTILINE)
    return {**({"id": int(mode[1])} if mode else {}), **({"name": name[1]} if name else {})}


def fastest(modes: dict[int, str]) -> int:
    """The id of MAXN_SUPER, else of MAXN, else of the mode with the most watts in its name.

    >>> fastest({0: "15W", 1: "25W", 2: "MAXN_SUPER", 3: "7W"})
    2
    """

    def rank(mode: int) -> tuple[int, int]:
        watts = re.match(r"(\d+)W", modes[mode])
        named = {"MAXN_SUPER": 2, "MAXN": 1}.get(modes[mode], 0)
        return named, int(watts[1]) if watts else 0

    return max(sorted(modes), key=rank)


def gpu_clocks(root: Path) -> dict[str, dict[str, Any]]:
    """Governor and MHz of every integrated GPU that scales its clock, by the device's name."""
    found = {}
    for folder in sorted((root / "sys" / "class" / "devfreq").glob("*")):
        if "gpu" in folder.name or "ga10b" in folder.name:
            facts = devfreq(folder)
            if facts:
                found[folder.name] = facts
    return found


def devfreq(folder: Path) -> dict[str, Any]:
    """``governor``, ``mhz``, ``minimum_mhz`` and ``maximum_mhz`` of a device, where readable."""
    facts: dict[str, Any] = {}
    governor = text(folder / "governor")
    if governor:
        facts["governor"] = governor
    for key, file in (("mhz", "cur"), ("minimum_mhz", "min"), ("maximum_mhz", "max")):
        hertz = number(folder / f"{file}_freq")
        if hertz is not None:
            facts[key] = round(hertz / 1e6)
    return facts


def memory_clock(root: Path) -> dict[str, Any]:
    """The clock of the memory controller (EMC); most releases show it to root alone."""
    manager = devfreq(root / "sys" / "class" / "devfreq" / "bwmgr")
    if manager:
        return manager
    hertz = number(root / "sys" / "kernel" / "debug" / "bpmp" / "debug" / "clk" / "emc" / "rate")
    return {} if hertz is None else {"mhz": round(hertz / 1e6)}
