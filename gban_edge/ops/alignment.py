"""Bidirectional alignment of speech and words, pooled: eqs. 9-14 of the paper and their means.

With A = tanh(S T^t) [K, L] and E = exp(A):

    w_s[k] = 1/L sum_j E[k,j] / sum_k' E[k',j]     a_s = sum_k w_s[k] s_k
    w_t[j] = 1/K sum_k E[k,j] / sum_j' E[k,j']     a_t = sum_j w_t[j] t_j

This is the paper's mean over j of softmax-weighted sums (a mean is linear, so it moves inside),
with one score matrix for both directions. tanh bounds A to [-1, 1], so exp needs no maximum.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor


class AlignPoolOutput(NamedTuple):
    """a_s and a_t, [B, D] each; their weights [B, K] and [B, L], or None unless asked for."""

    speech: Any
    text: Any
    speech_weights: Any
    text_weights: Any


def align_pool(
    speech: Any,
    text: Any,
    speech_lengths: Any = None,
    text_lengths: Any = None,
    return_weights: bool = False,
) -> AlignPoolOutput:
    """Align speech with words in both directions and pool.

    Args:
        speech: states [B, K, D], floating point; a NumPy array or a torch tensor.
        text: states [B, L, D], of the same kind, type and device.
        speech_lengths: true lengths [B], integers in 1..K, or None for K everywhere.
        text_lengths: true lengths [B], integers in 1..L, or None for L everywhere.
        return_weights: also return the pooled weights, zero beyond the true lengths.

    Returns:
        NumPy arrays for NumPy arrays (computed by the native core, no torch needed); torch
        tensors for tensors, differentiable. What lies beyond a true length has no influence.

    Raises:
        ValueError: a shape, number type, device or length is wrong; the message names it.
        RuntimeError: NumPy arrays were given and the native core is not built.
    """
    _check_states(speech, text)
    if isinstance(speech, np.ndarray):
        lengths = [
            _numpy_lengths(name, values, speech.shape[0], states.shape[1])
            for name, values, states in (
                ("speech_lengths", speech_lengths, speech),
                ("text_lengths", text_lengths, text),
            )
        ]
        a_s, a_t, w_s, w_t = _core().align_pool(
            np.ascontiguousarray(speech), np.ascontiguousarray(text), *lengths
        )
        return AlignPoolOutput(
            a_s, a_t, w_s if return_weights else None, w_t if return_weights else None
        )
    return align_pool_ref(speech, text, speech_lengths, text_lengths, return_weights)


def align_pool_ref(
    speech: Tensor,
    text: Tensor,
    speech_lengths: Tensor | None = None,
    text_lengths: Tensor | None = None,
    return_weights: bool = False,
) -> AlignPoolOutput:
    """:func:`align_pool` in plain PyTorch, for reading, training and tests; same arguments."""
    import torch

    _check_states(speech, text)
    batch, steps, _ = speech.shape
    words = text.shape[1]
    in_speech = _inside("speech_lengths", speech_lengths, batch, steps, speech.device)
    in_text = _inside("text_lengths", text_lengths, batch, words, speech.device)
    # Zeroed first: whatever stands in the padding, NaN included, must not reach a product.
    speech = speech.masked_fill(~in_speech[:, :, None], 0.0)
    text = text.masked_fill(~in_text[:, :, None], 0.0)

    inside = in_speech[:, :, None] & in_text[:, None, :]
    scores = torch.exp(torch.tanh(speech @ text.transpose(1, 2))) * inside  # E [B, K, L]
    over_speech = scores.sum(dim=1).masked_fill(~in_text, 1.0)  # [B, L]
    over_text = scores.sum(dim=2).masked_fill(~in_speech, 1.0)  # [B, K]
    count_text = in_text.sum(dim=1, keepdim=True)
    count_speech = in_speech.sum(dim=1, keepdim=True)
    speech_weights = (scores / over_speech[:, None, :]).sum(dim=2) / count_text
    text_weights = (scores / over_text[:, :, None]).sum(dim=1) / count_speech
    return AlignPoolOutput(
        (speech_weights[:, None, :] @ speech).squeeze(1),
        (text_weights[:, None, :] @ text).squeeze(1),
        speech_weights if return_weights else None,
        text_weights if return_weights else None,
    )


def _inside(name: str, lengths: Any, batch: int, limit: int, device: Any) -> Tensor:
    """bool [B, limit], true at the steps that exist."""
    import torch

    if lengths is None:
        return torch.ones(batch, limit, dtype=torch.bool, device=device)
    lengths = torch.as_tensor(lengths, device=device)
    if lengths.is_floating_point() or tuple(lengths.shape) != (batch,):
        raise ValueError(
            f"{name} must be integers with shape [{batch}], got {lengths.dtype} "
            f"with shape {list(lengths.shape)}"
        )
    if batch and not bool(((lengths >= 1) & (lengths <= limit)).all()):
        raise ValueError(f"{name} must lie in 1..{limit}, got {lengths.tolist()}")
    return torch.arange(limit, device=device) < lengths[:, None]


def _numpy_lengths(name: str, lengths: Any, batch: int, limit: int) -> np.ndarray:
    if lengths is None:
        return np.full(batch, limit, np.int64)
    lengths = np.asarray(lengths)
    if lengths.dtype.kind not in "iu" or lengths.shape != (batch,):
        raise ValueError(
            f"{name} must be integers with shape [{batch}], got {lengths.dtype} "
            f"with shape {list(lengths.shape)}"
        )
    if batch and not ((lengths >= 1) & (lengths <= limit)).all():
        raise ValueError(f"{name} must lie in 1..{limit}, got {lengths.tolist()}")
    return np.ascontiguousarray(lengths, dtype=np.int64)


def _check_states(speech: Any, text: Any) -> None:
    for name, states, letters in (("speech", speech, "[B, K, D]"), ("text", text, "[B, L, D]")):
        if not hasattr(states, "shape") or not hasattr(states, "dtype"):
            raise ValueError(
                f"{name} must be a NumPy array or a torch tensor, got {type(states).__name__}"
            )
        if len(states.shape) != 3:
            raise ValueError(f"{name} must have shape {letters}, got {list(states.shape)}")
    if isinstance(speech, np.ndarray) != isinstance(text, np.ndarray):
        raise ValueError("speech and text must both be NumPy arrays or both torch tensors")
    if speech.dtype != text.dtype:
        raise ValueError(
            f"speech and text must have one number type, got {speech.dtype}, {text.dtype}"
        )
    if isinstance(speech, np.ndarray) and speech.dtype not in (np.float32, np.float64):
        raise ValueError(f"speech must be float32 or float64, got {speech.dtype}")
    if getattr(speech, "device", None) != getattr(text, "device", None):
        raise ValueError(
            f"speech and text must be on one device, got {speech.device}, {text.device}"
        )
    if speech.shape[0] != text.shape[0] or speech.shape[2] != text.shape[2]:
        raise ValueError(
            "speech [B, K, D] and text [B, L, D] must agree in B and D, "
            f"got {list(speech.shape)} and {list(text.shape)}"
        )
    for name, states in (("speech", speech), ("text", text)):
        if states.shape[0] and (states.shape[1] == 0 or states.shape[2] == 0):
            raise ValueError(f"{name} must have at least one step, got {list(states.shape)}")


def _core() -> ModuleType:
    try:
        return import_module("gban_edge._core")
    except ImportError as error:
        raise RuntimeError(
            f"the native core is not built ({error}); install the package with a C++17 compiler: "
            "pip install ."
        ) from error
