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
from gban_edge.ops.checks import check_lengths, check_range, check_states

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
    options = return_weights, return_maps
    if isinstance(speech, np.ndarray) and isinstance(text, np.ndarray):
        return _align_numpy(speech, text, speech_lengths, text_lengths, *options)
    if _use_reference:
        return align_pool_ref(speech, text, speech_lengths, text_lengths, *options)
    if isinstance(speech, np.ndarray) or not hasattr(speech, "requires_grad"):
        check_states(speech, text)  # raises: one of the two is neither an array nor a tensor
    from gban_edge.ops import alignment_torch

    return alignment_torch.align(speech, text, speech_lengths, text_lengths, *options)


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

    check_states(speech, text)
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
    speech: np.ndarray,
    text: np.ndarray,
    speech_lengths: Any,
    text_lengths: Any,
    weights: bool,
    maps: bool,
) -> AlignPoolOutput:
    batch = len(speech) if speech.ndim else 0
    k, n = speech_lengths, text_lengths
    if k is not None:
        k = _numpy_lengths("speech_lengths", k, batch)
    if n is not None:
        n = _numpy_lengths("text_lengths", n, batch)
    threads = processors() if batch > 1 else 1
    try:
        out = native().align_pool_forward(speech, text, k, n, weights, maps, False, threads)
    except (TypeError, ValueError):  # the core's own words, unless there are better ones
        check_states(speech, text)
        raise
    return AlignPoolOutput(*out[:6])


def _numpy_lengths(name: str, lengths: Any, batch: int) -> np.ndarray:
    lengths = np.asarray(lengths)
    check_lengths(name, lengths, batch, lengths.dtype.kind not in "iu")
    return lengths.astype(np.int64, copy=False)
