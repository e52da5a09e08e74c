"""The sizes of a network: one frozen, validated dataclass; the authors' sizes are the defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

# Above what any network has, so that a damaged model file cannot ask for the memory of one.
MOST_SIZE = 1 << 24
MOST_LAYERS = 16


@dataclass(frozen=True)
class GBANConfig:
    """Sizes of GBAN and of every system built on its encoders.

    Attributes:
        vocabulary: number of word ids, ``<pad>`` and ``<unk>`` included.
        classes: number of emotions, C.
        features: values a frame of the frontend.
        conv_filters: filters of each speech convolution; one [Conv1d, ReLU, MaxPool 2] an entry.
        conv_kernel: width of every speech convolution, in frames.
        embedding: width of a word vector.
        text_filters: filters of each of the parallel text convolutions.
        text_kernels: widths of the parallel text convolutions, in words.
        hidden: H, hidden units of a BiLSTM a direction; D = 2H.
        lstm_layers: BiLSTM layers of each encoder.
        fusion: width of h, the fused vector (eq. 21).
        classifier: width of g, the classifier's hidden layer (eq. 22).
        dropout: probability in the fusion layer and before the output layer.

    Raises:
        ValueError: a field is out of range (sizes at most MOST_SIZE, numbers of layers at most
            MOST_LAYERS); the message names it.
    """

    vocabulary: int
    classes: int = 4
    features: int = 52
    conv_filters: tuple[int, ...] = (12, 20, 28, 36)
    conv_kernel: int = 4
    embedding: int = 300
    text_filters: int = 128
    text_kernels: tuple[int, ...] = (2, 3, 4)
    hidden: int = 128
    lstm_layers: int = 1
    fusion: int = 128
    classifier: int = 128
    dropout: float = 0.5

    def __post_init__(self) -> None:
        for name in ("conv_filters", "text_kernels"):
            values = getattr(self, name)
            if not isinstance(values, (tuple, list)) or not values:
                raise ValueError(f"{name} must be a non-empty tuple of integers, got {values!r}")
            if len(values) > MOST_LAYERS:
                raise ValueError(
                    f"{name} must have at most {MOST_LAYERS} entries, got {len(values)}"
                )
            object.__setattr__(self, name, tuple(values))
            for value in values:
                _check_count(name, value)
        for field in fields(self):
            if field.name not in ("conv_filters", "text_kernels", "dropout"):
                _check_count(field.name, getattr(self, field.name))
        if self.vocabulary < 2:
            raise ValueError(f"vocabulary must be at least 2 (<pad>, <unk>), got {self.vocabulary}")
        if isinstance(self.dropout, bool) or not isinstance(self.dropout, (int, float)):
            raise ValueError(f"dropout must be a number, got {self.dropout!r}")
        if not 0.0 <= self.dropout < 1.0:
            raise ValueError(f"dropout must be in [0, 1), got {self.dropout}")

    @property
    def states(self) -> int:
        """D = 2H, the width of a BiLSTM state."""
        return 2 * self.hidden

    @property
    def receptive_field(self) -> int:
        """The fewest frames that give one speech step (61 at the authors' sizes)."""
        frames = 1
        for _ in self.conv_filters:
            frames = 2 * frames + self.conv_kernel - 1
        return frames

    def speech_steps(self, frames: int) -> int:
        """K of an utterance of ``frames`` frames (padded up to the receptive field)."""
        steps = max(frames, self.receptive_field)
        for _ in self.conv_filters:
            steps = (steps - self.conv_kernel + 1) // 2
        return steps

    def text_steps(self, words: int) -> int:
        """L of an utterance of ``words`` words (no words count as one)."""
        return (max(words, 1) + 1) // 2

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        values = asdict(self)
        return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> GBANConfig:
        """The inverse of :meth:`to_dict`; unknown and missing keys are errors that name them."""
        if not isinstance(values, Mapping):
            raise ValueError(f"config must be a mapping, got {type(values).__name__}")
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise ValueError(f"config has unknown fields {unknown}; known are {sorted(known)}")
        if "vocabulary" not in values:
            raise ValueError("config lacks the field 'vocabulary'")
        return cls(**values)


def _check_count(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name} must be an integer of at least 1, got {value!r}")
    most = MOST_LAYERS if name == "lstm_layers" else MOST_SIZE
    if value > most:
        raise ValueError(f"{name} must be at most {most}, got {value}")
