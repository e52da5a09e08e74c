"""The ONNX graph and the PyTorch form by hand that benchmarks/bench_engine.py measures the engine
against: both are the network of tests/numpy_models.py, or the measurement would be void."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import SMALL
from test_equations import random_weights, utterances

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))

import engine_case
import engine_onnx
import engine_report
import onnxruntime
from engine_torch import HandGBAN

from gban_edge.bundle import Bundle, Standardisation
from gban_edge.config import GBANConfig
from gban_edge.text import PAD, UNKNOWN, Vocabulary

CONFIGS = {
    "small": SMALL,
    "deep": GBANConfig.from_dict({**SMALL.to_dict(), "lstm_layers": 2, "text_filters": 5}),
    "odd": GBANConfig.from_dict(
        {**SMALL.to_dict(), "text_kernels": [1, 5], "conv_kernel": 3, "hidden": 9, "classes": 3}
    ),
}
# The greatest error of a probability over 20 draws was 3.6e-7.
TOLERANCE = 2e-6


def random_bundle(config: GBANConfig, seed: int) -> Bundle:
    """A model whose standardisation and temperature are not those that change nothing."""
    rng = np.random.default_rng(seed)
    weights = random_weights("gban", config, seed)
    return Bundle(
        model="gban", config=config, labels=tuple("abcdef"[: config.classes]),
        vocabulary=Vocabulary((PAD, UNKNOWN, *(f"w{i}" for i in range(2, config.vocabulary)))),
        standardisation=Standardisation(
            rng.normal(-3, 2, config.features).astype(np.float32),
            rng.uniform(0.5, 3, config.features).astype(np.float32),
        ),
        weights={name: value.astype(np.float32) for name, value in weights.items()},
        temperature=float(rng.uniform(0.7, 2)),
    )  # fmt: skip


def cases(bundle: Bundle, seed: int) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Features, words, float64's probabilities: no frames, one word, around every edge."""
    fit = bundle.standardisation
    found = []
    for frames, words in utterances(bundle.config, seed):
        features = (frames * fit.deviation + fit.mean).astype(np.float32)
        found.append((features, words, engine_case.gold(bundle, features, words)))
    return found


def run(model, features: np.ndarray, words: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {"features": features, "words": words})[0].reshape(-1)


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
@pytest.mark.parametrize("text", engine_onnx.TEXT_FORMS)
def test_onnx_graph_is_the_network(config, text):
    bundle = random_bundle(config, seed=1)
    dynamic = engine_onnx.network(bundle, text=text)
    for features, words, gold in cases(bundle, seed=2):
        full = engine_case.filled(bundle, features)
        fixed = engine_onnx.network(bundle, len(full), len(words), text)
        for model in (fixed, dynamic):
            assert np.abs(run(model, full, words) - gold).max() < TOLERANCE


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_form_by_hand_is_the_network(config):
    bundle = random_bundle(config, seed=3)
    model = HandGBAN(bundle).eval()
    for features, words, gold in cases(bundle, seed=4):
        full = torch.from_numpy(engine_case.filled(bundle, features))
        with torch.inference_mode():
            got = model(full, torch.from_numpy(words)).numpy()
        assert np.abs(got - gold).max() < TOLERANCE


def test_an_error_in_any_weight_would_show():
    """The comparisons above can fail: each weight in turn is drawn anew, in the graph only."""
    bundle, other = random_bundle(SMALL, seed=1), random_bundle(SMALL, seed=101)
    features, words, gold = cases(bundle, seed=2)[5]
    for name, weight in other.weights.items():
        wrong = replace(bundle, weights={**bundle.weights, name: weight})
        got = run(engine_onnx.network(wrong), features, words)
        assert np.abs(got - gold).max() > 10 * TOLERANCE, name
    for changed in ({"temperature": 1.0}, {"standardisation": other.standardisation}):
        got = run(engine_onnx.network(replace(bundle, **changed)), features, words)
        assert np.abs(got - gold).max() > 10 * TOLERANCE, changed


def test_builder_refuses_another_system_and_an_unknown_form():
    bundle = random_bundle(SMALL, seed=1)
    with pytest.raises(ValueError, match="model must be gban, got 'h_s'"):
        engine_onnx.network(replace(bundle, model="h_s"))
    with pytest.raises(ValueError, match=r"text must be one of .*'convolutions'.*, got 'loops'"):
        engine_onnx.network(bundle, text="loops")


def test_a_wrong_form_is_never_timed():
    bundle = random_bundle(SMALL, seed=1)
    features, words, gold = cases(bundle, seed=2)[5]
    case = engine_case.Case(Path(), bundle, np.zeros(0), "", features, words, gold)
    wrong = gold + np.array([2e-5, -2e-5, 0, 0])
    with pytest.raises(RuntimeError, match=r"wrong is wrong: .* 2.0e-05 from float64's"):
        engine_case.deviation("wrong", lambda: wrong, case, "fp32")
    with pytest.raises(RuntimeError, match="no candidate could run"):
        engine_case.fastest({"wrong": lambda: lambda: gold * np.nan}, case, "fp32")
    candidates = {"wrong": lambda: lambda: wrong, "right": lambda: lambda: gold}
    forms, found = engine_case.fastest(candidates, case, "fp32")
    assert set(forms) == {"right"}
    assert found["chosen"] == "right"
    assert "median" in found["candidates"]["right"]
    assert set(found["candidates"]["wrong"]) == {"failed"}


def test_verdicts_know_both_senses(capsys):
    rows = [("a", "at least", 2.0, 2.0), ("b", "at least", 2.0, 1.9), ("c", "at most", 1.2, 1.3)]
    assert [row["met"] for row in engine_report.verdicts(rows)] == [True, False, False]
    assert capsys.readouterr().out.count("NOT met") == 2
