"""The networks, in PyTorch: a registry of every system that can be trained and compared.

Importing this package imports torch; the runtime, features, text and bundle do not.
"""

from __future__ import annotations

import torch
from torch import nn

from gban_edge.bundle import Bundle
from gban_edge.config import GBANConfig
from gban_edge.models.gban import GBAN
from gban_edge.models.output import ModelOutput
from gban_edge.models.single import LastSpeechState, LastTextState

_REGISTRY: dict[str, type[nn.Module]] = {
    "gban": GBAN,
    "h_s": LastSpeechState,
    "h_t": LastTextState,
}

__all__ = ["ModelOutput", "build", "from_bundle", "names"]


def names() -> tuple[str, ...]:
    """The names that :func:`build` knows."""
    return tuple(_REGISTRY)


def build(name: str, config: GBANConfig) -> nn.Module:
    """A freshly initialised network of the registry.

    All share one signature: ``model(speech, speech_lengths, words, word_counts,
    return_alignment=False) -> ModelOutput`` with speech [B, N, 52] standardised features,
    words [B, M] ids, and the true lengths [B] of each.

    Raises:
        ValueError: no such name.
    """
    if name not in _REGISTRY:
        raise ValueError(f"model must be one of {list(_REGISTRY)}, got {name!r}")
    return _REGISTRY[name](config)


def from_bundle(bundle: Bundle) -> nn.Module:
    """The network of a model file, in evaluation mode."""
    model = build(bundle.model, bundle.config)
    model.load_state_dict({k: torch.from_numpy(v.copy()) for k, v in bundle.weights.items()})
    return model.eval()
