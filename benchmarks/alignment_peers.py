"""What align_pool is measured against; every peer returns (a_s [B, D], a_t [B, D])."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor

from gban_edge import ops

Pair = tuple[Tensor, Tensor]


def ours(speech: Tensor, text: Tensor) -> Pair:
    out = ops.align_pool(speech, text)
    return out.speech, out.text


def pooled(speech: Tensor, text: Tensor) -> Pair:
    """The pooled form in as few PyTorch calls as it takes: what a good user would write."""
    scores = torch.exp(torch.tanh(speech @ text.transpose(1, 2)))  # [B, K, L]
    w_s = (scores / scores.sum(dim=1, keepdim=True)).mean(dim=2)
    w_t = (scores / scores.sum(dim=2, keepdim=True)).mean(dim=1)
    return (w_s[:, None] @ speech).squeeze(1), (w_t[:, None] @ text).squeeze(1)


def literal(speech: Tensor, text: Tensor) -> Pair:
    """Equations 9-14 as the paper writes them, then the means."""
    scores = torch.tanh(text @ speech.transpose(1, 2))  # [B, L, K]
    s = torch.softmax(scores, dim=2) @ speech  # [B, L, D]
    t = torch.softmax(scores.transpose(1, 2), dim=2) @ text  # [B, K, D]
    return s.mean(dim=1), t.mean(dim=1)


@cache
def compiled_pooled() -> Any:
    return torch.compile(pooled, fullgraph=True, dynamic=False)


@cache
def _flex() -> Any:
    from torch.nn.attention.flex_attention import flex_attention

    return torch.compile(flex_attention, fullgraph=True, dynamic=False)


def _tanh(score: Tensor, *_where: Tensor) -> Tensor:
    return torch.tanh(score)


def flex(speech: Tensor, text: Tensor) -> Pair:
    """Two FlexAttention calls with a tanh score, then the means: four kernels."""
    S, T = speech[:, None], text[:, None]
    s = _flex()(T, S, S, score_mod=_tanh, scale=1.0)
    t = _flex()(S, T, T, score_mod=_tanh, scale=1.0)
    return s.mean(dim=2).squeeze(1), t.mean(dim=2).squeeze(1)


def gold(speech: Tensor, text: Tensor) -> Pair:
    """In float64, from the same rounded inputs."""
    return literal(speech.double(), text.double())
