"""GBAN: Liu, Li, Meng, "Group Gated Fusion on Attention-based Bidirectional Alignment for
Multimodal Emotion Recognition", Interspeech 2020."""

from __future__ import annotations

from torch import Tensor, nn

from gban_edge.config import GBANConfig
from gban_edge.models.encoders import SpeechEncoder, TextEncoder
from gban_edge.models.fusion import GroupGatedFusion
from gban_edge.models.layers import Classifier, initialise
from gban_edge.models.output import ModelOutput
from gban_edge.ops import align_pool


class GBAN(nn.Module):
    """Two encoders, bidirectional alignment (eqs. 9-14), group gated fusion (15-21), classifier.

    With the authors' sizes: 1.33 M parameters and 300 a word of the vocabulary.
    """

    def __init__(self, config: GBANConfig) -> None:
        super().__init__()
        self.speech = SpeechEncoder(config)
        self.text = TextEncoder(config)
        self.fusion = GroupGatedFusion(config)
        self.classifier = Classifier(config.fusion, config)
        initialise(self)

    def forward(
        self,
        speech: Tensor,
        speech_lengths: Tensor,
        words: Tensor,
        word_counts: Tensor,
        return_alignment: bool = False,
    ) -> ModelOutput:
        """See :func:`gban_edge.models.build` for the shapes."""
        S, h_s, speech_steps = self.speech(speech, speech_lengths)
        T, h_t, text_steps = self.text(words, word_counts)
        pooled = align_pool(S, T, speech_steps, text_steps, return_weights=return_alignment)
        h, z_p, z_q = self.fusion(pooled.speech, pooled.text, h_s, h_t)
        weights = (pooled.speech_weights, pooled.text_weights) if return_alignment else None
        return ModelOutput(self.classifier(h), (z_p, z_q), weights)
