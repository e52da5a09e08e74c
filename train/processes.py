"""Worker processes that do not outlive the run that started them."""

from __future__ import annotations

import os
import threading
import time


def cores() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def end_with_parent(parent: int) -> None:
    """End this process soon after ``parent`` does, however that ended.

    A worker whose run was killed must not go on writing into a folder that a resumed run uses.
    """
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.2)
    os._exit(1)
