"""Group gated fusion: eqs. 15-21 of the paper."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gban_edge.config import GBANConfig


class GatedPair(nn.Module):
    """One group: a speech vector and a text vector of one kind, weighed by a gate.

    p_s = tanh(W_s x_s), p_t = tanh(W_t x_t), z = sigmoid(W_z [x_s, x_t]) (eqs. 15-17 and 18-20);
    returns z * p_s + (1 - z) * p_t [B, fusion] and z. No biases, as printed.
    """

    def __init__(self, config: GBANConfig) -> None:
        super().__init__()
        self.speech = nn.Linear(config.states, config.fusion, bias=False)
        self.text = nn.Linear(config.states, config.fusion, bias=False)
        self.gate = nn.Linear(2 * config.states, config.fusion, bias=False)

    def forward(self, speech: Tensor, text: Tensor) -> tuple[Tensor, Tensor]:
        z = torch.sigmoid(self.gate(torch.cat([speech, text], dim=1)))
        return z * torch.tanh(self.speech(speech)) + (1 - z) * torch.tanh(self.text(text)), z


class GroupGatedFusion(nn.Module):
    """h = aligned group + last-state group (eq. 21); also returns the gates z_p and z_q."""

    def __init__(self, config: GBANConfig) -> None:
        super().__init__()
        self.aligned = GatedPair(config)
        self.last = GatedPair(config)

    def forward(
        self, a_s: Tensor, a_t: Tensor, h_s: Tensor, h_t: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Four vectors [B, D] -> h, z_p, z_q, [B, fusion] each."""
        aligned, z_p = self.aligned(a_s, a_t)
        last, z_q = self.last(h_s, h_t)
        return aligned + last, z_p, z_q
