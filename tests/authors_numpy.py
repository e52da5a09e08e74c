"""The authors' networks in NumPy, written from their code with loops, for test_authors.py.

One utterance at its true length, in float64, without torch; ``w`` holds a network's weights by
name. The sizes are those of :data:`helpers.SMALL`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray
Weights = dict[str, Array]


def forward(name: str, w: Weights, frames: Array, ids: list[int], words: int) -> tuple[Any, ...]:
    """logits [C], (z_p, z_q) as shares of speech or None, pooled weights of steps or None."""
    S = speech_states(w, frames) if name != "h_t" else None
    T = text_states(w, ids, words) if name != "h_s" else None
    h_s, h_t = (None if states is None else states[-1] for states in (S, T))
    gates = weights = None
    if name in ("concat_1", "concat_2", "gban"):
        a_t, w_t = attend(S, T, w["alignment.text_scale"])
        a_s, w_s = attend(T, S, w["alignment.speech_scale"])
        weights = w_s, w_t
    if name in ("h_s", "h_t"):
        h = h_s if name == "h_s" else h_t
    elif name == "tfl":
        h = np.array([x * y for x in (*h_s, 0.0) for y in (*h_t, 0.0)])
    elif name == "gmu":
        h = gated(w, "last", h_s, h_t)[0]
    elif name == "gban":
        (p, z_p), (q, z_q) = gated(w, "aligned", a_t, a_s), gated(w, "last", h_t, h_s)
        h, gates = p + q, (1 - z_p, 1 - z_q)
    else:
        h = np.concatenate([a_t, a_s] if name == "concat_1" else [h_s, h_t, a_t, a_s])
    g = np.maximum(w["classifier.hidden.weight"] @ h + w["classifier.hidden.bias"], 0)
    return w["classifier.output.weight"] @ g + w["classifier.output.bias"], gates, weights


def speech_states(w: Weights, frames: Array) -> Array:
    x = np.zeros((750, frames.shape[1]))
    x[: min(len(frames), 750)] = frames[:750]
    for i in range(2):
        x = pool(conv(x, w[f"speech.convs.{i}.weight"], w[f"speech.convs.{i}.bias"]))
    return bilstm(w, "speech.bilstm", x)


def text_states(w: Weights, ids: list[int], words: int) -> Array:
    x = w["text.embedding.weight"][([0] * words + ids)[-words:]]
    parts = []
    for i, (before, after) in enumerate([(0, 1), (1, 1), (1, 2)]):  # of kernels 2, 3 and 4
        padded = np.pad(x, ((before, after), (0, 0)))
        parts.append(pool(conv(padded, w[f"text.convs.{i}.weight"], w[f"text.convs.{i}.bias"])))
    return bilstm(w, "text.bilstm", np.concatenate(parts, axis=1))


def conv(x: Array, weight: Array, bias: Array) -> Array:
    """x [N, in], weight [out, in, k] -> [N - k + 1, out]."""
    width = weight.shape[2]
    return np.array(
        [
            bias + sum(weight[:, :, k] @ x[n + k] for k in range(width))
            for n in range(len(x) - width + 1)
        ]
    )


def pool(x: Array) -> Array:
    """The larger of each two steps, after ReLU; an odd last one is dropped."""
    return np.array([np.maximum(np.maximum(x[n], x[n + 1]), 0) for n in range(0, len(x) - 1, 2)])


def bilstm(w: Weights, prefix: str, x: Array) -> Array:
    backward = lstm(w, prefix, "_reverse", x[::-1])[::-1]
    return np.concatenate([lstm(w, prefix, "", x), backward], axis=1)


def lstm(w: Weights, prefix: str, suffix: str, x: Array) -> Array:
    """One direction: [N, in] -> [N, H], the gates in the order i, f, g, o."""
    parts = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    ih, hh, b_ih, b_hh = (w[f"{prefix}.{part}_l0{suffix}"] for part in parts)
    hidden = cell = np.zeros(hh.shape[1])
    states = []
    for step in x:
        i, f, g, o = np.split(ih @ step + hh @ hidden + b_ih + b_hh, 4)
        i, f, o = (np.clip(0.2 * gate + 0.5, 0, 1) for gate in (i, f, o))
        cell = f * cell + i * np.tanh(g)
        hidden = o * np.tanh(cell)
        states.append(hidden)
    return np.array(states)


def attend(queries: Array, values: Array, scale: Array) -> tuple[Array, Array]:
    """AdditiveAttention and the average over its queries: the vector, the pooled weights."""
    total, weights = np.zeros(values.shape[1]), np.zeros(len(values))
    for query in queries:
        scores = np.array([np.sum(scale * np.tanh(query + value)) for value in values])
        share = np.exp(scores - scores.max())
        share /= share.sum()
        total += sum(p * value for p, value in zip(share, values, strict=True))
        weights += share
    return total / len(queries), weights / len(queries)


def gated(w: Weights, group: str, x: Array, y: Array) -> tuple[Array, Array]:
    z = sigmoid(w[f"fusion.{group}.gate.weight"] @ np.concatenate([x, y]))
    first = np.tanh(w[f"fusion.{group}.first.weight"] @ x)
    return z * first + (1 - z) * np.tanh(w[f"fusion.{group}.second.weight"] @ y), z


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))
