"""A server process for tests: ``python tests/serve_program.py MODEL FOLDER OPTIONS``.

OPTIONS are ServeOptions' and Limits' values as JSON; words is "pocketsphinx", or "stuck" for a
source that never answers; with "broken" the network fails at once. A request whose words have
"hold" is computed once FOLDER/go exists, each having made a file FOLDER/held-N; with "break" the
network fails.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from gban_edge import EmotionRecognizer
from gban_edge.serve import Limits, ServeOptions, run


class Directed(EmotionRecognizer):
    """A real recogniser that waits or fails on demand."""

    folder: Path
    count = itertools.count()

    broken = False

    def __call__(self, sound: Any, words: Any = "", sample_rate: int | None = None) -> Any:
        if self.broken or "break" in words:
            raise RuntimeError("the device is gone")
        if "bug" in words:
            raise KeyError(words)
        if "hold" in words:
            hold()
        return super().__call__(sound, words, sample_rate)


def hold(*_: Any) -> str:
    """Until FOLDER/go exists."""
    (Directed.folder / f"held-{next(Directed.count)}").touch()
    while not (Directed.folder / "go").exists():
        time.sleep(0.005)
    return ""


def source(name: str | None) -> Any:
    """What hears words."""
    if name == "pocketsphinx":
        from gban_edge.words import pocketsphinx

        return pocketsphinx()
    return None if name is None else hold


def main() -> None:
    model, folder, options = sys.argv[1:]
    values = json.loads(options)
    Directed.folder = Path(folder)
    limits = Limits(**values.pop("limits", {}))
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    Directed.broken = values.pop("broken", False)
    values["words"] = source(values.get("words"))
    recognizer = Directed.from_pretrained(model, "cpu")
    run(
        recognizer,
        ServeOptions(**{"port": 0, **values}, limits=limits),
        lambda address: print(address, flush=True),
    )


if __name__ == "__main__":
    main()
