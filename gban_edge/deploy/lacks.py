"""What a Jetson lacks for gban-edge, each with its cure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gban_edge.deploy.tensorrt_known import ORIN, THOR, numbers, refusal

Facts = Mapping[str, Any]

# The system's Python, for which JetPack has TensorRT's module, by the first number of L4T.
_PYTHON = {36: "3.10", 38: "3.12", 39: "3.12"}
_OLDEST = (36, 4)
_OLDEST_PYTHON = (3, 10)


def lacks(facts: Facts) -> list[str]:
    """One sentence for each thing that is missing, unsupported, or slower than it need be.

    Args:
        facts: :func:`board.facts`, with :func:`software.facts` under ``software``, the path of the
            plugin library or None under ``plugins``, and what is wrong with the board's own power
            rails, or nothing, under ``rails_missing``.

    Returns:
        nothing for a machine that is no Jetson.
    """
    if not facts.get("jetson"):
        return []
    checks = (
        _jetpack, _python, _tensorrt, _combination, _nvcc, _headers, _rails, _mode, _clocks,
    )  # fmt: skip
    return [sentence for check in checks if (sentence := check(facts))]


def _jetpack(facts: Facts) -> str | None:
    l4t = numbers(facts.get("l4t"))
    if not l4t:
        return (
            "the release of Jetson Linux is not known: there is no /etc/nv_tegra_release; a "
            "container needs it mounted (-v /etc/nv_tegra_release:/etc/nv_tegra_release:ro)"
        )
    if l4t[:2] >= _OLDEST:
        return None
    return (
        f"{facts.get('jetpack', 'this JetPack')} is not supported: its TensorRT is older than 10, "
        "which has no plugins of the kind used here; install JetPack 6.2 or 7.2"
    )


def _python(facts: Facts) -> str | None:
    python = facts.get("python")
    if not python or numbers(python)[:2] >= _OLDEST_PYTHON:
        return None
    return f"Python {python} is too old: gban-edge needs 3.10 or later, which JetPack 6 has"


def _tensorrt(facts: Facts) -> str | None:
    software = facts.get("software", {})
    found = software.get("tensorrt", {})
    if found.get("module") == "tensorrt":
        number = numbers(found.get("version"))
        if number and number < (10,):
            return f"TensorRT {found['version']} is older than 10: install JetPack 6.2 or 7.2"
        return None
    rtx = "tensorrt_rtx runs on no Jetson, and " if found else ""
    l4t = numbers(facts.get("l4t"))
    system = _PYTHON.get(l4t[0]) if l4t else None
    python = ".".join(str(part) for part in numbers(facts.get("python"))[:2])
    if "system_tensorrt" not in software:
        cure = (
            "sudo apt install nvidia-jetpack (or python3-libnvinfer alone), and make a virtual "
            "environment with --system-site-packages"
        )
    elif system and python and python != system:
        cure = f"it is installed for Python {system}, and this is {python}: use python{system}"
    else:
        cure = (
            f"it is in {software['system_tensorrt']}, which this environment does not see: make "
            "it anew with python3 -m venv --system-site-packages"
        )
    return f"{rtx}TensorRT is missing: {cure}"


def _combination(facts: Facts) -> str | None:
    """A TensorRT that is known not to work here (deploy/tensorrt_known.py)."""
    software = facts.get("software", {})
    found = software.get("tensorrt", {})
    if found.get("module") != "tensorrt" or numbers(found.get("version"))[:1] < (10,):
        return None  # told by _tensorrt
    chips = {"tegra234": ORIN, "tegra264": THOR}
    capability = next(
        (c for chip, c in chips.items() for name in facts.get("compatible", []) if chip in name), ""
    )
    return refusal(
        "tensorrt", found["version"], software.get("cuda"), capability, "plain", False,
        facts.get("jetpack"),
    )  # fmt: skip


def _nvcc(facts: Facts) -> str | None:
    if "nvcc" in facts.get("software", {}):
        return None
    return (
        "nvcc is missing, which building the kernels and the plugins needs: sudo apt install "
        "nvidia-jetpack, then put /usr/local/cuda/bin on the PATH"
    )


def _headers(facts: Facts) -> str | None:
    if facts.get("plugins") or "headers" in facts.get("software", {}):
        return None
    return "TensorRT's headers are missing, which the plugins need: sudo apt install libnvinfer-dev"


def _rails(facts: Facts) -> str | None:
    reason = facts.get("rails_missing")
    return f"the power rails cannot be read from files: {reason}" if reason else None


def _mode(facts: Facts) -> str | None:
    mode = facts.get("power_mode", {})
    if not {"id", "maximum", "modes"} <= mode.keys() or mode["id"] == mode["maximum"]:
        return None
    name = mode.get("name", f"number {mode['id']}")
    fastest = mode["modes"][mode["maximum"]]
    return (
        f"the power mode is {name}, not the fastest of this board; for benchmarks: "
        f"sudo nvpmodel -m {mode['maximum']} ({fastest}), sudo jetson_clocks"
    )


def _clocks(facts: Facts) -> str | None:
    clocks = facts.get("gpu_clocks", {})
    free = [
        f"{name} moves between {found['minimum_mhz']} and {found['maximum_mhz']} MHz"
        for name, found in clocks.items()
        if found.get("minimum_mhz", 0) < found.get("maximum_mhz", 0)
    ]
    if not free:
        return None
    return f"the clocks are not held ({'; '.join(free)}); for benchmarks: sudo jetson_clocks"
