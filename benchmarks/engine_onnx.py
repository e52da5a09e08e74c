"""GBAN as an ONNX graph written by hand for speed: what ONNX Runtime and OpenVINO are given.

One utterance, from features [N, 52] as the frontend makes them and word ids [M] to probabilities
[1, C]. Written as one writes it who knows both runtimes: the standardisation folded into the first
convolution and the temperature into the last product; one bidirectional LSTM operator a layer; the
alignment in its pooled form with one score matrix (a_s = S' w_s with w_s = E (1/c) / L, where
E = exp(tanh(S T')) and c are the sums of E over speech steps); each gate beside its projections in
one product a vector.
"""

from __future__ import annotations

import numpy as np
import onnx
from engine_case import gated_weights, speech_filter, text_filter, text_tables
from onnx import TensorProto, helper

from gban_edge.bundle import Bundle
from gban_edge.deploy.onnx_graph import Graph
from gban_edge.deploy.onnx_network import layer_weights
from gban_edge.text import PAD_ID

OPSET, IR = 17, 8
TEXT_FORMS = ("convolutions", "products", "tables")


def network(
    bundle: Bundle,
    frames: int | None = None,
    words: int | None = None,
    text: str = "products",
) -> onnx.ModelProto:
    """The graph for ``frames`` frames and ``words`` words, or for any where None.

    There must be at least as many frames as the receptive field (``engine_case.filled``) and one
    word. ``text`` says how the text convolutions are written; the result is the same.

    Raises:
        ValueError: the model is not "gban", or the form is not one of TEXT_FORMS.
    """
    if bundle.model != "gban":
        raise ValueError(f"model must be gban, got {bundle.model!r}")
    if text not in TEXT_FORMS:
        raise ValueError(f"text must be one of {TEXT_FORMS}, got {text!r}")
    graph = Graph()
    S, h_s = bilstm(graph, bundle, "speech", speech_steps(graph, bundle, frames))
    T, h_t = bilstm(graph, bundle, "text", text_steps(graph, bundle, text, words))
    K = None if frames is None else bundle.config.speech_steps(frames)
    L = None if words is None else bundle.config.text_steps(words)
    a_s, a_t = alignment(graph, S, T, K, L)
    probabilities(graph, bundle, fusion(graph, bundle, (a_s, h_s), (a_t, h_t)))
    return model_of(graph, bundle, frames, words)


def model_of(
    graph: Graph, bundle: Bundle, frames: int | None, words: int | None
) -> onnx.ModelProto:
    value = helper.make_tensor_value_info
    inputs = [
        value("features", TensorProto.FLOAT, [frames or "N", bundle.config.features]),
        value("words", TensorProto.INT64, [words or "M"]),
    ]
    outputs = [value("probabilities", TensorProto.FLOAT, [1, bundle.config.classes])]
    made = helper.make_graph(graph.nodes, "gban", inputs, outputs, graph.constants)
    opset = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(made, opset_imports=opset, ir_version=IR)
    onnx.checker.check_model(model, full_check=True)
    return model


# --- encoders


def speech_steps(g: Graph, bundle: Bundle, frames: int | None) -> str:
    """features [N, 52] -> [K, 1, filters], what the LSTM reads.

    Convolutions run on images one pixel high, which ONNX Runtime has faster kernels for.
    """
    x = g.op("Transpose", "features", perm=[1, 0])
    x = g.reshape(x, 1, bundle.config.features, 1, frames or -1)
    for layer in range(len(bundle.config.conv_filters)):
        weight, bias = speech_filter(bundle, layer)
        x = g.op("Conv", x, g.constant(weight[:, :, None]), g.constant(bias))
        x = g.op("MaxPool", g.op("Relu", x), kernel_shape=[1, 2], strides=[1, 2])
    K = -1 if frames is None else bundle.config.speech_steps(frames)
    return g.op("Transpose", g.reshape(x, 1, bundle.config.conv_filters[-1], K), perm=[2, 0, 1])


def text_steps(g: Graph, bundle: Bundle, form: str, words: int | None) -> str:
    """words [M] -> [L, 1, 384], what the LSTM reads."""
    if form == "convolutions":
        return text_convolutions(g, bundle)
    x = text_products(g, bundle, words) if form == "products" else text_sums(g, bundle)
    x = pairs(g, g.op("Relu", x), words)
    return g.op("Unsqueeze", x, g.constant([1], np.int64))


def text_convolutions(g: Graph, bundle: Bundle) -> str:
    """Three convolutions as such; the pooling keeps an odd last word."""
    table = g.constant(bundle.weights["text.embedding.weight"])
    x = g.op("Transpose", g.op("Gather", table, "words", axis=0), perm=[1, 0])
    x = g.op("Unsqueeze", x, g.constant([0], np.int64))
    parts = []
    for i, kernel in enumerate(bundle.config.text_kernels):
        weight, bias = (bundle.weights[f"text.convs.{i}.{n}"] for n in ("weight", "bias"))
        pads = [(kernel - 1) // 2, kernel // 2]
        parts.append(g.op("Conv", x, g.constant(weight), g.constant(bias), pads=pads))
    x = g.op("Relu", g.op("Concat", *parts, axis=1))
    x = g.op("MaxPool", x, kernel_shape=[2], strides=[2], ceil_mode=1)
    return g.op("Transpose", x, perm=[2, 0, 1])


def text_sums(g: Graph, bundle: Bundle) -> str:
    """[M, 384] as a sum of rows of tables made beforehand."""
    tables, own = text_tables(bundle)
    ids = shifted(g, own, len(tables) - 1 - own)
    rows = (
        g.op("Gather", g.constant(table), near, axis=0)
        for table, near in zip(tables, ids, strict=True)
    )
    return g.op("Sum", *rows)


def text_products(g: Graph, bundle: Bundle, words: int | None) -> str:
    """[M, 384]: for each kernel a product on each word's own neighbours."""
    table, parts = g.constant(bundle.weights["text.embedding.weight"]), []
    for i, kernel in enumerate(bundle.config.text_kernels):
        weight, bias = text_filter(bundle, i)
        near = neighbours(g, bundle, table, words, (kernel - 1) // 2, kernel // 2)
        parts.append(g.op("Gemm", near, g.constant(weight.T), g.constant(bias)))
    return g.op("Concat", *parts, axis=1)


def neighbours(
    g: Graph, bundle: Bundle, table: str, words: int | None, before: int, after: int
) -> str:
    """Vectors of each word and those around it, [M, (before + 1 + after) * 300]; zeros beyond."""
    axis = g.constant([1], np.int64)
    columns = [g.op("Unsqueeze", x, axis) for x in shifted(g, before, after)]
    vectors = g.op("Gather", table, g.op("Concat", *columns, axis=1), axis=0)
    return g.reshape(vectors, words or -1, len(columns) * bundle.config.embedding)


def shifted(g: Graph, before: int, after: int) -> list[str]:
    """words [M] as seen from each place, ``before`` earlier to ``after`` later; <pad> beyond."""
    around = [g.constant([PAD_ID] * n, np.int64) for n in (before, after)]
    row = g.op("Concat", around[0], "words", around[1], axis=0)
    axis, end = g.constant([0], np.int64), np.iinfo(np.int64).max
    spans = [(before + after - left, -left if left else end)
             for left in range(before + after, -1, -1)]  # fmt: skip
    return [g.op("Slice", row, *(g.constant([n], np.int64) for n in span), axis) for span in spans]


def pairs(g: Graph, x: str, words: int | None) -> str:
    """Greater of rows 0 and 1, 2 and 3, ... of x [M, width]; an odd last one alone."""
    end = g.constant([np.iinfo(np.int64).max], np.int64)
    zero, one, two, last = (g.constant([n], np.int64) for n in (0, 1, 2, -1))
    even = g.op("Slice", x, zero, end, zero, two)
    if words is None or words % 2:
        x = g.op("Concat", x, g.op("Slice", x, last, end, zero), axis=0)
    return g.op("Max", even, g.op("Slice", x, one, end, zero, two))


def bilstm(g: Graph, bundle: Bundle, modality: str, x: str) -> tuple[str, str]:
    """x [T, 1, width] -> states [T, D] and the last state [1, D] of the top layer."""
    H = bundle.config.hidden
    for layer in range(bundle.config.lstm_layers):
        W, R, B = (g.constant(w) for w in layer_weights(bundle, modality, layer))
        Y, Y_h = g.ops("LSTM", 2, x, W, R, B, hidden_size=H, direction="bidirectional")
        # [T, 2, 1, H]: one utterance, so the directions already lie side by side.
        x = g.reshape(Y, -1, 1, 2 * H)
    return g.reshape(Y, -1, 2 * H), g.reshape(Y_h, 1, 2 * H)


# --- alignment, fusion, classifier


def alignment(g: Graph, S: str, T: str, K: int | None, L: int | None) -> tuple[str, str]:
    """S [K, D], T [L, D] -> a_s and a_t [1, D], pooled (eqs. 9-14 and the means)."""
    E = g.op("Exp", g.op("Tanh", g.op("Gemm", S, T, transB=1)))
    c = g.op("ReduceSum", E, g.constant([0], np.int64))  # [1, L], over speech steps
    r = g.op("ReduceSum", E, g.constant([1], np.int64))  # [K, 1], over words
    if K is None or L is None:  # a step's share need not be a constant: the mean does it
        w_s = g.op("ReduceMean", g.op("Div", E, c), axes=[1])
        w_t = g.op("ReduceMean", g.op("Div", E, r), axes=[0])
        return g.op("Gemm", w_s, S, transA=1), g.op("MatMul", w_t, T)
    w_s = g.op("Gemm", g.op("Div", g.constant(1 / L), c), E, transB=1)  # [1, K]
    w_t = g.op("Gemm", g.op("Div", g.constant(1 / K), r), E, transA=1)  # [1, L]
    return g.op("MatMul", w_s, S), g.op("MatMul", w_t, T)


def fusion(g: Graph, bundle: Bundle, speech: tuple[str, str], text: tuple[str, str]) -> str:
    """(a_s, h_s) and (a_t, h_t), [1, D] each -> h [1, fusion] (eqs. 15-21).

    A vector's projection and its part of the gate are one product; z p_s + (1 - z) p_t is
    p_t + z (p_s - p_t).
    """
    halves, width = [], bundle.config.fusion
    for group, x_s, x_t in zip(("aligned", "last"), speech, text, strict=True):
        split = g.constant([width, width], np.int64)
        sides = []
        for x, weight in zip((x_s, x_t), gated_weights(bundle, group), strict=True):
            both = g.op("MatMul", x, g.constant(weight.T))
            p, z = g.ops("Split", 2, both, split, axis=1)
            sides.append((g.op("Tanh", p), z))
        (p_s, z_s), (p_t, z_t) = sides
        z = g.op("Sigmoid", g.op("Add", z_s, z_t))
        halves.append(g.op("Add", p_t, g.op("Mul", z, g.op("Sub", p_s, p_t))))
    return g.op("Add", *halves)


def probabilities(g: Graph, bundle: Bundle, h: str) -> None:
    """Eqs. 22-23 and the softmax of logits / temperature."""
    w = bundle.weights
    hidden = g.op("Relu", g.op("MatMul", h, g.constant(w["classifier.hidden.weight"].T)))
    weight, bias = (w[f"classifier.output.{n}"] / bundle.temperature for n in ("weight", "bias"))
    logits = g.op("Gemm", hidden, g.constant(weight.T), g.constant(bias))
    g.nodes.append(helper.make_node("Softmax", [logits], ["probabilities"], axis=1))
