"""Att-LSTM: one-way alignment of speech to words, then a recurrent network over the words."""

from __future__ import annotations

import torch
from torch import nn

from gban_edge.config import GBANConfig
from gban_edge.models.encoders import SpeechEncoder, TextEncoder
from gban_edge.models.layers import BiLSTM, inside
from gban_edge.models.system import Inputs, Representation, System, masked_softmax


class AttLSTM(System):
    """``att_lstm``: Xu et al., "Learning Alignment for Multimodal Emotion Recognition from
    Speech", Interspeech 2019, on this paper's encoders.

        e_ji = tanh(u . s_i + v . t_j + b)      alpha_j = softmax over i of e_j    (u, v [D])
        s~_j = sum_i alpha_ji s_i               c = BiLSTM of the steps [s~_j, t_j], j = 1..L
        h = max over j of c_j, entry by entry [2H]

    Assumptions: the encoders are this paper's CNN-BiLSTMs (theirs: BiLSTMs on MFCC and on word
    embeddings), so a "word" is one of the L text steps; the second BiLSTM has H units a direction
    and as many layers as the encoders'.
    """

    def __init__(self, config: GBANConfig) -> None:
        super().__init__()
        self.speech = SpeechEncoder(config)
        self.text = TextEncoder(config)
        self.speech_score = nn.Linear(config.states, 1, bias=False)
        self.text_score = nn.Linear(config.states, 1)
        self.joint = BiLSTM(2 * config.states, config.hidden, config.lstm_layers)
        self.finish(config.states, config)

    def represent(self, inputs: Inputs, return_alignment: bool) -> Representation:
        S, _, speech_steps = self.speech(inputs.speech, inputs.speech_lengths)
        T, _, text_steps = self.text(inputs.words, inputs.word_counts)
        # [B, L, K]: a row a text step.
        scores = torch.tanh(self.text_score(T) + self.speech_score(S).transpose(1, 2))
        aligned = masked_softmax(scores, speech_steps) @ S
        joint, _ = self.joint(torch.cat([aligned, T], dim=2), text_steps)
        there = inside(text_steps, joint.shape[1])[:, :, None]
        return Representation(joint.masked_fill(~there, float("-inf")).amax(dim=1))
