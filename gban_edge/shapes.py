"""Names and shapes of every weight of a model: what a model file must hold, without torch.

A test holds these tables against the torch modules' own ``state_dict``.
"""

from __future__ import annotations

from gban_edge.config import GBANConfig

Shapes = dict[str, tuple[int, ...]]


def expected_shapes(model: str, config: GBANConfig) -> Shapes:
    """Weight name -> shape of the model called ``model``; ValueError for an unknown name."""
    if model == "gban":
        return {**_speech(config), **_text(config), **_fusion(config), **_classifier(config)}
    if model == "h_s":
        return {**_speech(config), **_classifier(config, config.states)}
    if model == "h_t":
        return {**_text(config), **_classifier(config, config.states)}
    raise ValueError(f"model must be one of {list(NAMES)}, got {model!r}")


NAMES = ("gban", "h_s", "h_t")


def _speech(config: GBANConfig) -> Shapes:
    shapes: Shapes = {}
    width = config.features
    for i, filters in enumerate(config.conv_filters):
        shapes[f"speech.convs.{i}.weight"] = (filters, width, config.conv_kernel)
        shapes[f"speech.convs.{i}.bias"] = (filters,)
        width = filters
    return {**shapes, **_bilstm("speech.bilstm", width, config)}


def _text(config: GBANConfig) -> Shapes:
    shapes: Shapes = {"text.embedding.weight": (config.vocabulary, config.embedding)}
    for i, kernel in enumerate(config.text_kernels):
        shapes[f"text.convs.{i}.weight"] = (config.text_filters, config.embedding, kernel)
        shapes[f"text.convs.{i}.bias"] = (config.text_filters,)
    width = config.text_filters * len(config.text_kernels)
    return {**shapes, **_bilstm("text.bilstm", width, config)}


def _bilstm(prefix: str, width: int, config: GBANConfig) -> Shapes:
    shapes: Shapes = {}
    gates = 4 * config.hidden
    for layer in range(config.lstm_layers):
        for direction in ("forward_layers", "backward_layers"):
            name = f"{prefix}.{direction}.{layer}"
            shapes[f"{name}.weight_ih_l0"] = (gates, width)
            shapes[f"{name}.weight_hh_l0"] = (gates, config.hidden)
            shapes[f"{name}.bias_ih_l0"] = (gates,)
            shapes[f"{name}.bias_hh_l0"] = (gates,)
        width = config.states
    return shapes


def _fusion(config: GBANConfig) -> Shapes:
    shapes: Shapes = {}
    for group in ("aligned", "last"):
        shapes[f"fusion.{group}.speech.weight"] = (config.fusion, config.states)
        shapes[f"fusion.{group}.text.weight"] = (config.fusion, config.states)
        shapes[f"fusion.{group}.gate.weight"] = (config.fusion, 2 * config.states)
    return shapes


def _classifier(config: GBANConfig, width: int | None = None) -> Shapes:
    return {
        "classifier.hidden.weight": (config.classifier, width or config.fusion),
        "classifier.output.weight": (config.classes, config.classifier),
        "classifier.output.bias": (config.classes,),
    }
