"""Speech-only systems with attention over time, inspired by the three that the paper quotes.

The paper's numbers for them are quotations from their own papers, on other splits and features.
These are re-implementations on this project's features (52 a frame), convolutions, classifier and
training, so that every system is compared under the same settings; each says what was assumed.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from gban_edge.config import GBANConfig
from gban_edge.models.encoders import SpeechConvolutions, SpeechEncoder
from gban_edge.models.layers import inside
from gban_edge.models.system import Inputs, Representation, System, masked_softmax

HEADS = 4


def pool(weights: Tensor, steps: Tensor) -> Tensor:
    """sum_i weights_i x_i: weights [B, K], steps [B, K, width] -> [B, width]."""
    return (weights[:, None] @ steps).squeeze(1)


class CNNAttention(System):
    """``cnn_att``: inspired by Neumann, Vu, "Attentive Convolutional Neural Network based Speech
    Emotion Recognition", Interspeech 2017: convolutions, then attention over time.

        x_1..x_K = the convolutions' steps [36]    alpha = softmax over i of w . x_i
        h = sum_i alpha_i x_i

    Assumptions: this paper's four layers of [convolution, ReLU, pooling by 2] instead of one layer
    of wide kernels pooled by 30; no second task of valence and arousal; 7.5 s at most, as all.
    """

    def __init__(self, config: GBANConfig) -> None:
        super().__init__()
        self.speech = SpeechConvolutions(config)
        self.score = nn.Linear(config.conv_filters[-1], 1, bias=False)
        self.finish(config.conv_filters[-1], config)

    def represent(self, inputs: Inputs, return_alignment: bool) -> Representation:
        x, steps = self.speech.convolve(inputs.speech, inputs.speech_lengths)
        return Representation(pool(masked_softmax(self.score(x).squeeze(2), steps), x))


class LSTMAttention(System):
    """``lstm_att``: inspired by Ramet et al., "Context-aware attention mechanism for speech emotion
    recognition", SLT 2018: recurrent states pooled by attention that knows the whole.

        e_i = w . tanh(W_s s_i + W_c h_s)    alpha = softmax over i of e    h = sum_i alpha_i s_i

    Assumptions: s_i and h_s are the states and the last state of this paper's speech encoder
    (theirs: LSTM layers on 32 frame-level descriptors), the context is h_s, W_s and W_c give H
    entries.
    """

    def __init__(self, config: GBANConfig) -> None:
        super().__init__()
        self.speech = SpeechEncoder(config)
        self.state = nn.Linear(config.states, config.hidden, bias=False)
        self.context = nn.Linear(config.states, config.hidden, bias=False)
        self.score = nn.Linear(config.hidden, 1, bias=False)
        self.finish(config.states, config)

    def represent(self, inputs: Inputs, return_alignment: bool) -> Representation:
        S, h_s, steps = self.speech(inputs.speech, inputs.speech_lengths)
        e = self.score(torch.tanh(self.state(S) + self.context(h_s)[:, None])).squeeze(2)
        return Representation(pool(masked_softmax(e, steps), S))


class SelfAttention(System):
    """``self_att``: inspired by Tarantino, Garner, Lazaridis, "Self-attention for Speech Emotion
    Recognition", Interspeech 2019: a transformer's self-attention instead of recurrence.

        x_i = W x'_i + b + position_i [D]      x' the convolutions' steps, sinusoidal positions
        [q_i, k_i, v_i] = W_qkv x_i + b_qkv
        head = sum_j softmax_j(q_i . k_j / sqrt(D / heads)) v_j
        y_i = x_i + W_o [head_1, ..., head_4] + b_o
        h = mean over i of LayerNorm(y_i)

    (Vaswani et al. 2017 for the attention: gcd(4, D) heads, each of D / heads neighbouring entries
    of q, k, v; the normalisation over the D entries, with gain and bias.) Assumptions: one layer,
    no feed-forward part; this paper's convolutions make the steps (theirs: windows of frame-level
    features, "global windowing"); single labels, not soft ones.
    """

    def __init__(self, config: GBANConfig) -> None:
        super().__init__()
        self.speech = SpeechConvolutions(config)
        self.project = nn.Linear(config.conv_filters[-1], config.states)
        heads = math.gcd(HEADS, config.states)
        self.attention = nn.MultiheadAttention(config.states, heads, batch_first=True)
        self.norm = nn.LayerNorm(config.states)
        self.finish(config.states, config)

    def represent(self, inputs: Inputs, return_alignment: bool) -> Representation:
        x, steps = self.speech.convolve(inputs.speech, inputs.speech_lengths)
        x = self.project(x) + positions(x.shape[1], self.project.out_features, x)
        there = inside(steps, x.shape[1])
        mixed, _ = self.attention(x, x, x, key_padding_mask=~there, need_weights=False)
        y = self.norm(x + mixed) * there[:, :, None]
        return Representation(y.sum(dim=1) / steps[:, None])


def positions(count: int, width: int, like: Tensor) -> Tensor:
    """Sinusoids [count, width] (Vaswani et al. 2017): entry 2k of step i = 0, 1, ... is
    sin(i / 10000^(2k / width)), entry 2k + 1 the cosine of the same."""
    step = torch.arange(count, device=like.device, dtype=like.dtype)[:, None]
    pair = torch.arange(0, width, 2, device=like.device, dtype=like.dtype)
    angle = step * 10000.0 ** (-pair / width)
    return torch.stack([torch.sin(angle), torch.cos(angle)], dim=2).flatten(1)[:, :width]
