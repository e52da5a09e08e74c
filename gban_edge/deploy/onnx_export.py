"""A model file as an ONNX file that explains itself; see :func:`export`."""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np

import gban_edge
from gban_edge import bundle as model_file
from gban_edge import features
from gban_edge.bundle import Bundle
from gban_edge.deploy import onnx_network as plain
from gban_edge.deploy import onnx_plugin as plugin
from gban_edge.deploy.onnx_graph import Graph, onnx_package
from gban_edge.files import write_bytes
from gban_edge.runtime.onnx_facts import FORMAT, FORMAT_VERSION

OPSET, IR = 17, 8  # what TensorRT 10.3 reads; IR 8 is the first with model-local functions
PRECISIONS: dict[str, type] = {"fp32": np.float32, "fp16": np.float16}
FLAVOURS = ("plain", "plugin")


def export(
    model: str | os.PathLike[str],
    path: str | os.PathLike[str],
    *,
    precision: str = "fp32",
    flavour: str = "plain",
    functions: bool = True,
) -> None:
    """Write the network of a model file as ONNX, whole or not at all.

    Args:
        model: a model file whose network is "gban".
        path: the file to write; it is replaced if it exists.
        precision: "fp32", or "fp16": weights and states in half precision; standardisation,
            softmaxes, their sums and all outputs in single.
        flavour: "plain" (standard operators) or "plugin" (the nodes BiLSTM and AlignPool of
            csrc/tensorrt).
        functions: whether the plugin flavour also holds what its nodes mean in standard operators,
            so that ONNX Runtime runs it. TensorRT before 10.7 wants it without.

    Raises:
        FileNotFoundError: no such model file.
        ValueError: a damaged model file, one of another network, an unknown precision or flavour.
        RuntimeError: the package onnx is not installed.
    """
    made = network(model_file.load(model), precision, flavour, functions)
    write_bytes(path, made.SerializeToString())


def network(
    bundle: Bundle, precision: str = "fp32", flavour: str = "plain", functions: bool = True
) -> Any:
    """The network of ``bundle`` as an onnx.ModelProto, checked with full shape inference.

    Inputs and outputs: see :func:`inputs` and :func:`outputs`. Arguments and errors are those of
    :func:`export`.
    """
    if bundle.model != "gban":
        raise ValueError(f"the network must be gban, the only one exported, got {bundle.model!r}")
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}, got {precision!r}")
    if flavour not in FLAVOURS:
        raise ValueError(f"flavour must be one of {', '.join(FLAVOURS)}, got {flavour!r}")
    if flavour == "plugin":
        plugin.check(bundle)
    check_range(bundle, PRECISIONS[precision])
    onnx = onnx_package()
    g = Graph(PRECISIONS[precision])
    write_nodes(g, bundle, flavour)
    opsets = [onnx.helper.make_opsetid("", OPSET)]
    local = []
    if flavour == "plugin":
        if functions:
            local = plugin.functions(g.precision, bundle.config.hidden, opsets[0])
        opsets.append(onnx.helper.make_opsetid(plugin.DOMAIN, 1))
    graph = onnx.helper.make_graph(
        g.nodes, "gban", inputs(bundle), outputs(bundle), g.constants, doc_string=DESCRIPTION
    )
    made = onnx.helper.make_model(
        graph, opset_imports=opsets, ir_version=IR, functions=local,
        producer_name="gban-edge", producer_version=gban_edge.__version__,
    )  # fmt: skip
    onnx.helper.set_model_props(made, metadata(bundle, precision, flavour, bool(local)))
    onnx.checker.check_model(made, full_check=flavour == "plain" or bool(local))
    return made


def check_range(bundle: Bundle, precision: type) -> None:
    """ValueError for a weight that ``precision`` cannot hold."""
    most = float(np.finfo(precision).max)
    for name, weight in bundle.weights.items():
        greatest = float(np.abs(weight).max())
        if greatest > most:
            raise ValueError(
                f"{name} holds {greatest:g}, more than half precision can ({most:g}); export fp32"
            )


def write_nodes(g: Graph, bundle: Bundle, flavour: str) -> None:
    """The whole network, from the graph's inputs to its outputs."""
    with g.scope("speech"):
        speech_read, speech_valid = plain.speech_steps(g, bundle)
    with g.scope("text"):
        text_read, text_valid = plain.text_steps(g, bundle)
    with g.scope("bilstm"):
        if flavour == "plugin":
            speech, text = plugin.bilstm(g, bundle, speech_read, text_read)
        else:
            speech = plain.bilstm(g, bundle, "speech", speech_read)
            text = plain.bilstm(g, bundle, "text", text_read)
    with g.scope("alignment"):
        aligned = (plugin if flavour == "plugin" else plain).alignment(g, speech, text)
    with g.scope("fusion"):
        first, z_p = plain.gated(g, bundle, "aligned", aligned.a_s, aligned.a_t)
        second, z_q = plain.gated(g, bundle, "last", speech.last, text.last)
        h = g.op("Add", first, second)
    with g.scope("classifier"):
        logits = plain.classified(g, bundle, h)
        valid = g.op("Unsqueeze", g.op("And", speech_valid, text_valid), g.ints(1))
        logits = g.op("Where", valid, logits, g.constant(np.nan, np.float32))
        scaled = g.op("Mul", logits, g.constant(1.0 / bundle.temperature, np.float32))
        probabilities = g.op("Softmax", scaled, axis=1)
    values = (
        logits, probabilities, plain.as_float(g, z_p), plain.as_float(g, z_q), aligned.w_s,
        aligned.w_t, aligned.alpha,
    )  # fmt: skip
    for output, value in zip(outputs(bundle), values, strict=True):
        g.named(output.name, value)


DESCRIPTION = (
    "GBAN (Interspeech 2020): the emotion of utterances from their sound and words. B utterances, "
    "N frames and M words padded; what lies beyond an utterance's lengths is not looked at."
)


def inputs(bundle: Bundle) -> list[Any]:
    """features float32 [B, N, 52], as the frontend makes them and not standardised, N at least the
    receptive field; feature_lengths int32 [B], 0..N; words int32 [B, M], ids of the vocabulary;
    word_lengths int32 [B], 1..M. A length out of range gives NaN for its utterance."""
    onnx = onnx_package()
    value, proto = onnx.helper.make_tensor_value_info, onnx.TensorProto
    field = bundle.config.receptive_field
    return [
        value("features", proto.FLOAT, ["B", "N", bundle.config.features],
              f"as gban_edge.features.extract makes them; N at least {field}"),
        value("feature_lengths", proto.INT32, ["B"], "true frames, 0..N"),
        value("words", proto.INT32, ["B", "M"], "ids of the metadata's vocabulary"),
        value("word_lengths", proto.INT32, ["B"], "true words, 1..M; none are one <unk>"),
    ]  # fmt: skip


def outputs(bundle: Bundle) -> list[Any]:
    """float32: logits and probabilities [B, C]; aligned_gate z_p and last_gate z_q [B, fusion];
    speech_weights [B, K], text_weights [B, L] and alpha [B, L, K], zero beyond the true steps."""
    onnx = onnx_package()
    value, proto = onnx.helper.make_tensor_value_info, onnx.TensorProto
    C, fusion = bundle.config.classes, bundle.config.fusion
    return [
        value("logits", proto.FLOAT, ["B", C], "eq. 23"),
        value("probabilities", proto.FLOAT, ["B", C], "softmax(logits / temperature)"),
        value("aligned_gate", proto.FLOAT, ["B", fusion], "z_p, eq. 17: the share of a_s"),
        value("last_gate", proto.FLOAT, ["B", fusion], "z_q, eq. 20: the share of h_s"),
        value("speech_weights", proto.FLOAT, ["B", "K"], "what each speech step gave to a_s"),
        value("text_weights", proto.FLOAT, ["B", "L"], "what each text step gave to a_t"),
        value("alpha", proto.FLOAT, ["B", "L", "K"], "eq. 10: each text step's attention"),
    ]


def metadata(bundle: Bundle, precision: str, flavour: str, functions: bool) -> dict[str, str]:
    """What the file says of itself; :mod:`gban_edge.runtime.onnx_facts` reads it."""
    fit, config = bundle.standardisation, bundle.config
    parts = {
        "gban_edge": {
            "format": FORMAT,
            "version": FORMAT_VERSION,
            "package": gban_edge.__version__,
        },
        "model": {"name": bundle.model, "config": config.to_dict(), "labels": list(bundle.labels)},
        "vocabulary": list(bundle.vocabulary.words),
        "frontend": {
            "version": features.VERSION,
            "mean": [float(v) for v in fit.mean],
            "deviation": [float(v) for v in fit.deviation],
        },
        "calibration": {"temperature": float(bundle.temperature)},
        "onnx": {
            "opset": OPSET,
            "precision": precision,
            "flavour": flavour,
            "functions": functions,
            "minimum_frames": config.receptive_field,
        },
        "training": bundle.training,
    }
    return {k: json.dumps(v, ensure_ascii=False, allow_nan=False) for k, v in parts.items()}
