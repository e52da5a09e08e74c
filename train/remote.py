"""What runs on a node of a cluster: first the check that it is like the driver, then one task.

Only the standard library is imported before that check, so that a node that lacks something, or has
another version of it, says so instead of failing at an import.
"""

from __future__ import annotations

import hashlib
import pickle
import platform
import socket
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

Row = dict[str, Any]


class Mailbox:
    """What tasks report on their way: where they begin, and then a row an epoch.

    An actor on the driver's own node, so that no worker waits for the driver or is held up by it.
    """

    def __init__(self) -> None:
        self._rows: list[tuple[int, Row]] = []

    def put(self, task: int, row: Row) -> None:
        self._rows.append((task, row))

    def take(self) -> list[tuple[int, Row]]:
        """Everything that came since the last call."""
        rows, self._rows = self._rows, []
        return rows


def versions() -> dict[str, str]:
    """What has to be equal on two machines for their results to be."""
    found = {"Python": platform.python_version()}
    for name in ("numpy", "torch"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    try:
        import gban_edge
    except ImportError:
        return {**found, "gban_edge": "not installed"}
    folder = Path(gban_edge.__file__).parent
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        total.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    digest = total.hexdigest()[:8]
    return {**found, "gban_edge": f"{gban_edge.__version__} (sources {digest})"}


def check_versions(driver: dict[str, str]) -> None:
    """Raises RuntimeError where this node differs from what :func:`versions` said of the driver."""
    here = versions()
    different = [name for name in driver if here[name] != driver[name]]
    if different:
        listed = "; ".join(f"{n} {here[n]}, not {driver[n]}" for n in different)
        raise RuntimeError(
            f"node {socket.gethostname()} ({sys.executable}) has other software than the machine "
            f"that started the run: {listed}; install the same on every node"
        )


def work(
    driver: dict[str, str], grid: tuple[bytes, dict, dict], task: bytes, number: int, mailbox: Any
) -> dict[str, bytes]:
    """Do a task in a temporary folder of this node; returns the files that it left, by name.

    Args:
        driver: :func:`versions` of the driver.
        grid: the pickled ``Shared``, features by utterance, word vectors; read, never copied.
        task: the pickled ``Task``.
        number: its number in the mailbox.
    """
    check_versions(driver)
    import torch

    from train.tasks import Inputs, do

    torch.set_num_threads(1)
    mailbox.put.remote(number, {"node": socket.gethostname()})
    shared, frames, vectors = grid
    with tempfile.TemporaryDirectory(prefix="gban-task-") as folder:
        do(
            pickle.loads(shared), pickle.loads(task), Path(folder), Inputs(frames, vectors),
            lambda row: mailbox.put.remote(number, row),
        )  # fmt: skip
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}
