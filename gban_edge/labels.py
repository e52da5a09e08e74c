"""The emotion classes, in the one order that every model file, table and runtime uses."""

from __future__ import annotations

LABELS: tuple[str, ...] = ("ang", "hap", "neu", "sad")
"""IEMOCAP's codes of the paper's four classes, in the order of the network's outputs."""

FULL_NAMES: dict[str, str] = {"ang": "angry", "hap": "happy", "neu": "neutral", "sad": "sad"}
"""What people are shown for each code."""
