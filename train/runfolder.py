"""The run folder: who may write to it, what it was started with, what a kill left behind."""

from __future__ import annotations

import fcntl
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from gban_edge.files import write_json


@contextmanager
def locked(path: Path, what: str, wait: float) -> Iterator[None]:
    """Hold the lock file at ``path``; it is free again the moment its holder ends, killed or not.

    Raises:
        RuntimeError: another process still holds it after ``wait`` seconds.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        deadline = time.monotonic() + wait
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise RuntimeError(
                        f"another process is working on {what} ({path} is locked); wait for it "
                        "or end it"
                    ) from None
                time.sleep(0.1)
        yield


def choose(out: Path | None, resume: bool, runs: Path = Path("runs")) -> Path:
    """The folder of this run: ``out``; else the newest below ``runs`` to resume; else a new one.

    Raises:
        FileExistsError: ``out`` holds a run already and it is not to be resumed.
        FileNotFoundError: there is nothing to resume, and no ``out``.
    """
    if out is None and resume:
        found = sorted(runs.glob("*/settings.json"), key=lambda p: p.stat().st_mtime)
        if not found:
            raise FileNotFoundError(f"no run to resume below {runs}/; name one with --out")
        return found[-1].parent
    if out is None:
        return runs / datetime.now().strftime("%Y%m%d-%H%M%S")
    if out.exists() and not out.is_dir():
        raise FileExistsError(f"{out} is a file; give --out a folder")
    if (out / "settings.json").exists() and not resume:
        raise FileExistsError(
            f"{out} already holds a run; --resume continues it, --out names another folder"
        )
    if resume and not (out / "settings.json").exists():  # killed before it wrote, or mistyped
        print(f"{out} holds no run to resume: a new one begins", file=sys.stderr)
    return out


def open_run(folder: Path, settings: dict[str, Any]) -> None:
    """Store the settings of a new run, or check that a resumed one has the same.

    Raises:
        ValueError: the folder's run was started with other settings; they are listed.
    """
    path = folder / "settings.json"
    remove_leftovers(folder)
    if not path.is_file():
        write_json(path, settings)
        return
    try:
        stored = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: not the settings of a run ({error})") from error
    now = json.loads(json.dumps(settings))
    # Notes are words for people: they may name a path, and a corpus may move.
    keys = (stored.keys() | now.keys()) - {"notes"}
    different = sorted(k for k in keys if stored.get(k) != now.get(k))
    if different:
        listed = "; ".join(f"{k} was {stored.get(k)}, now {now.get(k)}" for k in different)
        raise ValueError(
            f"{folder} was started with other settings ({listed}); resume with its own"
        )


def remove_leftovers(folder: Path) -> None:
    """Remove what a killed process left: half-written files, checkpoints of finished tasks."""
    for result in folder.glob("tasks/*/result.json"):
        (result.parent / "checkpoint.pt").unlink(missing_ok=True)
    for part in folder.rglob(".*.part"):
        if part.is_file():
            part.unlink(missing_ok=True)
