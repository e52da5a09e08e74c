"""The built-in corpus: synthesised on first use, kept in the cache."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from train.runfolder import locked
from train.turns import VERSION


def default_cache() -> Path:
    """$XDG_CACHE_HOME/gban-edge, or ~/.cache/gban-edge."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "gban-edge"


def builtin_corpus(
    cache: Path, utterances: int | None = None, say: Callable[[str], None] = print, seed: int = 0
) -> Path:
    """The folder of the built-in corpus; two processes that both want it make it once."""
    from train.synthesise import UTTERANCES, synthesise  # here: most programs find it made

    utterances = utterances or UTTERANCES
    folder = cache / "corpora" / f"synthesised-v{VERSION}-n{utterances}-seed{seed}"
    with locked(cache / "corpora" / f"{folder.name}.lock", "the built-in corpus", wait=600.0):
        if not folder.is_dir():
            for part in folder.parent.glob(f".{folder.name}.*.part"):  # a killed attempt's
                shutil.rmtree(part, ignore_errors=True)
            say(f"synthesising {utterances} utterances into {folder} (once)")
            synthesise(folder, utterances, seed)
    return folder
