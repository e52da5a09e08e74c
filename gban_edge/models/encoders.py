"""The two CNN-BiLSTM encoders that every system of the paper stands on."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from gban_edge.config import GBANConfig
from gban_edge.models.layers import BiLSTM, inside
from gban_edge.text import PAD_ID


class SpeechConvolutions(nn.Module):
    """Four times [Conv1d of 4 frames, ReLU, MaxPool 2]: features [B, N, 52] -> steps [B, K, 36].

    (Numbers are the authors' sizes.) Convolutions do not pad, pooling drops an odd last step. An
    utterance shorter than the receptive field is padded with zeros behind, up to it: the mean
    frame, after standardisation.
    """

    def __init__(self, config: GBANConfig) -> None:
        super().__init__()
        self.config = config
        widths = (config.features, *config.conv_filters)
        self.convs = nn.ModuleList(nn.Conv1d(a, b, config.conv_kernel) for a, b in pairwise(widths))

    def convolve(self, speech: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """speech [B, N, 52], lengths [B] in 0..N -> [B, K, 36], true steps [B].

        What stands beyond an utterance's true steps means nothing.
        """
        field = self.config.receptive_field
        # Beyond the field a step that counts sees true frames alone; what other steps see is
        # cleared behind the convolutions, where it is a tenth of the data.
        start = speech[:, :field]
        start = torch.where(inside(lengths, start.shape[1])[:, :, None], start, 0.0)
        start = functional.pad(start, (0, 0, 0, field - start.shape[1]))
        speech = torch.cat([start, speech[:, field:]], dim=1)
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
        x = x.squeeze(2).transpose(1, 2)
        return torch.where(inside(steps, x.shape[1])[:, :, None], x, 0.0), steps


class SpeechEncoder(SpeechConvolutions):
    """Features [B, N, 52] -> states S [B, K, D] and the last state h_s [B, D].

    The convolutions, then a BiLSTM.
    """

    def __init__(self, config: GBANConfig) -> None:
        super().__init__(config)
        self.bilstm = BiLSTM(config.conv_filters[-1], config.hidden, config.lstm_layers)

    def forward(self, speech: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """speech [B, N, 52], lengths [B] in 0..N -> S [B, K, D], h_s [B, D], steps [B]."""
        x, steps = self.convolve(speech, lengths)
        states, last = self.bilstm(x, steps)
        return states, last, steps


class TextEncoder(nn.Module):
    """Word ids [B, M] -> states T [B, L, D] and the last state h_t [B, D].

    Embeddings, parallel Conv1d of 2, 3 and 4 words with 'same' padding (an even kernel gets its
    extra zero behind), ReLU, MaxPool 2 that keeps an odd last word, joined in that order, then a
    BiLSTM.
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
        x = torch.relu(self.convolve(words.masked_fill(~there, PAD_ID))) * there[:, :, None]
        # Zero is the least that ReLU gives, so a padded word never wins the pooling.
        x = functional.pad(x, (0, 0, 0, x.shape[1] % 2))
        x = torch.maximum(x[:, 0::2], x[:, 1::2])
        steps = (counts + 1) // 2
        states, last = self.bilstm(x, steps)
        return states, last, steps

    def convolve(self, words: Tensor) -> Tensor:
        """words [B, M] -> the parallel convolutions of their embeddings, side by side, [B, M, 384].

        Every tap of every filter is multiplied with each *different* word of the batch once; a
        convolution is then a sum of k rows of that table a place. People repeat words, so this
        halves a step of training on a CPU beside conv1d. An even kernel looks one word further
        ahead than back; beyond the ends stands ``<pad>``, whose embedding is zero.
        """
        convs = [conv for conv in self.convs if isinstance(conv, nn.Conv1d)]
        reach = max(conv.kernel_size[0] for conv in convs)
        different, places = torch.unique(
            functional.pad(words, (reach, reach), value=PAD_ID), return_inverse=True
        )
        weights = [conv.weight.permute(1, 2, 0).flatten(1) for conv in convs]
        table = self.embedding(different) @ torch.cat(weights, dim=1)
        parts = []
        for conv, taps in zip(convs, table.split([w.shape[1] for w in weights], 1), strict=True):
            k = conv.kernel_size[0]
            first = reach - (k - 1) // 2
            near = places[:, first : first + words.shape[1] + k - 1].unfold(1, k, 1)
            rows = (near * k + torch.arange(k, device=words.device)).flatten(0, 1)
            taps = taps.reshape(-1, conv.out_channels)
            assert conv.bias is not None  # for the type checker
            parts.append(functional.embedding_bag(rows, taps, mode="sum") + conv.bias)
        return torch.cat(parts, dim=1).view(*words.shape, -1)
