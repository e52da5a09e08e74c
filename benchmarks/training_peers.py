"""GBAN as one writes it down from the paper in off-the-shelf PyTorch, for utterances that are all
padded to one length: what the faster training is measured against."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from gban_edge.config import GBANConfig
from gban_edge.models.aligned import Vectors
from gban_edge.models.fusion import GroupGatedFusion
from gban_edge.models.layers import Classifier
from gban_edge.models.output import ModelOutput


class TextbookGBAN(nn.Module):
    """Conv1d, MaxPool1d and a bidirectional LSTM of PyTorch's own, eqs. 9-14 as they are printed.

    No masks and no true lengths, as in the authors' code: padding is input like any other. Fusion
    and classifier are GBAN's own.
    """

    def __init__(self, config: GBANConfig) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        width = config.features
        for filters in config.conv_filters:
            layers += [nn.Conv1d(width, filters, config.conv_kernel), nn.ReLU(), nn.MaxPool1d(2)]
            width = filters
        self.speech_convs = nn.Sequential(*layers)
        self.speech_lstm = nn.LSTM(width, config.hidden, batch_first=True, bidirectional=True)
        self.embedding = nn.Embedding(config.vocabulary, config.embedding)
        self.text_convs = nn.ModuleList(
            nn.Conv1d(config.embedding, config.text_filters, k, padding="same")
            for k in config.text_kernels
        )
        width = config.text_filters * len(config.text_kernels)
        self.text_lstm = nn.LSTM(width, config.hidden, batch_first=True, bidirectional=True)
        self.fusion = GroupGatedFusion(config)
        self.classifier = Classifier(config.fusion, config)

    def forward(
        self, speech: Tensor, speech_lengths: Tensor, words: Tensor, word_counts: Tensor
    ) -> ModelOutput:
        S, (h_s, _) = self.speech_lstm(self.speech_convs(speech.transpose(1, 2)).transpose(1, 2))
        x = self.embedding(words).transpose(1, 2)
        x = torch.cat([functional.max_pool1d(conv(x).relu(), 2) for conv in self.text_convs], dim=1)
        T, (h_t, _) = self.text_lstm(x.transpose(1, 2))
        scores = torch.tanh(S @ T.transpose(1, 2))  # [B, K, L], eqs. 9 and 12
        a_s = (torch.softmax(scores, dim=1).transpose(1, 2) @ S).mean(dim=1)  # eqs. 10-11
        a_t = (torch.softmax(scores, dim=2) @ T).mean(dim=1)  # eqs. 13-14
        last = (h.transpose(0, 1).flatten(1) for h in (h_s, h_t))
        h, gates, _ = self.fusion(Vectors(a_s, a_t, *last))
        return ModelOutput(self.classifier(h), gates)
