"""The alignment's CUDA kernels on torch tensors; memory and streams are torch's."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import torch
from torch import Tensor

from gban_edge.core import native

TYPES = {torch.float32: "float32", torch.float16: "float16", torch.bfloat16: "bfloat16"}


def supports(speech: Tensor) -> bool:
    """Whether the core has kernels for these states on the device where they are."""
    if speech.device.type != "cuda" or speech.dtype not in TYPES:
        return False
    if not native().cuda_built():
        _warn_once()
        return False
    return _fits(speech.dtype, speech.device.index, speech.shape[2])


@cache
def _warn_once() -> None:
    warnings.warn(
        "gban_edge was built without CUDA, so the alignment runs as plain PyTorch on the GPU; "
        "build it where nvcc is on the PATH: GBAN_CUDA=1 pip install .",
        stacklevel=2,
    )


@cache
def _fits(dtype: torch.dtype, device: int, states: int) -> bool:
    return bool(native().cuda_align_pool_fits(TYPES[dtype], device, states))


def forward(
    speech: Tensor, text: Tensor, k: Tensor | None, n: Tensor | None, maps: bool
) -> tuple[Any, ...]:
    """As ``alignment_torch.Tensors``; one kernel, asynchronous."""
    (batch, steps, states), words = speech.shape, text.shape[1]
    speech, text = _aligned(speech), _aligned(text)
    k, n = _dense(k), _dense(n)
    sums = torch.float32
    # The kernel writes the maps within the true lengths only.
    pictures = (
        (speech.new_zeros(batch, words, steps), speech.new_zeros(batch, steps, words))
        if maps
        else (None, None)
    )
    out = (
        speech.new_empty(batch, states),
        speech.new_empty(batch, states),
        speech.new_empty(batch, steps),
        speech.new_empty(batch, words),
        *pictures,
        speech.new_empty(batch, steps, dtype=sums),
        speech.new_empty(batch, words, dtype=sums),
    )
    if batch:
        sizes = (batch, steps, words, states)
        place = _place(speech)
        workspace = _workspace(*place, sizes, speech)
        addresses = [_address(x) for x in out]
        native().cuda_align_pool_forward(
            *place, sizes, _strided(speech), _strided(text), _address(k), _address(n), addresses,
            workspace.data_ptr(),
        )  # fmt: skip
    return out


def backward(
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
    """dS [B, K, D] and dT [B, L, D]; two kernels, asynchronous."""
    (batch, steps, states), words = speech.shape, text.shape[1]
    speech, text = _aligned(speech), _aligned(text)
    dense = [_dense(x) for x in (k, n, r, c, d_a_s, d_a_t, d_w_s, d_w_t)]
    d_speech = speech.new_empty(batch, steps, states)
    d_text = speech.new_empty(batch, words, states)
    if batch:
        scratch = speech.new_empty(3 * batch * (steps + words), dtype=torch.float32)
        native().cuda_align_pool_backward(
            *_place(speech), (batch, steps, words, states), _strided(speech), _strided(text),
            _address(dense[0]), _address(dense[1]), [_address(x) for x in dense[2:]],
            [x.data_ptr() for x in (d_speech, d_text, scratch)],
        )  # fmt: skip
    return d_speech, d_text


def _aligned(states: Tensor) -> Tensor:
    """The tensor where its rows can be copied 16 bytes at a time, else a dense copy of it."""
    batch_stride, row_stride, state_stride = states.stride()
    size = states.element_size()
    whole = all(stride * size % 16 == 0 for stride in (batch_stride, row_stride))
    if state_stride == 1 and whole and states.data_ptr() % 16 == 0:
        return states
    return states.clone(memory_format=torch.contiguous_format)


def _dense(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.contiguous()


def _address(tensor: Tensor | None) -> int:
    return 0 if tensor is None else tensor.data_ptr()


def _strided(states: Tensor) -> tuple[int, int, int]:
    return states.data_ptr(), states.stride(0), states.stride(1)


def _place(speech: Tensor) -> tuple[str, int, int]:
    """Type, device and stream, as the core's functions take them."""
    device = speech.device.index
    return TYPES[speech.dtype], device, torch.cuda.current_stream(device).cuda_stream


_workspaces: dict[tuple[int, int], Tensor] = {}


def _workspace(
    kind: str, device: int, stream: int, sizes: tuple[int, int, int, int], like: Tensor
) -> Tensor:
    """Device memory whose counters are zero: kept for each stream, since a call leaves them zero.

    A graph that is being captured gets its own, zeroed within the graph: it may later run beside
    other work on any stream.
    """
    _, size = native().cuda_align_pool_workspace(kind, device, sizes)
    kept = _workspaces.get((device, stream))
    capturing = torch.cuda.is_current_stream_capturing()
    if kept is not None and kept.numel() >= size and not capturing:
        return kept
    fresh = like.new_zeros(size, dtype=torch.uint8)
    if not capturing:
        _workspaces[(device, stream)] = fresh
    return fresh
