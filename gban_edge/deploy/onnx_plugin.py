"""The two nodes that TensorRT runs with this project's own kernels (csrc/tensorrt), and what they
mean in standard operators, so that any runtime that knows model-local functions runs them too."""

from __future__ import annotations

from typing import Any

import numpy as np

from gban_edge.bundle import Bundle
from gban_edge.deploy import onnx_network as plain
from gban_edge.deploy.onnx_graph import Array, Graph, onnx_package
from gban_edge.deploy.onnx_network import Alignment, Modality, Steps

DOMAIN, VERSION = "gban_edge", "1"
# Of hidden units a direction: what the BiLSTM's kernels are compiled for.
HIDDEN = (128, 256)
# TensorRT takes a plugin's namespace from the node's domain since 10.10, else from these.
IDENTITY = {"plugin_namespace": DOMAIN, "plugin_version": VERSION}
ALIGN_POOL = (
    ("speech", "text", "speech_lengths", "text_lengths"),
    ("a_s", "a_t", "speech_weights", "text_weights", "alpha"),
)
BILSTM = (
    ("speech", "speech_lengths", "text", "text_lengths"),
    ("speech_states", "speech_last", "text_states", "text_last"),
)
WEIGHTS = tuple(f"{modality}_{part}" for modality in ("speech", "text") for part in "WRB")


def check(bundle: Bundle) -> None:
    """ValueError where the plugins have no kernel for the network."""
    if bundle.config.hidden not in HIDDEN:
        raise ValueError(
            f"the plugin flavour needs hidden to be one of {HIDDEN}, for which there are kernels, "
            f"got {bundle.config.hidden}; export the plain flavour"
        )


def bilstm(g: Graph, bundle: Bundle, speech: Steps, text: Steps) -> tuple[Modality, Modality]:
    """Both modalities' states and last states: a BiLSTM node a layer."""
    onnx = onnx_package()
    lengths = [g.cast(one.steps, np.int64) for one in (speech, text)]
    x, y = speech.x, text.x
    for layer in range(bundle.config.lstm_layers):
        weights: dict[str, Any] = {}
        for modality in ("speech", "text"):
            for part, value in zip(
                "WRB", plain.layer_weights(bundle, modality, layer), strict=True
            ):
                array: Array = np.ascontiguousarray(value, g.precision)
                weights[f"{modality}_{part}"] = onnx.numpy_helper.from_array(array)
        x, h_s, y, h_t = g.ops(
            "BiLSTM", 4, x, lengths[0], y, lengths[1], domain=DOMAIN,
            hidden_size=bundle.config.hidden, **weights, **IDENTITY,
        )  # fmt: skip
    h_s, h_t = (plain.as_precision(g, h) for h in (h_s, h_t))
    return Modality(x, h_s, speech.steps, speech.there), Modality(y, h_t, text.steps, text.there)


def alignment(g: Graph, speech: Modality, text: Modality) -> Alignment:
    """One AlignPool node."""
    lengths = [g.cast(one.steps, np.int64) for one in (speech, text)]
    a_s, a_t, *weights = g.ops(
        "AlignPool", 5, speech.states, text.states, *lengths, domain=DOMAIN, **IDENTITY
    )
    return Alignment(a_s, a_t, *(plain.as_float(g, w) for w in weights))


def functions(precision: type, hidden: int, opset: Any) -> list[Any]:
    """The nodes' meaning, as model-local functions."""
    return [_bilstm_function(precision, hidden, opset), _align_pool_function(precision, opset)]


def _bilstm_function(precision: type, hidden: int, opset: Any) -> Any:
    g = Graph(precision)
    made = []
    for modality in ("speech", "text"):
        weights = [_attribute(g, f"{modality}_{part}") for part in "WRB"]
        steps = g.cast(f"{modality}_lengths", np.int32)
        there = plain.inside(g, plain.places(g, modality, 1)[1], steps)
        W, R, B = weights
        states, last = plain.lstm_layer(g, (W, R, B), modality, steps, there, hidden)
        made += [states, g.cast(last, np.float32)]
    return _function("BiLSTM", BILSTM, g, made, ["hidden_size", *WEIGHTS], opset)


def _align_pool_function(precision: type, opset: Any) -> Any:
    g = Graph(precision)
    both = []
    for modality in ("speech", "text"):
        steps = g.cast(f"{modality}_lengths", np.int32)
        there = plain.inside(g, plain.places(g, modality, 1)[1], steps)
        both.append(Modality(modality, "", steps, there))
    out = plain.alignment(g, *both)
    made = [out.a_s, out.a_t, *(plain.as_precision(g, w) for w in (out.w_s, out.w_t, out.alpha))]
    return _function("AlignPool", ALIGN_POOL, g, made, [], opset)


def _attribute(g: Graph, name: str) -> str:
    """The value of a tensor attribute of the function's node."""
    onnx = onnx_package()
    value = g.op("Constant")
    reference = onnx.AttributeProto(
        name="value", ref_attr_name=name, type=onnx.AttributeProto.TENSOR
    )
    g.nodes[-1].attribute.append(reference)
    return value


def _function(
    name: str,
    io: tuple[tuple[str, ...], ...],
    g: Graph,
    made: list[str],
    own: list[str],
    opset: Any,
) -> Any:
    """The nodes of ``g`` as a function; its constants become nodes, since functions have none."""
    helper = onnx_package().helper
    constants = [helper.make_node("Constant", [], [c.name], value=c) for c in g.constants]
    for output, value in zip(io[1], made, strict=True):
        g.nodes.append(helper.make_node("Identity", [value], [output]))
    attributes = [*own, *IDENTITY]
    return helper.make_function(
        DOMAIN, name, list(io[0]), list(io[1]), [*constants, *g.nodes], [opset], attributes
    )
