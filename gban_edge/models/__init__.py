"""The networks, in PyTorch: a registry of every system that can be trained and compared.

Importing this package imports torch; the runtime, features, text and bundle do not.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from gban_edge.bundle import Bundle
from gban_edge.config import GBANConfig
from gban_edge.models.att_lstm import AttLSTM
from gban_edge.models.concatenation import AlignedSpeech, AlignedText, Concat1, Concat2
from gban_edge.models.fusion import GatedMultimodalUnit
from gban_edge.models.gban import GBAN
from gban_edge.models.mdre import MDRE, MDREA
from gban_edge.models.output import ModelOutput
from gban_edge.models.single import LastSpeechState, LastTextState
from gban_edge.models.speech_attention import CNNAttention, LSTMAttention, SelfAttention
from gban_edge.models.system import System
from gban_edge.models.tensor_fusion import TensorFusion

_REGISTRY: dict[str, Callable[[GBANConfig], System]] = {
    "gban": GBAN,
    # Table 1: one representation.
    "h_s": LastSpeechState,
    "h_t": LastTextState,
    "a_s": AlignedSpeech,
    "a_t": AlignedText,
    # Table 2: fusions.
    "concat_1": Concat1,
    "tfl": TensorFusion,
    "gmu": GatedMultimodalUnit,
    "concat_2": Concat2,
    # Table 3: other people's systems.
    "cnn_att": CNNAttention,
    "lstm_att": LSTMAttention,
    "self_att": SelfAttention,
    "att_lstm": AttLSTM,
    "mdre": MDRE,
    "mdrea": MDREA,
}

__all__ = ["ModelOutput", "System", "build", "from_bundle", "names"]


def names() -> tuple[str, ...]:
    """The names that :func:`build` knows."""
    return tuple(_REGISTRY)


def build(name: str, config: GBANConfig) -> System:
    """A freshly initialised network of the registry.

    All share one signature: ``model(speech, speech_lengths, words, word_counts,
    return_alignment=False) -> ModelOutput`` with speech [B, N, 52] standardised features,
    words [B, M] ids, and the true lengths [B] of each: 0 frames or more, 1 word or more (an
    utterance without words has one ``<unk>``).

    Args:
        name: "gban", "h_s" and so on.
        config: the sizes.

    Raises:
        ValueError: no such name.
    """
    if name not in _REGISTRY:
        raise ValueError(f"model must be one of {list(_REGISTRY)}, got {name!r}")
    return _REGISTRY[name](config)


def from_bundle(bundle: Bundle) -> System:
    """The network of a model file, in evaluation mode, its weights a copy.

    Args:
        bundle: what :func:`gban_edge.bundle.load` gives.

    Raises:
        ValueError: a network that is not in the registry.
    """
    model = build(bundle.model, bundle.config)
    model.load_state_dict({k: torch.from_numpy(v.copy()) for k, v in bundle.weights.items()})
    return model.eval()
