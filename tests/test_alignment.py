"""align_pool against the paper's equations 9-14, written out literally."""

import numpy as np
import pytest
import torch

from gban_edge import ops


def literal(keys: torch.Tensor, queries: torch.Tensor) -> torch.Tensor:
    """Eqs. 9-11 for one utterance, then the mean: keys [K, D], queries [Q, D] -> [D]."""
    scores = torch.tanh(queries @ keys.T)  # a_{j,i}
    alpha = torch.softmax(scores, dim=1)  # over i
    return (alpha @ keys).mean(dim=0)  # mean over j of s~_j


def random_case(seed: int):
    rng = np.random.default_rng(seed)
    batch, steps, words, states = rng.integers(1, [5, 60, 25, 40])
    scale = rng.uniform(0.05, 1.0)  # from flat scores to saturated ones
    speech = scale * rng.standard_normal((batch, steps, states))
    text = scale * rng.standard_normal((batch, words, states))
    return (
        speech, text, rng.integers(1, steps + 1, batch), rng.integers(1, words + 1, batch),
    )  # fmt: skip


@pytest.mark.parametrize("form", ["torch", "native"])
def test_equals_the_literal_equations_on_200_random_ragged_shapes(form):
    for seed in range(200):
        speech, text, k, n = random_case(seed)
        arrays = (torch.tensor(speech), torch.tensor(text)) if form == "torch" else (speech, text)
        out = ops.align_pool(*arrays, k, n, return_weights=True)
        for b in range(len(speech)):
            s = torch.tensor(speech[b, : k[b]])
            t = torch.tensor(text[b, : n[b]])
            for got, gold in ((out.speech, literal(s, t)), (out.text, literal(t, s))):
                np.testing.assert_allclose(np.asarray(got[b]), gold, atol=1e-13)
        for weights, lengths in ((out.speech_weights, k), (out.text_weights, n)):
            np.testing.assert_allclose(np.asarray(weights).sum(axis=1), 1.0, atol=1e-12)
            beyond = np.arange(weights.shape[1]) >= lengths[:, None]
            assert not np.asarray(weights)[beyond].any()


@pytest.mark.parametrize("form", ["torch", "native"])
def test_float32_is_within_1e_5_of_float64(form):
    for seed in range(50):
        speech, text, k, n = random_case(seed)
        single = [a.astype(np.float32) for a in (speech, text)]
        gold = ops.align_pool(*(a.astype(np.float64) for a in single), k, n)
        if form == "torch":
            single = [torch.from_numpy(a) for a in single]
        out = ops.align_pool(*single, k, n)
        for got, want in zip(out[:2], gold[:2], strict=True):
            np.testing.assert_allclose(np.asarray(got), want, atol=1e-5, rtol=1e-5)


def test_gradients():
    speech, text, k, n = random_case(3)
    inputs = [torch.tensor(a[:, :6, :5], requires_grad=True) for a in (speech, text)]
    lengths = (
        torch.tensor(k).clamp(max=inputs[0].shape[1]),
        torch.tensor(n).clamp(max=inputs[1].shape[1]),
    )
    assert torch.autograd.gradcheck(
        lambda s, t: ops.align_pool_ref(s, t, *lengths, return_weights=True), inputs
    )


@pytest.mark.parametrize("form", ["torch", "native"])
def test_what_stands_in_the_padding_does_not_matter(form):
    speech, text = np.ones((1, 4, 3)), np.ones((1, 5, 3))
    speech[0, 1], speech[0, 2:], text[0, 2:] = 0.5, np.nan, np.inf
    arrays = (torch.tensor(speech), torch.tensor(text)) if form == "torch" else (speech, text)
    out = ops.align_pool(*arrays, [2], [2], return_weights=True)
    short = ops.align_pool(speech[:, :2], text[:, :2])
    np.testing.assert_allclose(np.asarray(out.speech), short.speech)
    np.testing.assert_allclose(np.asarray(out.text), short.text)


@pytest.mark.parametrize("form", ["torch", "native"])
def test_nan_in_nan_out(form):
    speech, text = np.ones((2, 4, 3)), np.ones((2, 5, 3))
    speech[0, 1, 1] = np.nan
    arrays = (torch.tensor(speech), torch.tensor(text)) if form == "torch" else (speech, text)
    out = ops.align_pool(*arrays)
    assert np.isnan(np.asarray(out.speech[0])).any()
    assert np.isfinite(np.asarray(out.speech[1])).all()


def test_strided_and_read_only_arrays_and_an_empty_batch():
    rng = np.random.default_rng(0)
    wide = rng.standard_normal((2, 8, 6))
    view = wide[:, ::2, ::-1]
    view.flags.writeable = False
    text = rng.standard_normal((2, 3, 6))
    np.testing.assert_array_equal(
        ops.align_pool(view, text).speech, ops.align_pool(view.copy(), text).speech
    )
    assert ops.align_pool(wide[:0], text[:0]).speech.shape == (0, 6)


S, T = np.zeros((2, 4, 8)), np.zeros((2, 3, 8))


@pytest.mark.parametrize("torch_form", [False, True])
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((S[0], T), r"speech must have shape \[B, K, D\], got \[4, 8\]"),
        ((S, T[:, :, :5]), r"agree in B and D, got \[2, 4, 8\] and \[2, 3, 5\]"),
        ((S, T[:1]), "agree in B and D"),
        ((S[:, :0], T), "speech must have at least one step"),
        ((S, T[:, :0]), "text must have at least one step"),
        ((S, T.astype(np.float32)), "one number type"),
        ((S, T, [1, 5]), r"speech_lengths must lie in 1..4, got \[1, 5\]"),
        ((S, T, [1, 0]), "speech_lengths must lie in 1..4"),
        ((S, T, None, [1, 4]), "text_lengths must lie in 1..3"),
        ((S, T, [1.0, 2.0]), "speech_lengths must be integers"),
        ((S, T, [1]), r"speech_lengths must be integers with shape \[2\]"),
    ],
)
def test_bad_arguments_are_named(arguments, words, torch_form):
    arrays = [torch.tensor(a) if torch_form else a for a in arguments[:2]]
    with pytest.raises(ValueError, match=words):
        ops.align_pool(*arrays, *arguments[2:])


def test_mixed_kinds_are_refused():
    with pytest.raises(ValueError, match="both be NumPy"):
        ops.align_pool(S, torch.tensor(T))
    with pytest.raises(ValueError, match="got list"):
        ops.align_pool([[[1.0]]], T)
    with pytest.raises(ValueError, match="float32 or float64, got int64"):
        ops.align_pool(S.astype(int), T.astype(int))
