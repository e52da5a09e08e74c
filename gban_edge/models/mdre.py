"""MDRE and MDREA: two recurrent encoders, joined, without and with attention on the words.

Yoon, Byun, Jung, "Multimodal Speech Emotion Recognition Using Audio and Text", SLT 2018.
Assumptions common to both: the two recurrent encoders are this paper's CNN-BiLSTMs (theirs: GRUs
on MFCC frames and on word embeddings), there is no prosodic vector appended to the last speech
state, and what they join goes into the shared classifier (theirs: one linear layer, a sigmoid
cross-entropy).
"""

from __future__ import annotations

import torch
from torch import nn

from gban_edge.config import GBANConfig
from gban_edge.models.encoders import SpeechEncoder, TextEncoder
from gban_edge.models.system import Inputs, Representation, System, masked_softmax


class MDRE(System):
    """``mdre``: h = [A, T] [2H] with A = W_s h_s + b_s and T = W_t h_t + b_t, H entries each."""

    def __init__(self, config: GBANConfig) -> None:
        super().__init__()
        self.speech = SpeechEncoder(config)
        self.text = TextEncoder(config)
        self.project_speech = nn.Linear(config.states, config.hidden)
        self.project_text = nn.Linear(config.states, config.hidden)
        self.finish(2 * config.hidden, config)

    def represent(self, inputs: Inputs, return_alignment: bool) -> Representation:
        h_s = self.speech(inputs.speech, inputs.speech_lengths)[1]
        h_t = self.text(inputs.words, inputs.word_counts)[1]
        return Representation(torch.cat([self.project_speech(h_s), self.project_text(h_t)], dim=1))


class MDREA(System):
    """``mdrea``: the words are attended to with the audio vector, by dot product.

    e = W_s h_s + b_s [D]    alpha = softmax over j of e . t_j    h = [sum_j alpha_j t_j, e] [2D]
    """

    def __init__(self, config: GBANConfig) -> None:
        super().__init__()
        self.speech = SpeechEncoder(config)
        self.text = TextEncoder(config)
        self.project_speech = nn.Linear(config.states, config.states)
        self.finish(2 * config.states, config)

    def represent(self, inputs: Inputs, return_alignment: bool) -> Representation:
        e = self.project_speech(self.speech(inputs.speech, inputs.speech_lengths)[1])
        T, _, steps = self.text(inputs.words, inputs.word_counts)
        alpha = masked_softmax((T @ e[:, :, None]).squeeze(2), steps)
        return Representation(torch.cat([(alpha[:, None] @ T).squeeze(1), e], dim=1))
