"""What ``gban-edge info`` says about the machine and about deployment; quick, and never fails."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from gban_edge.deploy import board, plugin_library, power, power_rails, software
from gban_edge.deploy.board_files import SYSTEM, no_programs
from gban_edge.deploy.lacks import lacks

Row = tuple[str, str]

_NO_TENSORRT = (
    "not found; on a Jetson: sudo apt install nvidia-jetpack, and a virtual environment made with "
    "--system-site-packages; elsewhere: pip install tensorrt, or tensorrt-rtx"
)


def rows(root: Path = SYSTEM) -> list[Row]:
    """Name and value of every fact; no program is run and no large module imported."""
    found = _told(lambda: board.facts(root, no_programs), {})
    programs = _told(lambda: software.facts(root), {})
    plugins = _told(plugin_library.find, None)
    rows = [*_board(found), *_software(programs)]
    rows.append(("TensorRT plugins", _text(_plugins)))
    rows.append(("power meter", _text(lambda: power.summary(root))))
    if found.get("jetson"):
        missing = {"rails_missing": _rails_missing(root), "plugins": plugins}
        sentences = _told(lambda: lacks({**found, "software": programs, **missing}), [])
        rows += [("lacks", sentence) for sentence in sentences or ["nothing"]]
    return rows


def _told(ask: Callable[[], Any], otherwise: Any) -> Any:
    """``info`` is what one runs where something is wrong, so no file may make it fail."""
    try:
        return ask()
    except Exception:
        return otherwise


def _text(ask: Callable[[], str]) -> str:
    try:
        return ask()
    except Exception as error:
        return str(error)


def _board(found: dict[str, Any]) -> list[Row]:
    rows = [("board", found.get("board", "not a Jetson"))]
    if found.get("jetson"):
        rows.append(("JetPack", found.get("jetpack", "unknown: no /etc/nv_tegra_release")))
        mode = found.get("power_mode", {})
        named = mode.get("name", "unknown")
        rows.append(("power mode", f"{named} ({mode['id']})" if "id" in mode else named))
    return rows


def _software(programs: dict[str, Any]) -> list[Row]:
    onnxruntime = programs.get("onnxruntime", 'not found; pip install "gban-edge[onnx]"')
    tensorrt = programs.get("tensorrt")
    return [
        ("onnxruntime", onnxruntime),
        ("TensorRT", f"{tensorrt['module']} {tensorrt['version']}" if tensorrt else _NO_TENSORRT),
    ]


def _plugins() -> str:
    path = plugin_library.find()
    return str(path) if path else plugin_library.missing()


def _rails_missing(root: Path) -> str:
    try:
        power_rails.open_hwmon(root)
    except RuntimeError as error:
        return str(error)
    return ""
