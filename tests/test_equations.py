"""Every system against the same equations in plain NumPy, float64 (numpy_models.py)."""

import numpy as np
import numpy_models
import pytest
import torch
from helpers import SMALL

from gban_edge import models, ops
from gban_edge.config import GBANConfig
from gban_edge.shapes import expected_shapes

CONFIGS = {
    "small": SMALL,
    "deep": GBANConfig.from_dict(
        {**SMALL.to_dict(), "lstm_layers": 3, "conv_filters": [4, 5, 6], "text_filters": 5}
    ),
    # D = 18 has two heads of attention, not four.
    "odd": GBANConfig.from_dict(
        {**SMALL.to_dict(), "text_kernels": [1, 5], "conv_kernel": 3, "hidden": 9, "classes": 3}
    ),
    "authors": GBANConfig(vocabulary=30),
}
# With these weights logits are of size 1 to 16. The greatest error measured over 20 draws of each
# system was 5.3e-15 in float64 and 3.4e-6 in float32 (both cnn_att, whose values have no bound).
TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-5}


def random_weights(name: str, config: GBANConfig, seed: int) -> dict[str, np.ndarray]:
    """Every weight and every bias drawn, larger than initialisation draws; float32 holds them.

    The sizes are such that BiLSTM states differ from step to step, so that attention has something
    to choose, while no softmax is always one step.
    """
    rng = np.random.default_rng(seed)
    weights = {}
    for key, shape in expected_shapes(name, config).items():
        if len(shape) == 1:
            deviation = 0.5
        elif "embedding" in key:
            deviation = rng.uniform(0.5, 1.0)
        else:
            scale = rng.uniform(2.0, 4.0) if "_layers" in key else rng.uniform(1.0, 1.5)
            deviation = scale / np.sqrt(np.prod(shape[1:]))
        drawn = (deviation * rng.standard_normal(shape)).astype(np.float32)
        if "embedding" in key:
            drawn[0] = 0  # <pad>
        weights[key] = drawn.astype(np.float64)
    return weights


def utterances(config: GBANConfig, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Frames [N, 52] and word ids [M] around the edges of what an encoder can be given."""
    rng = np.random.default_rng(seed)
    field = config.receptive_field
    sizes = [(0, 1), (1, 2), (field - 1, 3), (field, 4), (field + 1, 31), (97, 8), (160, 1)]
    if config is CONFIGS["authors"]:
        sizes = [(0, 1), (748, 35)]
    return [
        (
            rng.standard_normal((n, config.features)).astype(np.float32).astype(np.float64),
            rng.integers(1, config.vocabulary, m),
        )
        for n, m in sizes
    ]


def batch(items: list[tuple[np.ndarray, np.ndarray]], dtype: torch.dtype) -> list[torch.Tensor]:
    """The arguments of a model: padded with what must have no influence."""
    frames = [torch.tensor(x, dtype=dtype) for x, _ in items]
    words = [torch.tensor(ids) for _, ids in items]
    pad = torch.nn.utils.rnn.pad_sequence
    return [
        pad(frames, batch_first=True, padding_value=float("nan")),
        torch.tensor([len(x) for x in frames]),
        pad(words, batch_first=True, padding_value=7),
        torch.tensor([len(ids) for ids in words]),
    ]


def network(name: str, config: GBANConfig, weights: dict, dtype: torch.dtype) -> torch.nn.Module:
    """The torch form of a system with these weights."""
    model = models.build(name, config).to(dtype).eval()
    model.load_state_dict({key: torch.tensor(value) for key, value in weights.items()})
    return model


def difference(ours: torch.Tensor, gold: list[np.ndarray]) -> float:
    """The greatest absolute one; NaN if there is a NaN."""
    return float(np.abs(ours.numpy() - np.array(gold)).max())


@pytest.fixture(autouse=True)
def no_overflow():
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        yield


@pytest.mark.parametrize("name", models.names())
@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_model_is_its_equations(name, config):
    weights, items = random_weights(name, config, seed=1), utterances(config, seed=2)
    gold = [numpy_models.forward(name, weights, config, *item) for item in items]
    # float32 is aligned by the native core, float64 by the plain PyTorch form, which the third is.
    for dtype, plain in ((torch.float32, False), (torch.float64, False), (torch.float32, True)):
        model = network(name, config, weights, dtype)
        with torch.inference_mode(), ops.reference(plain):
            output = model(*batch(items, dtype))
        assert output.logits.dtype == dtype
        assert difference(output.logits, [one.logits for one in gold]) < TOLERANCE[dtype]
        assert (output.gates is not None) == (name == "gban")
        for which, gate in enumerate(output.gates or ()):
            assert difference(gate, [one.gates[which] for one in gold]) < TOLERANCE[dtype]


@pytest.mark.parametrize("name", models.names())
@pytest.mark.parametrize("config", [SMALL, CONFIGS["deep"]], ids=["small", "deep"])
def test_an_error_in_any_weight_would_show(name, config):
    """The comparison above can fail: each weight in turn is drawn anew, on the NumPy side only.

    The least effect is that of the text encoder on a_s, and of the speech encoder on a_t, which
    they have through the alignment alone.
    """
    weights, others = (random_weights(name, config, seed) for seed in (1, 101))
    frames, words = utterances(config, seed=1)[5]
    before = numpy_models.forward(name, weights, config, frames, words).logits
    for key, other in others.items():
        after = numpy_models.forward(name, {**weights, key: other}, config, frames, words).logits
        assert np.abs(after - before).max() > 10 * TOLERANCE[torch.float32], key


def test_numpy_alignment_by_hand():
    """Two speech steps, one text step: alpha from the scores tanh(1) and tanh(0), beta all 1."""
    S, T = np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([[1.0, 0.0]])
    a_s, a_t = numpy_models.aligned(S, T)
    first = np.exp(np.tanh(1.0)) / (np.exp(np.tanh(1.0)) + 1)
    np.testing.assert_allclose(a_s, [first, 2 * (1 - first)])
    np.testing.assert_allclose(a_t, [1.0, 0.0])
