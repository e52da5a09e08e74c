"""The two CNN-BiLSTM encoders that every system of the paper stands on."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from gban_edge.config import GBANConfig
from gban_edge.models.layers import BiLSTM, inside
from gban_edge.text import PAD_ID


class SpeechEncoder(nn.Module):
    """Features [B, N, 52] -> states S [B, K, D] and the last state h_s [B, D].

    Four times [Conv1d of 4 frames, ReLU, MaxPool 2], then a BiLSTM. An utterance shorter than
    the receptive field is padded with zeros up to it: the mean frame, after standardisation.
    """

    def __init__(self, config: GBANConfig) -> None:
        super().__init__()
        self.config = config
        widths = (config.features, *config.conv_filters)
        self.convs = nn.ModuleList(nn.Conv1d(a, b, config.conv_kernel) for a, b in pairwise(widths))
        self.bilstm = BiLSTM(widths[-1], config.hidden, config.lstm_layers)

    def forward(self, speech: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """speech [B, N, 52], lengths [B] in 0..N -> S [B, K, D], h_s [B, D], steps [B]."""
        field = self.config.receptive_field
        speech = speech.masked_fill(~inside(lengths, speech.shape[1])[:, :, None], 0.0)
        speech = functional.pad(speech, (0, 0, 0, max(0, field - speech.shape[1])))
        steps = lengths.clamp(min=field)
        # As images one pixel high with the channels last, which is how the frames lie in memory:
        # on a CPU twice as fast as conv1d, forward and backward.
        x = speech.transpose(1, 2).unsqueeze(2)
        for conv in self.convs:
            assert isinstance(conv, nn.Conv1d)  # for the type checker
            x = functional.conv2d(x, conv.weight.unsqueeze(2), conv.bias)
            # max(ReLU(x)) = ReLU(max(x)): pooled first, half the work.
            x = torch.relu(functional.max_pool2d(x, (1, 2)))
            steps = (steps - self.config.conv_kernel + 1) // 2
        states, last = self.bilstm(x.squeeze(2).transpose(1, 2), steps)
        return states, last, steps


class TextEncoder(nn.Module):
    """Word ids [B, M] -> states T [B, L, D] and the last state h_t [B, D].

    Embeddings, parallel Conv1d of 2, 3 and 4 words with 'same' padding, ReLU, MaxPool 2 that
    keeps an odd last word, joined, then a BiLSTM.
    """

    def __init__(self, config: GBANConfig) -> None:
        super().__init__()
        self.embedding = nn.Embedding(config.vocabulary, config.embedding, padding_idx=PAD_ID)
        self.convs = nn.ModuleList(
            nn.Conv1d(config.embedding, config.text_filters, k) for k in config.text_kernels
        )
        width = config.text_filters * len(config.text_kernels)
        self.bilstm = BiLSTM(width, config.hidden, config.lstm_layers)

    def forward(self, words: Tensor, counts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """words [B, M], counts [B] in 1..M -> T [B, L, D], h_t [B, D], steps [B]."""
        there = inside(counts, words.shape[1])
        x = self.embedding(words.masked_fill(~there, PAD_ID)).transpose(1, 2)
        x = torch.cat([torch.relu(conv(_same(x, conv))) for conv in self.convs], dim=1)
        # Zero is the least that ReLU gives, so a padded word never wins the pooling.
        x = functional.max_pool1d(x * there[:, None, :], 2, ceil_mode=True)
        steps = (counts + 1) // 2
        states, last = self.bilstm(x.transpose(1, 2), steps)
        return states, last, steps


def _same(x: Tensor, conv: nn.Module) -> Tensor:
    """Pad [B, width, M] so that ``conv`` keeps M; an even kernel gets its extra zero behind."""
    assert isinstance(conv, nn.Conv1d)
    total = conv.kernel_size[0] - 1
    return functional.pad(x, (total // 2, total - total // 2))
