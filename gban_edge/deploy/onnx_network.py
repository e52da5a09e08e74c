"""GBAN as a graph of standard ONNX operators, for ragged batches.

Every value at an utterance's true steps depends on that utterance's true frames and words alone:
what lies beyond is masked before it can be seen. Equations are PAPER's, as in gban_edge/models.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gban_edge.bundle import Bundle
from gban_edge.deploy.onnx_graph import Array, Graph, lstm_weights
from gban_edge.text import PAD_ID

# exp(tanh) is at least 1/e, so a sum over true steps is never below this; one over none is 0.
LEAST_SUM = 0.25


class Modality(NamedTuple):
    """Of speech or text: states [B, steps, D], the last state [B, D], true steps [B] int32, and
    which steps are true, bool [B, steps]."""

    states: str
    last: str
    steps: str
    there: str


class Alignment(NamedTuple):
    """a_s and a_t [B, D]; w_s [B, K], w_t [B, L] and alpha [B, L, K], float32."""

    a_s: str
    a_t: str
    w_s: str
    w_t: str
    alpha: str


class Steps(NamedTuple):
    """What a BiLSTM reads: [B, steps, width], true steps [B] int32, which are true [B, steps]."""

    x: str
    steps: str
    there: str


def places(g: Graph, x: str, axis: int) -> tuple[str, str]:
    """The size of dimension ``axis`` of ``x``, int32 [1], and 0, 1, ... up to it, int32 [size]."""
    size = g.cast(g.op("Shape", x, start=axis, end=axis + 1), np.int32)
    scalar = g.op("Squeeze", size, g.ints(0))
    zero, one = (g.constant(n, np.int32) for n in (0, 1))
    return size, g.op("Range", zero, scalar, one)


def inside(g: Graph, at: str, lengths: str) -> str:
    """bool [B, steps]: whether place ``at`` [steps] lies within ``lengths`` [B]."""
    return g.op("Less", at, g.op("Unsqueeze", lengths, g.ints(1)))


def clipped(g: Graph, lengths: str, least: int, most: str) -> tuple[str, str]:
    """``lengths`` [B] within least..most, and whether they were, bool [B]."""
    low = g.op("Max", lengths, g.constant([least], np.int32))
    inner = g.op("Min", low, most)
    return inner, g.op("Equal", inner, lengths)


# --- what the BiLSTMs read


def speech_steps(g: Graph, bundle: Bundle) -> tuple[Steps, str]:
    """features [B, N, 52] -> [B, K, filters], and which lengths are in range, bool [B].

    Frames beyond a length become 0 once standardised, which is also what an utterance shorter than
    the receptive field is filled up with. Images one pixel high are what runtimes have fast
    convolutions for.
    """
    config, fit = bundle.config, bundle.standardisation
    frames, at = places(g, "features", 1)
    lengths, valid = clipped(g, "feature_lengths", 0, frames)
    mean, scale = (g.constant(v, np.float32) for v in (fit.mean, 1.0 / fit.deviation))
    x = g.op("Mul", g.op("Sub", "features", mean), scale)
    there = g.op("Unsqueeze", inside(g, at, lengths), g.ints(2))
    x = g.op("Where", there, x, g.constant(0.0, np.float32))
    x = g.cast(x, g.precision) if g.precision is not np.float32 else x
    x = g.op("Unsqueeze", g.op("Transpose", x, perm=[0, 2, 1]), g.ints(2))
    for layer in range(len(config.conv_filters)):
        weight, bias = (bundle.weights[f"speech.convs.{layer}.{n}"] for n in ("weight", "bias"))
        kernel = [1, weight.shape[2]]
        x = g.op("Conv", x, g.weight(weight[:, :, None]), g.weight(bias), kernel_shape=kernel)
        x = g.op("MaxPool", g.op("Relu", x), kernel_shape=[1, 2], strides=[1, 2])
    x = g.op("Transpose", g.op("Squeeze", x, g.ints(2)), perm=[0, 2, 1])
    # floor((floor(n / 2) - a) / 2) = floor((n - 2 a) / 4), so all layers are one division.
    halvings = 2 ** len(config.conv_filters)
    least = g.constant([config.receptive_field], np.int32)
    lost = g.constant([(config.conv_kernel - 1) * (halvings - 1)], np.int32)
    steps = g.op("Sub", g.op("Max", lengths, least), lost)
    steps = g.op("Div", steps, g.constant([halvings], np.int32))
    return Steps(x, steps, inside(g, places(g, x, 1)[1], steps)), valid


def text_steps(g: Graph, bundle: Bundle) -> tuple[Steps, str]:
    """words [B, M] -> [B, L, 384], and which lengths are in range, bool [B].

    Words beyond a length are <pad>, whose vector is zero, and their convolutions are cleared: zero
    is the least that ReLU gives, so they never win the pooling.
    """
    count, at = places(g, "words", 1)
    lengths, valid = clipped(g, "word_lengths", 1, count)
    there = inside(g, at, lengths)
    ids = g.op("Where", there, "words", g.constant(PAD_ID, np.int32))
    x = g.op("Gather", g.weight(bundle.weights["text.embedding.weight"]), ids, axis=0)
    x = g.op("Unsqueeze", g.op("Transpose", x, perm=[0, 2, 1]), g.ints(2))
    weight, bias, pads = text_filter(bundle)
    kernel = [1, weight.shape[2]]
    x = g.op("Conv", x, g.weight(weight[:, :, None]), g.weight(bias),
             kernel_shape=kernel, pads=pads)  # fmt: skip
    mask = g.op("Unsqueeze", g.cast(there, g.precision), g.ints(1, 2))
    x = g.op("Mul", g.op("Relu", x), mask)
    x = g.op("MaxPool", x, kernel_shape=[1, 2], strides=[1, 2], ceil_mode=1)
    x = g.op("Transpose", g.op("Squeeze", x, g.ints(2)), perm=[0, 2, 1])
    one, two = (g.constant([n], np.int32) for n in (1, 2))
    steps = g.op("Div", g.op("Add", lengths, one), two)
    return Steps(x, steps, inside(g, places(g, x, 1)[1], steps)), valid


def text_filter(bundle: Bundle) -> tuple[Array, Array, list[int]]:
    """The parallel text convolutions as one: weight [384, 300, taps], bias [384], ONNX's pads.

    Each kernel sits where it looks within the widest window, among zeros: a third more arithmetic,
    and one convolution instead of three and their concatenation.
    """
    kernels = bundle.config.text_kernels
    before, after = max((k - 1) // 2 for k in kernels), max(k // 2 for k in kernels)
    weights, biases = [], []
    for i, kernel in enumerate(kernels):
        weight, bias = (bundle.weights[f"text.convs.{i}.{n}"] for n in ("weight", "bias"))
        first = before - (kernel - 1) // 2
        last = before + after + 1 - first - kernel
        weights.append(np.pad(weight, ((0, 0), (0, 0), (first, last))))
        biases.append(bias)
    return np.concatenate(weights), np.concatenate(biases), [0, before, 0, after]


# --- recurrence


def layer_weights(bundle: Bundle, modality: str, layer: int) -> list[Array]:
    """W, R and B of one layer, in ONNX's layout."""
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    return lstm_weights([
        [bundle.weights[f"{modality}.bilstm.{way}_layers.{layer}.{name}"] for name in names]
        for way in ("forward", "backward")
    ])  # fmt: skip


def bilstm(g: Graph, bundle: Bundle, modality: str, read: Steps) -> Modality:
    """States [B, steps, D], zero beyond the true ones, and the last state [B, D]."""
    x = read.x
    for layer in range(bundle.config.lstm_layers):
        W, R, B = (g.weight(w) for w in layer_weights(bundle, modality, layer))
        x, last = lstm_layer(g, (W, R, B), x, read.steps, read.there, bundle.config.hidden)
    return Modality(x, last, read.steps, read.there)


def lstm_layer(
    g: Graph, weights: tuple[str, str, str], x: str, steps: str, there: str, hidden: int
) -> tuple[str, str]:
    """x [B, steps, width] -> states [B, steps, 2H] and the last state [B, 2H] of one layer."""
    lengths = steps
    if g.precision is not np.float32:  # TensorRT's parser takes sequence lengths in float32 alone
        lengths, (x, weights) = "", closed_gates(g, weights, x, there, hidden)
    W, R, B = weights
    # Without first states TensorRT's parser makes some of float32, whatever the network's type is.
    shape = g.op("Concat", g.ints(2), g.op("Shape", x, start=0, end=1), g.ints(hidden), axis=0)
    zeros = g.op("Expand", g.weight([[[0.0]]]), shape)
    by_step = g.op("Transpose", x, perm=[1, 0, 2])
    Y, Y_h = g.ops("LSTM", 2, by_step, W, R, B, lengths, zeros, zeros,
                   hidden_size=hidden, direction="bidirectional")  # fmt: skip
    states = g.reshape(g.op("Transpose", Y, perm=[2, 0, 1, 3]), 0, 0, 2 * hidden)
    if lengths:
        return states, g.reshape(g.op("Transpose", Y_h, perm=[1, 0, 2]), 0, 2 * hidden)
    return states, last_state(g, states, steps, hidden)


def closed_gates(
    g: Graph, weights: tuple[str, str, str], x: str, there: str, hidden: int
) -> tuple[str, tuple[str, str, str]]:
    """``x`` and the weights of an LSTM whose state stays zero wherever ``there`` is false.

    One more input says that a step is beyond the end; it shuts the input and the forget gate, so
    that the backward direction comes to the last true step with the state that it begins with.
    """
    beyond = g.op("Unsqueeze", g.cast(g.op("Not", there), g.precision), g.ints(2))
    shut = np.repeat([-1e4, 0.0, -1e4, 0.0], hidden)  # gates i, o, f, c
    column = g.weight(np.stack([shut, shut])[:, :, None])
    W, R, B = weights
    return g.op("Concat", x, beyond, axis=2), (g.op("Concat", W, column, axis=2), R, B)


def last_state(g: Graph, states: str, steps: str, hidden: int) -> str:
    """Forward state of the last true step, backward state of the first, [B, 2H]."""
    before = g.op("Unsqueeze", g.op("Sub", steps, g.constant([1], np.int32)), g.ints(1))
    last = g.cast(g.op("Equal", places(g, states, 1)[1], before), g.precision)
    ahead = g.op("MatMul", g.op("Unsqueeze", last, g.ints(1)), states)  # [B, 1, 2H]
    ahead = g.op("Slice", ahead, g.ints(0), g.ints(hidden), g.ints(2))
    back = g.op("Slice", states, g.ints(0, hidden), g.ints(1, 2 * hidden), g.ints(1, 2))
    return g.op("Squeeze", g.op("Concat", ahead, back, axis=2), g.ints(1))


# --- alignment (eqs. 9-14 and the means), fusion (15-21), classifier (22-23)


def alignment(g: Graph, speech: Modality, text: Modality) -> Alignment:
    """The pooled form of csrc/include/gban/alignment.h; scores' softmaxes and sums in float32."""
    scores = g.op("MatMul", text.states, g.op("Transpose", speech.states, perm=[0, 2, 1]))
    E = g.op("Exp", g.op("Tanh", as_float(g, scores)))  # [B, L, K]
    rows, columns = (
        g.op("Unsqueeze", text.there, g.ints(2)),
        g.op("Unsqueeze", speech.there, g.ints(1)),
    )
    zero, least = (g.constant(v, np.float32) for v in (0.0, LEAST_SUM))
    E = g.op("Where", g.op("And", rows, columns), E, zero)
    over_speech = g.op("Max", g.op("ReduceSum", E, g.ints(2), keepdims=1), least)  # c
    over_words = g.op("Max", g.op("ReduceSum", E, g.ints(1), keepdims=1), least)  # r
    alpha = g.op("Div", E, over_speech)
    beta = g.op("Div", E, over_words)
    w_s = mean_over(g, alpha, 1, text.steps)
    w_t = mean_over(g, beta, 2, speech.steps)
    a_s, a_t = (pooled(g, w, of.states) for w, of in ((w_s, speech), (w_t, text)))
    return Alignment(a_s, a_t, w_s, w_t, alpha)


def mean_over(g: Graph, x: str, axis: int, steps: str) -> str:
    """The sum of x over ``axis``, divided by the true steps [B]."""
    count = g.op("Unsqueeze", g.cast(steps, np.float32), g.ints(1))
    return g.op("Div", g.op("ReduceSum", x, g.ints(axis), keepdims=0), count)


def pooled(g: Graph, weights: str, states: str) -> str:
    """weights [B, steps] (float32), states [B, steps, D] -> [B, D]."""
    row = g.op("Unsqueeze", as_precision(g, weights), g.ints(1))
    return g.op("Squeeze", g.op("MatMul", row, states), g.ints(1))


def gated(g: Graph, bundle: Bundle, group: str, x_s: str, x_t: str) -> tuple[str, str]:
    """z p_s + (1 - z) p_t [B, fusion] and z, of one group (eqs. 15-20)."""
    names = (f"fusion.{group}.{part}.weight" for part in ("speech", "text", "gate"))
    W_s, W_t, W_z = (g.weight(bundle.weights[name].T) for name in names)
    p_s = g.op("Tanh", g.op("MatMul", x_s, W_s))
    p_t = g.op("Tanh", g.op("MatMul", x_t, W_t))
    z = g.op("Sigmoid", g.op("MatMul", g.op("Concat", x_s, x_t, axis=1), W_z))
    return g.op("Add", p_t, g.op("Mul", z, g.op("Sub", p_s, p_t))), z


def classified(g: Graph, bundle: Bundle, h: str) -> str:
    """h [B, fusion] -> logits [B, C], float32."""
    w = bundle.weights
    hidden = g.op("Relu", g.op("MatMul", h, g.weight(w["classifier.hidden.weight"].T)))
    x = g.op("MatMul", hidden, g.weight(w["classifier.output.weight"].T))
    return as_float(g, g.op("Add", x, g.weight(w["classifier.output.bias"])))


def as_float(g: Graph, x: str) -> str:
    return x if g.precision is np.float32 else g.cast(x, np.float32)


def as_precision(g: Graph, x: str) -> str:
    return x if g.precision is np.float32 else g.cast(x, g.precision)
