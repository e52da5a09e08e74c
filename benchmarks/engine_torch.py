"""GBAN by hand in PyTorch for one utterance: what a careful user would write for speed, without
padding, masks or true lengths. Eager, compiled, scripted, exported and on a GPU it is a peer of the
engines, beside gban_edge.models' own module, which is made for training on batches."""

from __future__ import annotations

import torch
from engine_case import Array, gated_weights, speech_filter, text_tables
from torch import Tensor, nn
from torch.nn import functional

from gban_edge.bundle import Bundle
from gban_edge.text import PAD_ID


class HandGBAN(nn.Module):
    """features [N, 52] not standardised, words [M] int64 -> probabilities [C].

    N is at least the receptive field, M at least 1. The standardisation is folded into the first
    convolution, the text convolutions are sums of rows made beforehand, each gate is computed
    beside the projections, the alignment is pooled (one score matrix).
    """

    def __init__(self, bundle: Bundle) -> None:
        super().__init__()
        c, w = bundle.config, bundle.weights
        self.width, self.temperature = c.fusion, bundle.temperature
        speech = [speech_filter(bundle, i) for i in range(len(c.conv_filters))]
        self.convs = nn.ParameterList(fixed(weight[:, :, None]) for weight, _ in speech)
        self.conv_biases = nn.ParameterList(fixed(bias) for _, bias in speech)
        tables, self.before = text_tables(bundle)
        self.tables = nn.ParameterList(fixed(table) for table in tables)
        self.speech_lstm = bilstm(bundle, "speech", c.conv_filters[-1])
        self.text_lstm = bilstm(bundle, "text", c.text_filters * len(c.text_kernels))
        gates = [gated_weights(bundle, group) for group in ("aligned", "last")]
        self.gates = nn.ParameterList(fixed(matrix) for pair in gates for matrix in pair)
        names = ("hidden.weight", "output.weight", "output.bias")
        self.hidden, self.output, self.bias = (fixed(w[f"classifier.{name}"]) for name in names)

    def forward(self, features: Tensor, words: Tensor) -> Tensor:
        S, h_s = self.speech(features)
        T, h_t = self.text(words)
        E = torch.exp(torch.tanh(S @ T.t()))  # [K, L]
        a_s = (E @ (1 / E.sum(0)) / E.shape[1]) @ S
        a_t = ((1 / E.sum(1)) @ E / E.shape[0]) @ T
        h = self.pair(0, a_s, a_t) + self.pair(2, h_s, h_t)
        g = torch.relu(functional.linear(h, self.hidden))
        logits = functional.linear(g, self.output, self.bias)
        return torch.softmax(logits.float() / self.temperature, dim=0)

    def speech(self, features: Tensor) -> tuple[Tensor, Tensor]:
        x = features.t()[None, :, None]  # an image one pixel high
        for weight, bias in zip(self.convs, self.conv_biases, strict=True):
            x = functional.conv2d(x, weight, bias)
            x = torch.relu(functional.max_pool2d(x, (1, 2)))
        states, (last, _) = self.speech_lstm(x[0, :, 0].t())
        return states, last[-2:].flatten()

    def text(self, words: Tensor) -> tuple[Tensor, Tensor]:
        """A place's convolutions are a sum of rows made beforehand, <pad>'s beyond the ends."""
        after = len(self.tables) - 1 - self.before
        around = functional.pad(words, (self.before, after), value=PAD_ID)
        x = functional.embedding(around[: len(words)], self.tables[0])
        for tap in range(1, len(self.tables)):
            x = x + functional.embedding(around[tap : tap + len(words)], self.tables[tap])
        x = torch.relu(x).t()[None]
        x = functional.max_pool1d(x, 2, ceil_mode=True)
        states, (last, _) = self.text_lstm(x[0].t())
        return states, last[-2:].flatten()

    def pair(self, first: int, speech: Tensor, text: Tensor) -> Tensor:
        """Eqs. 15-17 or 18-20: p_t + z (p_s - p_t)."""
        p_s, z_s = functional.linear(speech, self.gates[first]).split(self.width)
        p_t, z_t = functional.linear(text, self.gates[first + 1]).split(self.width)
        p_s, p_t = torch.tanh(p_s), torch.tanh(p_t)
        return p_t + torch.sigmoid(z_s + z_t) * (p_s - p_t)


def fixed(array: Array) -> nn.Parameter:
    return nn.Parameter(torch.tensor(array), requires_grad=False)


def bilstm(bundle: Bundle, modality: str, width: int) -> nn.LSTM:
    """PyTorch's own bidirectional LSTM with the weights of one encoder."""
    c = bundle.config
    lstm = nn.LSTM(width, c.hidden, c.lstm_layers, bidirectional=True)
    state = {}
    for name in lstm.state_dict():  # weight_ih_l0, ..., bias_hh_l0_reverse
        direction = "backward_layers" if name.endswith("_reverse") else "forward_layers"
        kind, layer = name.removesuffix("_reverse").rsplit("_l", 1)
        stored = bundle.weights[f"{modality}.bilstm.{direction}.{layer}.{kind}_l0"]
        state[name] = torch.tensor(stored)
    lstm.load_state_dict(state)
    return lstm.requires_grad_(False)
