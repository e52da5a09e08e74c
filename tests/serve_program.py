"""A server process for tests: ``python tests/serve_program.py MODEL FOLDER OPTIONS``.

OPTIONS are ServeOptions' and Limits' values as JSON. A request whose words have "hold" is computed
once FOLDER/go exists, each having made a file FOLDER/held-N; with "break" the network fails.
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

    def __call__(self, sound: Any, words: Any = "", sample_rate: int | None = None) -> Any:
        if "break" in words:
            raise RuntimeError("the device is gone")
        if "bug" in words:
            raise KeyError(words)
        if "hold" in words:
            (self.folder / f"held-{next(self.count)}").touch()
            while not (self.folder / "go").exists():
                time.sleep(0.005)
        return super().__call__(sound, words, sample_rate)


def main() -> None:
    model, folder, options = sys.argv[1:]
    values = json.loads(options)
    Directed.folder = Path(folder)
    limits = Limits(**values.pop("limits", {}))
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    files = {k: Path(values[k]) for k in ("certificate", "key") if k in values}
    recognizer = Directed.from_pretrained(model, "cpu")
    run(
        recognizer,
        ServeOptions(**{"port": 0, **values, **files}, limits=limits),
        lambda address: print(address, flush=True),
    )


if __name__ == "__main__":
    main()
