"""Checks of true lengths, the same for NumPy arrays and torch tensors."""

from __future__ import annotations

from typing import Any


def check_lengths(name: str, lengths: Any, batch: int, not_integers: bool) -> None:
    if not_integers or tuple(lengths.shape) != (batch,):
        raise ValueError(
            f"{name} must be integers with shape [{batch}], got {lengths.dtype} "
            f"with shape {list(lengths.shape)}"
        )


def check_range(name: str, lengths: Any, limit: int) -> None:
    if len(lengths) and not (int(lengths.min()) >= 1 and int(lengths.max()) <= limit):
        at, value = next((i, n) for i, n in enumerate(lengths.tolist()) if not 1 <= n <= limit)
        raise ValueError(f"{name} must lie in 1..{limit}, got {value} at index {at}")
