"""gban-edge: the emotion in one spoken utterance, from its sound and its words, on the device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gban_edge.runtime import EmotionRecognizer

__version__ = "0.1.0"
__all__ = ["EmotionRecognizer", "__version__"]


if not TYPE_CHECKING:  # or a checker would take every misspelt name for something

    def __getattr__(name: str) -> Any:
        """The recogniser on first use, so that ``import gban_edge`` loads nothing else."""
        if name == "EmotionRecognizer":
            from gban_edge.runtime import EmotionRecognizer

            return EmotionRecognizer
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
