"""Systems on the bidirectional alignment: both encoders, eqs. 9-14, and a fusion of their four
vectors. Liu, Li, Meng, "Group Gated Fusion on Attention-based Bidirectional Alignment for
Multimodal Emotion Recognition", Interspeech 2020."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from gban_edge.config import GBANConfig
from gban_edge.models.encoders import SpeechEncoder, TextEncoder
from gban_edge.models.system import Inputs, Representation, System
from gban_edge.ops import align_pool


class Vectors(NamedTuple):
    """The four vectors [B, D] of an utterance: the means of eqs. 11, 14, and last states."""

    a_s: Tensor
    a_t: Tensor
    h_s: Tensor
    h_t: Tensor


class Fusion(nn.Module):
    """Makes one vector [B, ``width``] of the four, and perhaps gates."""

    width: int

    def forward(self, vectors: Vectors) -> Representation:
        raise NotImplementedError


class AlignedSystem(System):
    """Speech and words, encoded, aligned (eqs. 9-14), fused by ``fusion``, classified."""

    def __init__(self, config: GBANConfig, fusion: Fusion) -> None:
        super().__init__()
        self.speech = SpeechEncoder(config)
        self.text = TextEncoder(config)
        self.fusion = fusion
        self.finish(fusion.width, config)

    def represent(self, inputs: Inputs, return_alignment: bool) -> Representation:
        S, h_s, speech_steps = self.speech(inputs.speech, inputs.speech_lengths)
        T, h_t, text_steps = self.text(inputs.words, inputs.word_counts)
        pooled = align_pool(S, T, speech_steps, text_steps, return_weights=return_alignment)
        h, gates, _ = self.fusion(Vectors(pooled.speech, pooled.text, h_s, h_t))
        weights = (pooled.speech_weights, pooled.text_weights) if return_alignment else None
        return Representation(h, gates, weights)
