"""The last state of one encoder into the classifier: the unimodal systems of Table 1."""

from __future__ import annotations

from gban_edge.config import GBANConfig
from gban_edge.models.encoders import SpeechEncoder, TextEncoder
from gban_edge.models.system import Inputs, Representation, System


class LastSpeechState(System):
    """``h_s``: the last state of the speech encoder, GBAN's classifier. Hears no words."""

    def __init__(self, config: GBANConfig) -> None:
        super().__init__()
        self.speech = SpeechEncoder(config)
        self.finish(config.states, config)

    def represent(self, inputs: Inputs, return_alignment: bool) -> Representation:
        return Representation(self.speech(inputs.speech, inputs.speech_lengths)[1])


class LastTextState(System):
    """``h_t``: the last state of the text encoder, GBAN's classifier. Hears no sound."""

    def __init__(self, config: GBANConfig) -> None:
        super().__init__()
        self.text = TextEncoder(config)
        self.finish(config.states, config)

    def represent(self, inputs: Inputs, return_alignment: bool) -> Representation:
        return Representation(self.text(inputs.words, inputs.word_counts)[1])
