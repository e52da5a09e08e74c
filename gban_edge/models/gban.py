"""GBAN: Liu, Li, Meng, "Group Gated Fusion on Attention-based Bidirectional Alignment for
Multimodal Emotion Recognition", Interspeech 2020."""

from __future__ import annotations

from gban_edge.config import GBANConfig
from gban_edge.models.aligned import AlignedSystem
from gban_edge.models.fusion import GroupGatedFusion


class GBAN(AlignedSystem):
    """``gban``: bidirectional alignment (eqs. 9-14), group gated fusion (15-21), classifier.

    With the authors' sizes: 1.33 M parameters and 300 a word of the vocabulary.
    """

    def __init__(self, config: GBANConfig) -> None:
        super().__init__(config, GroupGatedFusion(config))
