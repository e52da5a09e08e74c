"""The paper's numbers as data, and what each of its systems is.

Liu, Li, Meng: Group Gated Fusion on Attention-based Bidirectional Alignment for Multimodal Emotion
Recognition, Interspeech 2020: Tables 1 to 3 to the printed digit, Figure 2 as read off the page.
Every cell of Tables 1 and 2 is a single run on IEMOCAP (4,490 utterances, ``exc`` not merged).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from train.corpus import IEMOCAP_TABLE, SESSIONS

GBAN = "gban"
FOLDS = SESSIONS  # fold n is tested on session n


@dataclass(frozen=True)
class System:
    """A system of the paper: its usual title, what it is given, and what it does with that."""

    title: str
    given: str  # speech, words, or both
    does: str


SYSTEMS = {
    "h_s": System("h_s", "speech", "last state of the speech encoder"),
    "h_t": System("h_t", "words", "last state of the text encoder"),
    "a_s": System("a_s", "both", "speech states, weighted by the words (eq. 9-11)"),
    "a_t": System("a_t", "both", "text states, weighted by the speech (eq. 12-14)"),
    "concat_1": System("BiAtt-Concat", "both", "a_s and a_t, one after the other"),
    "tfl": System("BiAtt-TFL", "both", "outer product of a_s and a_t (Zadeh et al. 2017)"),
    "gmu": System("BiAtt-GMU", "both", "one gate between a_s and a_t (Arevalo et al. 2017)"),
    "concat_2": System("Concat-2", "both", "a_s, a_t, h_s and h_t, one after the other"),
    "gban": System("GBAN", "both", "gates in the groups (a_s, a_t) and (h_s, h_t) (eq. 15-21)"),
    "att_lstm": System(
        "Att-LSTM", "both", "each word attends over the speech, then a BiLSTM (Xu et al. 2019)"
    ),
    "mdre": System("MDRE", "both", "last states of two encoders (Yoon et al. 2018)"),
    "mdrea": System(
        "MDREA", "both", "the speech's last state attends over the words (Yoon et al. 2018)"
    ),
    "cnn_att": System(
        "CNN-Att", "speech", "convolution and attention, inspired by Neumann & Vu 2017"
    ),
    "lstm_att": System(
        "LSTM-Att", "speech", "BiLSTM and attention, inspired by Ramet et al. 2018"
    ),
    "self_att": System(
        "Self-Att", "speech", "self-attention, inspired by Tarantino et al. 2019"
    ),
}  # fmt: skip
UNIMODAL = ("h_s", "h_t", "cnn_att", "lstm_att", "self_att")
"""Systems that are given one modality alone. a_s and a_t are not: the other one weighs them."""

# WA on folds 1 to 5, and the printed average.
TABLE_1 = {
    "h_s": ((0.5860, 0.6384, 0.5920, 0.6936, 0.6030), 0.6226),
    "h_t": ((0.6285, 0.7060, 0.5860, 0.6494, 0.6497), 0.6439),
    "a_s": ((0.6476, 0.6728, 0.6150, 0.6948, 0.6561), 0.6573),
    "a_t": ((0.6762, 0.7368, 0.6420, 0.7289, 0.6815), 0.6931),
}
TABLE_2 = {
    "concat_1": ((0.6805, 0.7417, 0.6600, 0.7440, 0.6868), 0.7026),
    "tfl": ((0.6900, 0.7405, 0.6720, 0.7440, 0.7038), 0.7101),
    "gmu": ((0.6985, 0.7552, 0.6890, 0.7591, 0.6975), 0.7199),
    "concat_2": ((0.6996, 0.7540, 0.6720, 0.7478, 0.7017), 0.7150),
    "gban": ((0.6911, 0.7737, 0.6770, 0.7654, 0.7123), 0.7239),
}
# WA and UA; None where the paper prints no number. It cites MDRE and MDREA ([14]) without one.
TABLE_3: dict[str, tuple[float | None, float | None]] = {
    "cnn_att": (0.5610, None),
    "lstm_att": (0.6250, 0.5960),
    "self_att": (0.6810, 0.6380),
    "mdre": (None, None),
    "mdrea": (None, None),
    "att_lstm": (0.6974, 0.6401),
    "concat_1": (0.7026, 0.6561),
    "tfl": (0.7101, 0.6627),
    "gmu": (0.7199, 0.6584),
    "gban": (0.7239, 0.7008),
}
AVERAGES: dict[str, float] = {
    **{model: average for model, (_, average) in (TABLE_1 | TABLE_2).items()},
    **{model: wa for model, (wa, _) in TABLE_3.items() if wa is not None},
}
"""The printed WA of every system that has one."""
QUOTED = ("cnn_att", "lstm_att", "self_att")
"""Rows of Table 3 that the paper quotes from other papers instead of running the systems."""

TABLE_2_TITLES = {
    "concat_1": "Concat-1", "tfl": "TFL", "gmu": "GMU", "concat_2": "Concat-2", "gban": "GGF",
}  # fmt: skip

# Mean gate weights, the range over the five folds as read off Figure 2; a group's two sum to 1.
FIGURE_2 = {"a_s": (0.47, 0.49), "a_t": (0.51, 0.53), "h_s": (0.28, 0.36), "h_t": (0.64, 0.72)}


def title(model: str, table: int = 3) -> str:
    """What the paper's table of that number calls a model; a model it does not know keeps its name.

    Table 2 names fusions ("GGF"), Table 3 whole systems ("GBAN").
    """
    if table == 2 and model in TABLE_2_TITLES:
        return TABLE_2_TITLES[model]
    return SYSTEMS[model].title if model in SYSTEMS else model


def wa_by_fold(model: str) -> tuple[float, ...] | None:
    """The paper's WA on folds 1 to 5, or None where it prints none."""
    found = TABLE_1.get(model) or TABLE_2.get(model)
    return found[0] if found else None


def average(model: str, metric: str) -> float | None:
    """The paper's printed average of ``metric``, "wa" or "ua", or None."""
    if metric == "wa":
        return AVERAGES.get(model)
    return TABLE_3.get(model, (None, None))[1]


def test_to_train() -> float:
    """Mean over folds of test size / training size of the paper's runs: 95% of four sessions."""
    sizes = [sum(IEMOCAP_TABLE[fold].values()) for fold in FOLDS]
    return float(np.mean([n / (0.95 * (sum(sizes) - n)) for n in sizes]))
