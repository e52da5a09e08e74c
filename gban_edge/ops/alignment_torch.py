"""align_pool for torch tensors: two custom ops around the native core, and their derivative.

``gban_edge::align_pool`` and ``gban_edge::align_pool_backward`` are opaque to torch.compile, which
neither breaks a graph at them nor looks inside. Where the core has no kernel for a type, size or
device they take the formulas below, which are also what gradcheck checks in float64.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gban_edge.core import native
from gban_edge.ops import alignment_cuda, alignment_formulas
from gban_edge.ops.alignment import AlignPoolOutput
from gban_edge.ops.checks import check_lengths, check_range, check_states

Tensors = tuple[Tensor, ...]
"""a_s [B, D], a_t [B, D], w_s [B, K], w_t [B, L], alpha [B, L, K], beta [B, K, L], r [B, K] and
c [B, L]; alpha and beta are empty unless asked for."""


FORWARD = (
    "(Tensor speech, Tensor text, Tensor? speech_lengths, Tensor? text_lengths, bool maps)"
    " -> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)"
)
BACKWARD = (
    "(Tensor speech, Tensor text, Tensor? speech_lengths, Tensor? text_lengths, Tensor r, Tensor c,"
    " Tensor d_a_s, Tensor d_a_t, Tensor? d_w_s, Tensor? d_w_t) -> (Tensor, Tensor)"
)


def align(
    speech: Tensor,
    text: Tensor,
    speech_lengths: Any,
    text_lengths: Any,
    weights: bool,
    maps: bool,
) -> AlignPoolOutput:
    """:func:`gban_edge.ops.align_pool` for tensors."""
    if not _plain(speech, text):
        check_states(speech, text)
        k = _lengths("speech_lengths", speech_lengths, speech)
        n = _lengths("text_lengths", text_lengths, text)
        return _chosen(align_pool_op(speech, text, k, n, maps), weights, maps)
    # Straight to the core: spares the dispatcher's tens of microseconds and, where all is well, the
    # checks' too.
    if not (_native_cpu(speech) and _native_cpu(text)):
        check_states(speech, text)
    try:
        k = _lengths("speech_lengths", speech_lengths, speech)
        n = _lengths("text_lengths", text_lengths, text)
        out = _forward(speech, text, k, n, maps, weights, sums=False)
    except (TypeError, ValueError, IndexError):
        check_states(speech, text)
        raise
    return _chosen(out, weights, maps)


def _chosen(out: tuple[Any, ...], weights: bool, maps: bool) -> AlignPoolOutput:
    a_s, a_t, w_s, w_t, alpha, beta, *_sums = out
    shares = (w_s, w_t) if weights else (None, None)
    return AlignPoolOutput(a_s, a_t, *shares, *((alpha, beta) if maps else (None, None)))


def _plain(speech: Tensor, text: Tensor) -> bool:
    """Whether nothing but the values is wanted: no gradient, no tracing, no tensor subclass."""
    return (
        not torch.compiler.is_compiling()
        and type(speech) is type(text) is Tensor
        and not (torch.is_grad_enabled() and (speech.requires_grad or text.requires_grad))
    )


def _lengths(name: str, lengths: Any, states: Tensor) -> Tensor | None:
    """int64 [B] on the states' device; looked at wherever that makes no GPU wait."""
    if lengths is None:
        return None
    lengths = torch.as_tensor(lengths)
    check_lengths(name, lengths, states.shape[0], lengths.is_floating_point())
    if lengths.device != states.device and not torch.compiler.is_compiling():
        check_range(name, lengths, states.shape[1])
    return lengths.to(states.device, torch.int64)


def _native_cpu(speech: Tensor) -> bool:
    return speech.device.type == "cpu" and speech.dtype == torch.float32


def _array(tensor: Tensor | None) -> Any:
    if tensor is None:
        return None
    return tensor.detach().numpy() if tensor.requires_grad else tensor.numpy()


def _forward(
    speech: Tensor,
    text: Tensor,
    k: Tensor | None,
    n: Tensor | None,
    maps: bool,
    weights: bool = True,
    sums: bool = True,
) -> tuple[Any, ...]:
    """``Tensors``, with None for what was not asked for and not computed."""
    if alignment_cuda.supports(speech):
        return alignment_cuda.forward(speech, text, k, n, maps)
    if _native_cpu(speech):
        arrays = native().align_pool_forward(
            *map(_array, (speech, text, k, n)), weights, maps, sums, torch.get_num_threads()
        )
        return tuple(None if a is None else torch.from_numpy(a) for a in arrays)
    return alignment_formulas.forward(speech, text, k, n, maps)


def _forward_op(
    speech: Tensor, text: Tensor, k: Tensor | None, n: Tensor | None, maps: bool
) -> Tensors:
    out = _forward(speech, text, k, n, maps)
    return tuple(speech.new_empty(0) if x is None else x for x in out)


def _backward(
    speech: Tensor,
    text: Tensor,
    k: Tensor | None,
    n: Tensor | None,
    r: Tensor,
    c: Tensor,
    d_a_s: Tensor,
    d_a_t: Tensor,
    d_w_s: Tensor | None,
    d_w_t: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """dS [B, K, D] and dT [B, L, D]."""
    arguments = (speech, text, k, n, r, c, d_a_s, d_a_t, d_w_s, d_w_t)
    if alignment_cuda.supports(speech):
        return alignment_cuda.backward(*arguments)
    if _native_cpu(speech):
        arrays = native().align_pool_backward(*map(_array, arguments), torch.get_num_threads())
        d_speech, d_text = map(torch.from_numpy, arrays)
        return d_speech, d_text
    return alignment_formulas.backward(speech, text, k, n, d_a_s, d_a_t, d_w_s, d_w_t)


align_pool_op = torch.library.custom_op(
    "gban_edge::align_pool", _forward_op, mutates_args=(), schema=FORWARD
)
align_pool_backward_op = torch.library.custom_op(
    "gban_edge::align_pool_backward", _backward, mutates_args=(), schema=BACKWARD
)


@align_pool_op.register_fake
def _forward_shapes(speech: Tensor, text: Tensor, k: Any, n: Any, maps: bool) -> Tensors:
    (batch, steps, states), words = speech.shape, text.shape[1]
    sums = alignment_formulas.sum_type(speech.dtype)
    return (
        speech.new_empty(batch, states),
        speech.new_empty(batch, states),
        speech.new_empty(batch, steps),
        speech.new_empty(batch, words),
        speech.new_empty((batch, words, steps) if maps else 0),
        speech.new_empty((batch, steps, words) if maps else 0),
        speech.new_empty(batch, steps, dtype=sums),
        speech.new_empty(batch, words, dtype=sums),
    )


@align_pool_backward_op.register_fake
def _backward_shapes(speech: Tensor, text: Tensor, *_rest: Any) -> tuple[Tensor, Tensor]:
    return speech.new_empty(speech.shape), text.new_empty(text.shape)


def _save(ctx: Any, inputs: tuple[Any, ...], output: Tensors) -> None:
    ctx.set_materialize_grads(False)
    ctx.mark_non_differentiable(*output[4:])
    ctx.save_for_backward(*inputs[:4], *output[6:])


def _derive(ctx: Any, d_a_s: Any, d_a_t: Any, d_w_s: Any, d_w_t: Any, *_rest: Any) -> Any:
    speech, text, k, n, r, c = ctx.saved_tensors
    batch, _, states = speech.shape
    if d_a_s is None:
        d_a_s = speech.new_zeros(batch, states)
    if d_a_t is None:
        d_a_t = speech.new_zeros(batch, states)
    d_speech, d_text = align_pool_backward_op(speech, text, k, n, r, c, d_a_s, d_a_t, d_w_s, d_w_t)
    return d_speech, d_text, None, None, None


align_pool_op.register_autograd(_derive, setup_context=_save)
