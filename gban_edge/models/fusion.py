"""Gated fusion: the gate of one pair of vectors, and the group gated fusion of eqs. 15-21."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gban_edge.config import GBANConfig
from gban_edge.models.aligned import AlignedSystem, Fusion, Vectors
from gban_edge.models.system import Representation


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


class GroupGatedFusion(Fusion):
    """h = aligned group + last-state group (eq. 21); the gates are z_p and z_q [B, fusion]."""

    def __init__(self, config: GBANConfig) -> None:
        super().__init__()
        self.width = config.fusion
        self.aligned = GatedPair(config)
        self.last = GatedPair(config)

    def forward(self, vectors: Vectors) -> Representation:
        aligned, z_p = self.aligned(vectors.a_s, vectors.a_t)
        last, z_q = self.last(vectors.h_s, vectors.h_t)
        return Representation(aligned + last, (z_p, z_q))


class _AlignedPair(Fusion):
    def __init__(self, config: GBANConfig) -> None:
        super().__init__()
        self.width = config.fusion
        self.aligned = GatedPair(config)

    def forward(self, vectors: Vectors) -> Representation:
        return Representation(self.aligned(vectors.a_s, vectors.a_t)[0])


class GatedMultimodalUnit(AlignedSystem):
    """``gmu`` on (a_s, a_t), "BiAtt-GMU" in the paper's Table 3.

    h = z * tanh(W_s a_s) + (1 - z) * tanh(W_t a_t), z = sigmoid(W_z [a_s, a_t]): Arevalo et al.,
    "Gated Multimodal Units for Information Fusion", ICLR workshop 2017, without biases there and
    here. It is the first of GBAN's two groups alone. Its gate is not reported as GBAN's two are.
    """

    def __init__(self, config: GBANConfig) -> None:
        super().__init__(config, _AlignedPair(config))
