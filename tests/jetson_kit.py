"""What the tests of deploy/jetson share."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

from helpers import ROOT

KIT = ROOT / "deploy" / "jetson"
TRTEXEC_PAGE = ROOT / "docs" / "jetson-trtexec.md"
DOCUMENTS = (KIT / "README.md", KIT / "docs.md", *sorted((ROOT / "docs").glob("jetson*.md")))


def blocks(text: str) -> list[str]:
    """The shell commands in a document."""
    return re.findall(r"```sh\n(.*?)```", text, re.DOTALL)


def all_shell() -> str:
    """Everything here that a shell runs."""
    files: list[Path] = [KIT / "build.sh", KIT / "pack.sh", KIT / "Dockerfile"]
    documents = [block for path in DOCUMENTS for block in blocks(path.read_text())]
    return "\n".join([path.read_text() for path in files] + documents)


def program(name: str) -> ModuleType:
    """A program of the kit as a module."""
    spec = importlib.util.spec_from_file_location(f"jetson_{name}", KIT / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded
