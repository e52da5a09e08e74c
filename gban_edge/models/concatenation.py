"""Aligned vectors taken as they are: one alone (Table 1) or several side by side (Table 2)."""

from __future__ import annotations

import torch

from gban_edge.config import GBANConfig
from gban_edge.models.aligned import AlignedSystem, Fusion, Vectors
from gban_edge.models.system import Representation


class Concatenation(Fusion):
    """h = the vectors named, side by side; nothing to learn."""

    def __init__(self, config: GBANConfig, names: tuple[str, ...]) -> None:
        super().__init__()
        self.names = names
        self.width = len(names) * config.states

    def forward(self, vectors: Vectors) -> Representation:
        return Representation(torch.cat([getattr(vectors, name) for name in self.names], dim=1))


class AlignedSpeech(AlignedSystem):
    """``a_s`` (Table 1): the text-aligned speech vector, the mean over j of eq. 11's s~_j, into
    GBAN's classifier.

    Words take part through the alignment only: they say which speech steps count.
    """

    def __init__(self, config: GBANConfig) -> None:
        super().__init__(config, Concatenation(config, ("a_s",)))


class AlignedText(AlignedSystem):
    """``a_t`` (Table 1): the speech-aligned text vector, the mean over i of eq. 14's t~_i, into
    GBAN's classifier.

    Sound takes part through the alignment only: it says which text steps count.
    """

    def __init__(self, config: GBANConfig) -> None:
        super().__init__(config, Concatenation(config, ("a_t",)))


class Concat1(AlignedSystem):
    """``concat_1`` (Table 2), "BiAtt-Concat" in Table 3: h = [a_s, a_t]."""

    def __init__(self, config: GBANConfig) -> None:
        super().__init__(config, Concatenation(config, ("a_s", "a_t")))


class Concat2(AlignedSystem):
    """``concat_2`` (Table 2): h = [a_s, a_t, h_s, h_t], what GBAN's fusion is given, ungated."""

    def __init__(self, config: GBANConfig) -> None:
        super().__init__(config, Concatenation(config, ("a_s", "a_t", "h_s", "h_t")))
