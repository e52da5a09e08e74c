"""One representation into the classifier: the unimodal systems of the paper's Table 1."""

from __future__ import annotations

from torch import Tensor, nn

from gban_edge.config import GBANConfig
from gban_edge.models.encoders import SpeechEncoder, TextEncoder
from gban_edge.models.layers import Classifier, initialise
from gban_edge.models.output import ModelOutput


class LastSpeechState(nn.Module):
    """``h_s``: the last state of the speech encoder, GBAN's classifier. Hears no words."""

    def __init__(self, config: GBANConfig) -> None:
        super().__init__()
        self.speech = SpeechEncoder(config)
        self.classifier = Classifier(config.states, config)
        initialise(self)

    def forward(
        self,
        speech: Tensor,
        speech_lengths: Tensor,
        words: Tensor,
        word_counts: Tensor,
        return_alignment: bool = False,
    ) -> ModelOutput:
        """See :func:`gban_edge.models.build`; the words are not looked at."""
        return ModelOutput(self.classifier(self.speech(speech, speech_lengths)[1]))


class LastTextState(nn.Module):
    """``h_t``: the last state of the text encoder, GBAN's classifier. Hears no sound."""

    def __init__(self, config: GBANConfig) -> None:
        super().__init__()
        self.text = TextEncoder(config)
        self.classifier = Classifier(config.states, config)
        initialise(self)

    def forward(
        self,
        speech: Tensor,
        speech_lengths: Tensor,
        words: Tensor,
        word_counts: Tensor,
        return_alignment: bool = False,
    ) -> ModelOutput:
        """See :func:`gban_edge.models.build`; the sound is not looked at."""
        return ModelOutput(self.classifier(self.text(words, word_counts)[1]))
