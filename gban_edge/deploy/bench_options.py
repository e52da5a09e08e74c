"""What is measured: the options of a benchmark, checked."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from gban_edge.features import MAX_SECONDS
from gban_edge.runtime.backend import PRECISIONS, WAITS
from gban_edge.runtime.words import MAX_WORDS

INPUTS = ("pcm", "features")


@dataclass(frozen=True)
class BenchOptions:
    """A benchmark: what is loaded, what it hears, and for how long.

    Attributes:
        model: the model file, or a folder with one.
        backend, precision, threads, device: as ``EmotionRecognizer.from_pretrained`` has them.
        wait: how a call waits for a GPU: "spin" or "block".
        seconds: the least and the greatest length of an utterance, at most 7.5.
        words: the least and the greatest number of its words, 0 to 512.
        source: "pcm": from sound and text in host memory; "features": from features and word ids.
        warmup: seconds of calls before the measured ones.
        duration: seconds of measured calls; 600 for a figure that is published.
        idle: seconds over which idle power is measured; None: 10 where there is a meter.
        cold_starts: how many fresh processes are started; 0 for none.
        seed: of the utterances.
        reference: a .safetensors file whose answers on the CPU are the right ones; None: the model
            itself where it is such a file.

    Raises:
        ValueError: a value out of range; names it.
    """

    model: Path
    backend: str = "auto"
    precision: str | None = None
    threads: int = 1
    device: int = 0
    wait: str = "spin"
    seconds: tuple[float, float] = (7.5, 7.5)
    words: tuple[int, int] = (20, 20)
    source: str = "pcm"
    warmup: float = 5.0
    duration: float = 60.0
    idle: float | None = None
    cold_starts: int = 3
    seed: int = 0
    reference: Path | None = None

    def __post_init__(self) -> None:
        _one_of("input", self.source, INPUTS)
        _one_of("wait", self.wait, WAITS)
        if self.precision is not None:
            _one_of("precision", self.precision, PRECISIONS)
        if not 0.0 < self.seconds[0] <= self.seconds[1] <= MAX_SECONDS:
            raise ValueError(
                f"seconds must be more than 0 and at most {MAX_SECONDS}, the lesser first, "
                f"got {_range_text(self.seconds)}"
            )
        if not 0 <= self.words[0] <= self.words[1] <= MAX_WORDS:
            raise ValueError(
                f"words must lie in 0..{MAX_WORDS}, the lesser first, got {_range_text(self.words)}"
            )
        if not 0.0 < self.duration < float("inf"):
            raise ValueError(f"duration must be more than 0 seconds, got {self.duration:g}")
        for name in ("warmup", "idle", "cold_starts", "seed"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < float("inf"):
                raise ValueError(f"{name} must be at least 0, got {value:g}")

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        for name in ("model", "reference"):
            values[name] = None if values[name] is None else str(values[name])
        for name in ("seconds", "words"):
            values[name] = list(values[name])
        return values

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> BenchOptions:
        """What :meth:`to_dict` wrote."""
        reference = values["reference"]
        return cls(
            **{
                **values,
                "model": Path(values["model"]),
                "reference": None if reference is None else Path(reference),
                "seconds": tuple(values["seconds"]),
                "words": tuple(values["words"]),
            }
        )


def parse_seconds(text: str) -> tuple[float, float]:
    """ "7.5" or "0.5-7.5", seconds.

    >>> parse_seconds("0.5-7.5"), parse_seconds("2")
    ((0.5, 7.5), (2.0, 2.0))
    """
    try:
        numbers = [float(part) for part in text.split("-")]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 2):
        raise ValueError(f"seconds must be like 7.5 or 0.5-7.5, got {text!r}")
    return numbers[0], numbers[-1]


def parse_words(text: str) -> tuple[int, int]:
    """ "20" or "1-20", words.

    >>> parse_words("1-20")
    (1, 20)
    """
    try:
        numbers = [int(part) for part in text.split("-")]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 2):
        raise ValueError(f"words must be like 20 or 1-20, got {text!r}")
    return numbers[0], numbers[-1]


def _range_text(pair: tuple[float, float]) -> str:
    return f"{pair[0]:g}" if pair[0] == pair[1] else f"{pair[0]:g}-{pair[1]:g}"


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {value!r}")
