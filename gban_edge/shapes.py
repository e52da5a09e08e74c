"""Names and shapes of every weight of a model: what a model file must hold, without torch.

A test holds these tables against the torch modules' own ``state_dict``.
"""

from __future__ import annotations

from collections.abc import Callable

from gban_edge.config import GBANConfig

Shapes = dict[str, tuple[int, ...]]
Table = Callable[[GBANConfig], Shapes]


def expected_shapes(model: str, config: GBANConfig) -> Shapes:
    """Weight name -> shape of the model called ``model``; ValueError for an unknown name."""
    if model not in _TABLES:
        raise ValueError(f"model must be one of {list(_TABLES)}, got {model!r}")
    return _TABLES[model](config)


def names() -> tuple[str, ...]:
    """The names that :func:`expected_shapes` knows: those of ``gban_edge.models``."""
    return tuple(_TABLES)


def _aligned(width: Callable[[GBANConfig], int], *groups: str) -> Table:
    """Both encoders, the gated pairs named, the classifier on ``width`` entries."""

    def table(config: GBANConfig) -> Shapes:
        gates = [_gated_pair(f"fusion.{group}", config) for group in groups]
        return _join(_encoders(config), *gates, _classifier(config, width(config)))

    return table


def _h_s(c: GBANConfig) -> Shapes:
    return _join(_speech(c), _classifier(c, c.states))


def _h_t(c: GBANConfig) -> Shapes:
    return _join(_text(c), _classifier(c, c.states))


def _cnn_att(c: GBANConfig) -> Shapes:
    width = c.conv_filters[-1]
    score: Shapes = {"score.weight": (1, width)}
    return _join(_convolutions(c), score, _classifier(c, width))


def _lstm_att(c: GBANConfig) -> Shapes:
    scores: Shapes = {
        "state.weight": (c.hidden, c.states),
        "context.weight": (c.hidden, c.states),
        "score.weight": (1, c.hidden),
    }
    return _join(_speech(c), scores, _classifier(c, c.states))


def _self_att(c: GBANConfig) -> Shapes:
    D = c.states
    layer: Shapes = {
        **_linear("project", D, c.conv_filters[-1]),
        "attention.in_proj_weight": (3 * D, D),
        "attention.in_proj_bias": (3 * D,),
        **_linear("attention.out_proj", D, D),
        "norm.weight": (D,),
        "norm.bias": (D,),
    }
    return _join(_convolutions(c), layer, _classifier(c, D))


def _att_lstm(c: GBANConfig) -> Shapes:
    scores: Shapes = {"speech_score.weight": (1, c.states), **_linear("text_score", 1, c.states)}
    joint = _bilstm("joint", 2 * c.states, c)
    return _join(_encoders(c), scores, joint, _classifier(c, c.states))


def _mdre(c: GBANConfig) -> Shapes:
    speech = _linear("project_speech", c.hidden, c.states)
    text = _linear("project_text", c.hidden, c.states)
    return _join(_encoders(c), speech, text, _classifier(c, 2 * c.hidden))


def _mdrea(c: GBANConfig) -> Shapes:
    project = _linear("project_speech", c.states, c.states)
    return _join(_encoders(c), project, _classifier(c, 2 * c.states))


_TABLES: dict[str, Table] = {
    "gban": _aligned(lambda c: c.fusion, "aligned", "last"),
    "h_s": _h_s,
    "h_t": _h_t,
    "a_s": _aligned(lambda c: c.states),
    "a_t": _aligned(lambda c: c.states),
    "concat_1": _aligned(lambda c: 2 * c.states),
    "tfl": _aligned(lambda c: (c.states + 1) ** 2),
    "gmu": _aligned(lambda c: c.fusion, "aligned"),
    "concat_2": _aligned(lambda c: 4 * c.states),
    "cnn_att": _cnn_att,
    "lstm_att": _lstm_att,
    "self_att": _self_att,
    "att_lstm": _att_lstm,
    "mdre": _mdre,
    "mdrea": _mdrea,
}


def _join(*tables: Shapes) -> Shapes:
    return {name: shape for table in tables for name, shape in table.items()}


def _encoders(config: GBANConfig) -> Shapes:
    return _join(_speech(config), _text(config))


def _linear(name: str, rows: int, columns: int) -> Shapes:
    return {f"{name}.weight": (rows, columns), f"{name}.bias": (rows,)}


def _convolutions(config: GBANConfig) -> Shapes:
    shapes: Shapes = {}
    width = config.features
    for i, filters in enumerate(config.conv_filters):
        shapes[f"speech.convs.{i}.weight"] = (filters, width, config.conv_kernel)
        shapes[f"speech.convs.{i}.bias"] = (filters,)
        width = filters
    return shapes


def _speech(config: GBANConfig) -> Shapes:
    bilstm = _bilstm("speech.bilstm", config.conv_filters[-1], config)
    return _join(_convolutions(config), bilstm)


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


def _gated_pair(name: str, config: GBANConfig) -> Shapes:
    return {
        f"{name}.speech.weight": (config.fusion, config.states),
        f"{name}.text.weight": (config.fusion, config.states),
        f"{name}.gate.weight": (config.fusion, 2 * config.states),
    }


def _classifier(config: GBANConfig, width: int) -> Shapes:
    return {
        "classifier.hidden.weight": (config.classifier, width),
        "classifier.output.weight": (config.classes, config.classifier),
        "classifier.output.bias": (config.classes,),
    }
