"""The alignment and its derivative as formulas in PyTorch, for what the core has no kernel for.

Any device, any floating-point type: float64 is computed in float64, everything else in float32.
The derivative is the one that the kernels compute; gradcheck checks it here. With
p_k = S_k . da_s + dw_s[k], q_j = T_j . da_t + dw_t[j], alpha = E/c, beta = E/r,
m_j = sum_k alpha_kj p_k and n_k = sum_j beta_kj q_j:

    G = [alpha (p_k - m_j) / L + beta (q_j - n_k) / K] (1 - A^2)
    dS = G T + w_s da_s^t      dT = G^t S + w_t da_t^t
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from gban_edge.ops.checks import check_range


def sum_type(states: torch.dtype) -> torch.dtype:
    """What sums over states of this type are kept in."""
    return torch.float64 if states == torch.float64 else torch.float32


class _Scores(NamedTuple):
    speech: Tensor  # [B, K, D], zero beyond the true length
    text: Tensor  # [B, L, D], likewise
    count_speech: Tensor  # [B, 1]
    count_text: Tensor  # [B, 1]
    tanh: Tensor  # A [B, K, L]
    alpha: Tensor  # [B, K, L], zero beyond the true lengths
    beta: Tensor
    r: Tensor  # [B, K], zero beyond the true length
    c: Tensor  # [B, L]


def _scores(speech: Tensor, text: Tensor, k: Tensor | None, n: Tensor | None) -> _Scores:
    kind = sum_type(speech.dtype)
    in_speech = _inside("speech_lengths", k, speech)
    in_text = _inside("text_lengths", n, text)
    speech = speech.to(kind).masked_fill(~in_speech[:, :, None], 0.0)
    text = text.to(kind).masked_fill(~in_text[:, :, None], 0.0)
    tanh = torch.tanh(speech @ text.transpose(1, 2))
    inside = in_speech[:, :, None] & in_text[:, None, :]
    scores = torch.exp(tanh).masked_fill(~inside, 0.0)
    r, c = scores.sum(dim=2), scores.sum(dim=1)
    alpha = (scores / c[:, None, :]).masked_fill(~inside, 0.0)
    beta = (scores / r[:, :, None]).masked_fill(~inside, 0.0)
    count_speech, count_text = (m.sum(dim=1, keepdim=True) for m in (in_speech, in_text))
    return _Scores(speech, text, count_speech, count_text, tanh, alpha, beta, r, c)


def _inside(name: str, lengths: Tensor | None, states: Tensor) -> Tensor:
    """bool [B, limit], true at the steps that exist."""
    limit = states.shape[1]
    steps = torch.arange(limit, device=states.device)
    if lengths is None:
        return torch.ones_like(steps, dtype=torch.bool).expand(states.shape[0], limit)
    if lengths.device.type == "cpu":
        check_range(name, lengths, limit)
    # An impossible length that nobody may look at becomes 0: 0 / 0 is NaN in that utterance.
    lengths = lengths.masked_fill((lengths < 1) | (lengths > limit), 0)
    return steps < lengths[:, None]


def _weights(s: _Scores) -> tuple[Tensor, Tensor]:
    return s.alpha.sum(dim=2) / s.count_text, s.beta.sum(dim=1) / s.count_speech


def forward(
    speech: Tensor, text: Tensor, k: Tensor | None, n: Tensor | None, maps: bool
) -> tuple[Any, ...]:
    """a_s, a_t, w_s, w_t, alpha [B, L, K], beta [B, K, L], r, c; the maps None or full."""
    s = _scores(speech, text, k, n)
    w_s, w_t = _weights(s)
    a_s = torch.einsum("bk,bkd->bd", w_s, s.speech)
    a_t = torch.einsum("bl,bld->bd", w_t, s.text)
    pooled = (x.to(speech.dtype) for x in (a_s, a_t, w_s, w_t))
    if not maps:
        return *pooled, None, None, s.r, s.c
    alpha, beta = s.alpha.transpose(1, 2).to(speech.dtype), s.beta.to(speech.dtype)
    return *pooled, alpha.contiguous(), beta, s.r, s.c


def backward(
    speech: Tensor,
    text: Tensor,
    k: Tensor | None,
    n: Tensor | None,
    d_a_s: Tensor,
    d_a_t: Tensor,
    d_w_s: Tensor | None,
    d_w_t: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """dS [B, K, D] and dT [B, L, D], zero beyond the true lengths."""
    s = _scores(speech, text, k, n)
    w_s, w_t = _weights(s)
    d_a_s, d_a_t = d_a_s.to(s.r.dtype), d_a_t.to(s.r.dtype)
    p = torch.einsum("bkd,bd->bk", s.speech, d_a_s)
    q = torch.einsum("bld,bd->bl", s.text, d_a_t)
    p = p if d_w_s is None else p + d_w_s
    q = q if d_w_t is None else q + d_w_t
    m = torch.einsum("bkl,bk->bl", s.alpha, p)
    n_k = torch.einsum("bkl,bl->bk", s.beta, q)
    through_speech = s.alpha * (p[:, :, None] - m[:, None, :]) / s.count_text[:, :, None]
    through_text = s.beta * (q[:, None, :] - n_k[:, :, None]) / s.count_speech[:, :, None]
    G = (through_speech + through_text) * (1.0 - s.tanh**2)
    d_speech = G @ s.text + w_s[:, :, None] * d_a_s[:, None, :]
    d_text = G.transpose(1, 2) @ s.speech + w_t[:, :, None] * d_a_t[:, None, :]
    return d_speech.to(speech.dtype), d_text.to(text.dtype)
