"""What every system is made of: a vector for one utterance, and the classifier that all share."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from gban_edge.config import GBANConfig
from gban_edge.models.layers import Classifier, initialise, inside
from gban_edge.models.output import ModelOutput


class Inputs(NamedTuple):
    """A padded batch: speech [B, N, 52], words [B, M] ids, and their true lengths [B]."""

    speech: Tensor
    speech_lengths: Tensor
    words: Tensor
    word_counts: Tensor


class Representation(NamedTuple):
    """h [B, width], and what :class:`ModelOutput` says of gates and alignment."""

    h: Tensor
    gates: tuple[Tensor, Tensor] | None = None
    alignment: tuple[Tensor, Tensor] | None = None


class System(nn.Module):
    """Inputs -> h (:meth:`represent`, a system's own) -> the classifier of eqs. 22-23."""

    classifier: Classifier

    def finish(self, width: int, config: GBANConfig) -> None:
        """Add the classifier on h [B, width] and initialise everything; ends a constructor."""
        self.classifier = Classifier(width, config)
        initialise(self)

    def represent(self, inputs: Inputs, return_alignment: bool) -> Representation:
        """The one thing in which systems differ."""
        raise NotImplementedError

    def forward(
        self,
        speech: Tensor,
        speech_lengths: Tensor,
        words: Tensor,
        word_counts: Tensor,
        return_alignment: bool = False,
    ) -> ModelOutput:
        """See :func:`gban_edge.models.build` for the shapes."""
        inputs = Inputs(speech, speech_lengths, words, word_counts)
        h, gates, alignment = self.represent(inputs, return_alignment)
        return ModelOutput(self.classifier(h), gates, alignment)


def masked_softmax(scores: Tensor, lengths: Tensor) -> Tensor:
    """Softmax over the last axis of scores [B, ..., T], over the first ``lengths`` [B] steps."""
    there = inside(lengths, scores.shape[-1])
    there = there.reshape(len(lengths), *[1] * (scores.dim() - 2), -1)
    return torch.softmax(scores.masked_fill(~there, float("-inf")), dim=-1)
