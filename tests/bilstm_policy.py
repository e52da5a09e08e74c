"""Random BiLSTMs, and what their states are in float64, for the kernels' tests."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn


class Case(NamedTuple):
    """One BiLSTM with weights and inputs that ``dtype`` holds; NaN beyond the true lengths."""

    lstm: nn.LSTM  # float32, on the CPU
    x: Tensor  # [B, K, width]
    lengths: Tensor  # int64 [B]


def bilstm_case(
    seed: int, dtype: torch.dtype, batch: int, steps: int, width: int, hidden: int, layers: int
) -> Case:
    draw = torch.Generator().manual_seed(seed)
    lstm = nn.LSTM(width, hidden, layers, batch_first=True, bidirectional=True)
    with torch.no_grad():
        for name, weight in lstm.named_parameters():
            drawn = torch.randn(weight.shape, generator=draw) * hidden**-0.5
            weight.copy_(drawn.to(dtype if "weight" in name else torch.float32))
    x = torch.randn(batch, steps, width, generator=draw)
    lengths = torch.from_numpy(np.random.default_rng(seed).integers(1, steps + 1, batch))
    x[torch.arange(steps) >= lengths[:, None]] = torch.nan
    return Case(lstm, x.to(dtype), lengths)


def in_float64(case: Case) -> tuple[Tensor, Tensor]:
    """States [B, K, 2H], zero beyond the true lengths, and last states [B, 2H]."""
    lstm = nn.LSTM(
        case.lstm.input_size, case.lstm.hidden_size, case.lstm.num_layers, batch_first=True,
        bidirectional=True,
    ).double()  # fmt: skip
    lstm.load_state_dict(case.lstm.state_dict())
    return utterance_by_utterance(lstm, case.x.double(), case.lengths)


@torch.no_grad()
def utterance_by_utterance(lstm: nn.LSTM, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    states = x.new_zeros(*x.shape[:2], 2 * lstm.hidden_size)
    last = x.new_zeros(x.shape[0], 2 * lstm.hidden_size)
    for b, n in enumerate(lengths.tolist()):
        states[b, :n], (h, _) = lstm(x[b, :n])
        last[b] = torch.cat([h[-2], h[-1]])
    return states, last
