"""Every system of gban_edge.models once more: plain NumPy, float64, one utterance, no batch.

Written from the paper's equations and the docstrings of gban_edge/models, not from its code: loops
where the equations have indices, sums where they have sums, the equations' own names. There is no
padding of a batch, no mask and no dropout here.

Weights are dicts of name -> array, named as in gban_edge/shapes.py; a sequence is [steps, width].
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from gban_edge.config import GBANConfig

Array = np.ndarray
Weights = dict[str, Array]


class Output(NamedTuple):
    """logits [C]; gates are z_p and z_q [fusion] of ``gban``, None for every other system."""

    logits: Array
    gates: tuple[Array, Array] | None


class Encoded(NamedTuple):
    """Both modalities of one utterance: S [K, D], h_s [D], T [L, D], h_t [D]."""

    S: Array
    h_s: Array
    T: Array
    h_t: Array


def forward(name: str, w: Weights, config: GBANConfig, frames: Array, words: Array) -> Output:
    """The system called ``name`` on standardised frames [N, 52] and word ids [M], M at least 1."""
    gates = None
    if name in SPEECH_ALONE:
        h = SPEECH_ALONE[name](w, config, frames)
    elif name == "h_t":
        h = text_encoder(part(w, "text"), config, words)[1]
    else:
        both = Encoded(
            *speech_encoder(part(w, "speech"), config, frames),
            *text_encoder(part(w, "text"), config, words),
        )
        h = TWO_MODALITIES[name](w, config, both)
        if name == "gban":
            gates = gban_gates(w, both)
    return Output(classifier(part(w, "classifier"), h), gates)


def part(w: Weights, prefix: str) -> Weights:
    """The weights below ``prefix``, named from there on."""
    return {k[len(prefix) + 1 :]: v for k, v in w.items() if k.startswith(prefix + ".")}


# --- elementary functions


def relu(x: Array) -> Array:
    return np.maximum(x, 0.0)


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def softmax(scores: Array) -> Array:
    """Over all entries of scores [n]."""
    return np.exp(scores) / sum(np.exp(score) for score in scores)


def weighted_sum(weights: Array, x: Array) -> Array:
    """sum_i weights_i x_i of weights [n] and x [n, width]."""
    return sum(weights[i] * x[i] for i in range(len(x)))


def convolve(w: Weights, x: Array) -> Array:
    """'Valid': y_t = bias + sum_k weight[:, :, k] x_{t+k}; [T, in] -> [T - kernel + 1, out]."""
    kernel = w["weight"].shape[2]
    steps = range(len(x) - kernel + 1)
    products = [sum(w["weight"][:, :, k] @ x[t + k] for k in range(kernel)) for t in steps]
    return np.array(products) + w["bias"]


def max_of_pairs(x: Array, keep_odd: bool) -> Array:
    """Maximum of steps 0 and 1, 2 and 3, ...; an odd last step is kept alone or dropped."""
    end = len(x) if keep_odd else len(x) // 2 * 2
    return np.array([x[t : t + 2].max(axis=0) for t in range(0, end, 2)])


# --- recurrence


def lstm(w: Weights, x: Array) -> Array:
    """Hidden states [T, H] of x [T, width]; gates i, f, g, o are the quarters of the 4H rows."""
    H = w["weight_hh_l0"].shape[1]
    h, c = np.zeros(H), np.zeros(H)
    states = []
    for x_t in x:
        rows = w["weight_ih_l0"] @ x_t + w["bias_ih_l0"] + w["weight_hh_l0"] @ h + w["bias_hh_l0"]
        i, f = sigmoid(rows[:H]), sigmoid(rows[H : 2 * H])
        g, o = np.tanh(rows[2 * H : 3 * H]), sigmoid(rows[3 * H :])
        c = f * c + i * g
        h = o * np.tanh(c)
        states.append(h)
    return np.array(states)


def bilstm(w: Weights, config: GBANConfig, x: Array) -> tuple[Array, Array]:
    """States [T, 2H] of the top layer, and the last one: forward at the end, backward at step 0."""
    for layer in range(config.lstm_layers):
        ahead = lstm(part(w, f"forward_layers.{layer}"), x)
        back = lstm(part(w, f"backward_layers.{layer}"), x[::-1])[::-1]
        x = np.concatenate([ahead, back], axis=1)
    return x, np.concatenate([ahead[-1], back[0]])


# --- encoders (DESIGN.md, "One meaning for every stage")


def speech_convolutions(w: Weights, config: GBANConfig, frames: Array) -> Array:
    """[N, 52] -> [K, filters]: zeros behind a short utterance, then [convolution, ReLU, pool]."""
    missing = max(0, config.receptive_field - len(frames))
    x = np.concatenate([frames, np.zeros((missing, config.features))])
    for layer in range(len(config.conv_filters)):
        x = max_of_pairs(relu(convolve(part(w, f"convs.{layer}"), x)), keep_odd=False)
    return x


def speech_encoder(w: Weights, config: GBANConfig, frames: Array) -> tuple[Array, Array]:
    """S [K, D] and h_s [D]."""
    return bilstm(part(w, "bilstm"), config, speech_convolutions(w, config, frames))


def text_encoder(w: Weights, config: GBANConfig, words: Array) -> tuple[Array, Array]:
    """T [L, D] and h_t [D]."""
    vectors = np.array([w["embedding.weight"][word] for word in words])
    branches = []
    for i, kernel in enumerate(config.text_kernels):
        before = (kernel - 1) // 2  # an even kernel has its extra zero behind
        padded = np.pad(vectors, ((before, kernel - 1 - before), (0, 0)))
        branches.append(max_of_pairs(relu(convolve(part(w, f"convs.{i}"), padded)), keep_odd=True))
    return bilstm(part(w, "bilstm"), config, np.concatenate(branches, axis=1))


# --- alignment (eqs. 9-14) and the systems on it


def aligned(S: Array, T: Array) -> tuple[Array, Array]:
    """a_s and a_t [D], with every matrix of the paper in full."""
    K, L = len(S), len(T)
    a = np.array([[np.tanh(S[i] @ T[j]) for i in range(K)] for j in range(L)])  # (9)
    alpha = np.array([softmax(a[j]) for j in range(L)])  # (10)
    s_tilde = [weighted_sum(alpha[j], S) for j in range(L)]  # (11)
    b = np.array([[np.tanh(T[j] @ S[i]) for j in range(L)] for i in range(K)])  # (12)
    beta = np.array([softmax(b[i]) for i in range(K)])  # (13)
    t_tilde = [weighted_sum(beta[i], T) for i in range(K)]  # (14)
    return sum(s_tilde) / L, sum(t_tilde) / K


def tfl(w: Weights, config: GBANConfig, x: Encoded) -> Array:
    """Zadeh et al. 2017: every product of an entry of [a_s, 1] and one of [a_t, 1]."""
    a_s, a_t = aligned(x.S, x.T)
    return np.array([p * q for p in [*a_s, 1.0] for q in [*a_t, 1.0]])


def gate(w: Weights, x_s: Array, x_t: Array) -> Array:
    """Eq. 17 or 20: z [fusion]."""
    return sigmoid(w["gate.weight"] @ np.concatenate([x_s, x_t]))


def gated_pair(w: Weights, x_s: Array, x_t: Array) -> Array:
    """Eqs. 15-16 or 18-19, and one half of 21: [fusion]."""
    p_s = np.tanh(w["speech.weight"] @ x_s)
    p_t = np.tanh(w["text.weight"] @ x_t)
    z = gate(w, x_s, x_t)
    return z * p_s + (1 - z) * p_t


def gmu(w: Weights, config: GBANConfig, x: Encoded) -> Array:
    return gated_pair(part(w, "fusion.aligned"), *aligned(x.S, x.T))


def gban(w: Weights, config: GBANConfig, x: Encoded) -> Array:
    """h of eq. 21: the aligned group, which is all of GMU, and the last-state group."""
    return gmu(w, config, x) + gated_pair(part(w, "fusion.last"), x.h_s, x.h_t)


def gban_gates(w: Weights, x: Encoded) -> tuple[Array, Array]:
    """z_p and z_q (eqs. 17, 20)."""
    z_p = gate(part(w, "fusion.aligned"), *aligned(x.S, x.T))
    return z_p, gate(part(w, "fusion.last"), x.h_s, x.h_t)


# --- the other systems of two modalities


def att_lstm(w: Weights, config: GBANConfig, x: Encoded) -> Array:
    """Xu et al. 2019: e_ji = tanh(u . s_i + v . t_j + b)."""
    u, v, b = w["speech_score.weight"][0], w["text_score.weight"][0], w["text_score.bias"][0]
    joined = []
    for t_j in x.T:
        alpha_j = softmax(np.array([np.tanh(u @ s_i + v @ t_j + b) for s_i in x.S]))
        joined.append(np.concatenate([weighted_sum(alpha_j, x.S), t_j]))
    c, _ = bilstm(part(w, "joint"), config, np.array(joined))
    return c.max(axis=0)


def mdre(w: Weights, config: GBANConfig, x: Encoded) -> Array:
    """Yoon et al. 2018, without attention."""
    A = w["project_speech.weight"] @ x.h_s + w["project_speech.bias"]
    T = w["project_text.weight"] @ x.h_t + w["project_text.bias"]
    return np.concatenate([A, T])


def mdrea(w: Weights, config: GBANConfig, x: Encoded) -> Array:
    """Yoon et al. 2018, with attention of the audio vector e to the words."""
    e = w["project_speech.weight"] @ x.h_s + w["project_speech.bias"]
    alpha = softmax(np.array([e @ t_j for t_j in x.T]))
    return np.concatenate([weighted_sum(alpha, x.T), e])


# --- speech alone


def h_s(w: Weights, config: GBANConfig, frames: Array) -> Array:
    return speech_encoder(part(w, "speech"), config, frames)[1]


def cnn_att(w: Weights, config: GBANConfig, frames: Array) -> Array:
    x = speech_convolutions(part(w, "speech"), config, frames)
    return weighted_sum(softmax(np.array([w["score.weight"][0] @ x_i for x_i in x])), x)


def lstm_att(w: Weights, config: GBANConfig, frames: Array) -> Array:
    S, h_s = speech_encoder(part(w, "speech"), config, frames)
    W_s, W_c, score = w["state.weight"], w["context.weight"], w["score.weight"][0]
    e = np.array([score @ np.tanh(W_s @ s_i + W_c @ h_s) for s_i in S])
    return weighted_sum(softmax(e), S)


def self_att(w: Weights, config: GBANConfig, frames: Array) -> Array:
    """One layer of Vaswani et al. 2017: heads side by side, a residual, a layer normalisation."""
    D = config.states
    steps = speech_convolutions(part(w, "speech"), config, frames)
    x = np.array([w["project.weight"] @ step + w["project.bias"] for step in steps])
    x += np.array([[position(i, n, D) for n in range(D)] for i in range(len(x))])
    rows = x @ w["attention.in_proj_weight"].T + w["attention.in_proj_bias"]
    q, k, v = rows[:, :D], rows[:, D : 2 * D], rows[:, 2 * D :]
    heads = np.split(np.arange(D), math.gcd(4, D))
    total = np.zeros(D)
    for i in range(len(x)):
        joined = []
        for head in heads:
            scores = np.array([q[i, head] @ k_j[head] for k_j in k]) / np.sqrt(len(head))
            joined.append(weighted_sum(softmax(scores), v[:, head]))
        mixed = w["attention.out_proj.weight"] @ np.concatenate(joined)
        total += layer_norm(part(w, "norm"), x[i] + mixed + w["attention.out_proj.bias"])
    return total / len(x)


def position(i: int, n: int, D: int) -> float:
    """Entry n of the sinusoids of step i, the first step being 0."""
    angle = i / 10000 ** (n // 2 * 2 / D)
    return np.sin(angle) if n % 2 == 0 else np.cos(angle)


def layer_norm(w: Weights, y: Array) -> Array:
    """Over the entries of y [D]; the variance is divided by D and has torch's 1e-5 added."""
    centred = y - y.sum() / len(y)
    variance = (centred**2).sum() / len(y)
    return centred / np.sqrt(variance + 1e-5) * w["weight"] + w["bias"]


def classifier(w: Weights, h: Array) -> Array:
    """Eqs. 22-23, before the softmax."""
    g = relu(w["hidden.weight"] @ h)
    return w["output.weight"] @ g + w["output.bias"]


SPEECH_ALONE = {"h_s": h_s, "cnn_att": cnn_att, "lstm_att": lstm_att, "self_att": self_att}
TWO_MODALITIES = {
    "gban": gban,
    "a_s": lambda w, config, x: aligned(x.S, x.T)[0],
    "a_t": lambda w, config, x: aligned(x.S, x.T)[1],
    "concat_1": lambda w, config, x: np.concatenate(aligned(x.S, x.T)),
    "tfl": tfl,
    "gmu": gmu,
    "concat_2": lambda w, config, x: np.concatenate([*aligned(x.S, x.T), x.h_s, x.h_t]),
    "att_lstm": att_lstm,
    "mdre": mdre,
    "mdrea": mdrea,
}
