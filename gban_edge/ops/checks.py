"""Checks of states and true lengths, the same for NumPy arrays and torch tensors."""

from __future__ import annotations

from typing import Any

import numpy as np


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


def check_states(speech: Any, text: Any) -> None:
    for name, states, letters in (("speech", speech, "[B, K, D]"), ("text", text, "[B, L, D]")):
        if not hasattr(states, "shape") or not hasattr(states, "dtype"):
            raise ValueError(
                f"{name} must be a NumPy array or a torch tensor, got {type(states).__name__}"
            )
        if len(states.shape) != 3:
            raise ValueError(f"{name} must have shape {letters}, got {list(states.shape)}")
    if isinstance(speech, np.ndarray) != isinstance(text, np.ndarray):
        raise ValueError("speech and text must both be NumPy arrays or both torch tensors")
    check_types(speech, text)
    if speech.shape[0] != text.shape[0] or speech.shape[2] != text.shape[2]:
        raise ValueError(
            "speech [B, K, D] and text [B, L, D] must agree in B and D, "
            f"got {list(speech.shape)} and {list(text.shape)}"
        )
    for name, states in (("speech", speech), ("text", text)):
        if states.shape[0] and (states.shape[1] == 0 or states.shape[2] == 0):
            raise ValueError(f"{name} must have at least one step, got {list(states.shape)}")


def check_types(speech: Any, text: Any) -> None:
    if speech.dtype != text.dtype:
        raise ValueError(
            f"speech and text must have one number type, got {speech.dtype}, {text.dtype}"
        )
    if isinstance(speech, np.ndarray):
        if speech.dtype not in (np.float32, np.float64):
            raise ValueError(f"speech must be float32 or float64, got {speech.dtype}")
    elif not speech.dtype.is_floating_point:
        raise ValueError(f"speech must be floating point, got {speech.dtype}")
    elif speech.device != text.device:
        raise ValueError(
            f"speech and text must be on one device, got {speech.device}, {text.device}"
        )
