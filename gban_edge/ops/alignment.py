"""Bidirectional alignment of speech and words, pooled: eqs. 9-14 of the paper and their means.

With A = tanh(S T^t) [K, L] and E = exp(A):

    w_s[k] = 1/L sum_j E[k,j] / sum_k' E[k',j]     a_s = sum_k w_s[k] s_k
    w_t[j] = 1/K sum_k E[k,j] / sum_j' E[k,j']     a_t = sum_j w_t[j] t_j

This is the paper's mean over j of softmax-weighted sums (a mean is linear, so it moves inside),
with one score matrix for both directions. tanh bounds A to [-1, 1], so exp needs no maximum.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gban_edge.core import native, processors
from gban_edge.ops.lengths import check_lengths, check_range

if TYPE_CHECKING:
    from torch import Tensor


class AlignPoolOutput(NamedTuple):
    """What :func:`align_pool` returns; None stands for what was not asked for.

    Attributes:
        speech, text: a_s and a_t, [B, D] each.
        speech_weights, text_weights: w_s [B, K] and w_t [B, L]; each row sums to 1 over the true
            length and is zero beyond it.
        alpha: [B, L, K], for every word the weights of the speech steps (eq. 10).
        beta: [B, K, L], for every speech step the weights of the words (eq. 13).
    """

    speech: Any
    text: Any
    speech_weights: Any = None
    text_weights: Any = None
    alpha: Any = None
    beta: Any = None


def align_pool(
    speech: Any,
    text: Any,
    speech_lengths: Any = None,
    text_lengths: Any = None,
    return_weights: bool = False,
    return_maps: bool = False,
) -> AlignPoolOutput:
    """Align speech with words in both directions and pool.

    Args:
        speech: states [B, K, D], floating point; a NumPy array (float32, float64) or a torch
            tensor. Strides are free; a copy is made where the last dimension is not dense.
        text: states [B, L, D], of the same kind, type and device.
        speech_lengths: true lengths [B], integers in 1..K, or None for K everywhere.
        text_lengths: true lengths [B], integers in 1..L, or None for L everywhere.
        return_weights: also return the pooled weights, zero beyond the true lengths.
        return_maps: also return alpha and beta, for pictures: K x L numbers an utterance, twice,
            without gradients.

    Returns:
        NumPy arrays for NumPy arrays (no torch needed); torch tensors for tensors, of the same
        type, differentiable but for the maps. What lies beyond a true length has no influence.
        NaN in an utterance's states gives NaN in its outputs and in no other's.

    The native core computes float32 on the CPU, and float32, float16 and bfloat16 on a GPU where
    D is a multiple of 8 up to 1024. Other types, sizes and devices take the same formulas in plain
    PyTorch, as does a GPU where the core was built without CUDA (with a warning, once).

    Raises:
        ValueError: a shape, number type, device or length is wrong; the message names it. Lengths
            that are on a GPU are not looked at, which would make the host wait: one out of range
            gives NaN for its utterance.
        RuntimeError: NumPy arrays were given and the native core is not built.
    """
    _check_states(speech, text)
    if isinstance(speech, np.ndarray):
        out = _align_numpy(speech, text, speech_lengths, text_lengths, return_maps)
    elif _use_reference:
        return align_pool_ref(
            speech, text, speech_lengths, text_lengths, return_weights, return_maps
        )
    else:
        from gban_edge.ops import alignment_torch

        out = alignment_torch.align(speech, text, speech_lengths, text_lengths, return_maps)
    weights = out[2:4] if return_weights else (None, None)
    maps = out[4:6] if return_maps else (None, None)
    return AlignPoolOutput(*out[:2], *weights, *maps)


_use_reference = False


@contextmanager
def reference(enabled: bool = True) -> Iterator[None]:
    """Within the block every op takes its plain PyTorch form; for comparing with the fast one."""
    global _use_reference
    before, _use_reference = _use_reference, enabled
    try:
        yield
    finally:
        _use_reference = before


def align_pool_ref(
    speech: Tensor,
    text: Tensor,
    speech_lengths: Tensor | None = None,
    text_lengths: Tensor | None = None,
    return_weights: bool = False,
    return_maps: bool = False,
) -> AlignPoolOutput:
    """:func:`align_pool` in plain PyTorch, for reading and for tests; same arguments."""
    import torch

    _check_states(speech, text)
    in_speech = _inside("speech_lengths", speech_lengths, speech)
    in_text = _inside("text_lengths", text_lengths, text)
    # Zeroed first: whatever stands in the padding, NaN included, must not reach a product.
    speech = speech.masked_fill(~in_speech[:, :, None], 0.0)
    text = text.masked_fill(~in_text[:, :, None], 0.0)

    inside = in_speech[:, :, None] & in_text[:, None, :]
    scores = torch.exp(torch.tanh(speech @ text.transpose(1, 2))) * inside  # E [B, K, L]
    over_speech = scores.sum(dim=1).masked_fill(~in_text, 1.0)  # [B, L]
    over_text = scores.sum(dim=2).masked_fill(~in_speech, 1.0)  # [B, K]
    alpha = scores / over_speech[:, None, :]  # [B, K, L]
    beta = scores / over_text[:, :, None]
    speech_weights = alpha.sum(dim=2) / in_text.sum(dim=1, keepdim=True)
    text_weights = beta.sum(dim=1) / in_speech.sum(dim=1, keepdim=True)
    return AlignPoolOutput(
        (speech_weights[:, None, :] @ speech).squeeze(1),
        (text_weights[:, None, :] @ text).squeeze(1),
        speech_weights if return_weights else None,
        text_weights if return_weights else None,
        alpha.transpose(1, 2).detach() if return_maps else None,
        beta.detach() if return_maps else None,
    )


def _inside(name: str, lengths: Any, states: Tensor) -> Tensor:
    """bool [B, limit], true at the steps that exist."""
    import torch

    batch, limit, _ = states.shape
    if lengths is None:
        return torch.ones(batch, limit, dtype=torch.bool, device=states.device)
    lengths = torch.as_tensor(lengths, device=states.device)
    check_lengths(name, lengths, batch, lengths.is_floating_point())
    check_range(name, lengths, limit)
    return torch.arange(limit, device=states.device) < lengths[:, None]


def _align_numpy(
    speech: np.ndarray, text: np.ndarray, speech_lengths: Any, text_lengths: Any, maps: bool
) -> tuple[Any, ...]:
    batch = speech.shape[0]
    out = native().align_pool_forward(
        speech,
        text,
        _numpy_lengths("speech_lengths", speech_lengths, batch),
        _numpy_lengths("text_lengths", text_lengths, batch),
        maps,
        processors() if batch > 1 else 1,
    )
    return out[:4] + out[6:]  # without the sums, which only a backward needs


def _numpy_lengths(name: str, lengths: Any, batch: int) -> np.ndarray | None:
    if lengths is None:
        return None
    lengths = np.asarray(lengths)
    check_lengths(name, lengths, batch, lengths.dtype.kind not in "iu")
    return lengths.astype(np.int64, copy=False)


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
    _check_types(speech, text)
    if speech.shape[0] != text.shape[0] or speech.shape[2] != text.shape[2]:
        raise ValueError(
            "speech [B, K, D] and text [B, L, D] must agree in B and D, "
            f"got {list(speech.shape)} and {list(text.shape)}"
        )
    for name, states in (("speech", speech), ("text", text)):
        if states.shape[0] and (states.shape[1] == 0 or states.shape[2] == 0):
            raise ValueError(f"{name} must have at least one step, got {list(states.shape)}")


def _check_types(speech: Any, text: Any) -> None:
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
