"""align_pool in every form it has on a CPU, against the paper's equations 9-14 written out."""

import numpy as np
import pytest
import torch
from helpers import alignment_case

from gban_edge import ops
from gban_edge.core import native

ISAS = native().available_isas()


@pytest.fixture(autouse=True)
def _isa():
    """Whatever a test chooses, the next one starts from the fastest."""
    yield
    native().set_isa(ISAS[-1])


def literal(keys: torch.Tensor, queries: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Eqs. 9-11 for one utterance, keys [K, D], queries [Q, D]: mean of s~_j [D], alpha [Q, K]."""
    scores = torch.tanh(queries @ keys.T)  # a_{j,i}
    alpha = torch.softmax(scores, dim=1)  # over i
    return (alpha @ keys).mean(dim=0), alpha


def align(form: str, speech, text, *lengths, **options):
    """One form's outputs as NumPy arrays. `form`: reference, torch, or numpy:ISA."""
    if form.startswith("numpy"):
        native().set_isa(form.partition(":")[2])
        return ops.align_pool(speech, text, *lengths, **options)
    function = ops.align_pool_ref if form == "reference" else ops.align_pool
    out = function(torch.from_numpy(speech), torch.from_numpy(text), *lengths, **options)
    return ops.AlignPoolOutput(*(None if x is None else x.numpy() for x in out))


FORMS = ["reference", "torch", *(f"numpy:{isa}" for isa in ISAS)]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("precision", [np.float64, np.float32])
def test_equals_the_literal_equations_on_200_random_ragged_shapes(form, precision):
    tolerance = 1e-12 if precision == np.float64 else 1e-5
    for seed in range(200):
        speech, text, k, n = alignment_case(seed, precision)
        out = align(form, speech, text, k, n, return_weights=True, return_maps=True)
        for b in range(len(speech)):
            s = torch.from_numpy(speech[b, : k[b]].astype(np.float64))
            t = torch.from_numpy(text[b, : n[b]].astype(np.float64))
            a_s, alpha = literal(s, t)
            a_t, beta = literal(t, s)
            w_s, w_t = alpha.mean(dim=0), beta.mean(dim=0)
            # A pooled state may cancel to almost nothing: what its terms sum to is its scale.
            for got, gold, scale in (
                (out.speech[b], a_s, w_s @ s.abs()),
                (out.text[b], a_t, w_t @ t.abs()),
                (out.speech_weights[b, : k[b]], w_s, w_s),
                (out.text_weights[b, : n[b]], w_t, w_t),
                (out.alpha[b, : n[b], : k[b]], alpha, alpha),
                (out.beta[b, : k[b], : n[b]], beta, beta),
            ):
                bound = tolerance * float(scale.max())
                np.testing.assert_allclose(got, gold, rtol=0, atol=bound)
            assert_zero_beyond(out, b, k[b], n[b])


def assert_zero_beyond(out: ops.AlignPoolOutput, b: int, k: int, n: int) -> None:
    for beyond in (
        out.speech_weights[b, k:], out.text_weights[b, n:], out.alpha[b, :, k:],
        out.alpha[b, n:], out.beta[b, k:], out.beta[b, :, n:],
    ):  # fmt: skip
        assert not beyond.any()


@pytest.mark.parametrize("form", FORMS)
def test_only_what_was_asked_for_comes_back(form):
    speech, text, k, n = alignment_case(1, np.float32)
    plain = align(form, speech, text, k, n)
    assert plain[2:] == (None, None, None, None)
    assert align(form, speech, text, k, n, return_weights=True)[4:] == (None, None)
    full = align(form, speech, text, return_maps=True)
    assert full[2:4] == (None, None)
    np.testing.assert_allclose(full.alpha.sum(axis=2), 1, atol=1e-5)
    np.testing.assert_allclose(full.beta.sum(axis=2), 1, atol=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_what_stands_in_the_padding_does_not_matter(form):
    speech, text = np.ones((1, 4, 3), np.float32), np.ones((1, 5, 3), np.float32)
    speech[0, 1], speech[0, 2:], text[0, 2:] = 0.5, np.nan, np.inf
    out = align(form, speech, text, [2], [2], return_weights=True)
    short = align(form, speech[:, :2], text[:, :2])
    np.testing.assert_allclose(out.speech, short.speech, rtol=1e-6)
    np.testing.assert_allclose(out.text, short.text, rtol=1e-6)
    assert not out.speech_weights[:, 2:].any()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("where", ["speech", "text"])
def test_nan_in_nan_out_of_that_utterance_alone(form, where):
    rng = np.random.default_rng(0)
    states = {
        "speech": rng.standard_normal((2, 21, 24)).astype(np.float32),
        "text": rng.standard_normal((2, 9, 24)).astype(np.float32),
    }
    states[where][0, 5, 7] = np.nan
    out = align(form, states["speech"], states["text"], return_weights=True)
    for array in out[:4]:
        assert np.isnan(array[0]).any()
        assert np.isfinite(array[1]).all()
    assert np.isnan(out.speech[0]).all()


@pytest.mark.parametrize("form", FORMS)
def test_infinities_show(form):
    speech, text, _, _ = alignment_case(2, np.float32)
    speech[0, 0, 0] = np.inf
    assert not np.isfinite(align(form, speech, text).speech[0]).all()


def test_strided_and_read_only_arrays_and_an_empty_batch():
    rng = np.random.default_rng(0)
    wide = rng.standard_normal((4, 8, 6)).astype(np.float32)
    text = rng.standard_normal((2, 3, 6)).astype(np.float32)
    for view in (wide[:2, ::2, ::-1], wide[::2, ::-1], wide[::-2, 1:7:3], wide.T[:, :4, ::2].T):
        view.flags.writeable = False
        words = rng.standard_normal((view.shape[0], 3, view.shape[2])).astype(np.float32)
        np.testing.assert_array_equal(
            ops.align_pool(view, words).speech, ops.align_pool(view.copy(), words).speech
        )
    field = np.zeros(2, np.dtype([("tag", "u1"), ("states", "f4", (4, 6))]))["states"]
    field[:] = wide[:2, :4]  # strides that are no whole number of elements
    np.testing.assert_array_equal(
        ops.align_pool(field, text).speech, ops.align_pool(wide[:2, :4], text).speech
    )
    empty = ops.align_pool(wide[:0], text[:0], return_weights=True, return_maps=True)
    assert [x.shape for x in empty] == [(0, 6), (0, 6), (0, 8), (0, 3), (0, 3, 8), (0, 8, 3)]
    torch_empty = ops.align_pool(torch.zeros(0, 8, 6), torch.zeros(0, 3, 6))
    assert torch_empty.speech.shape == (0, 6)


def test_the_result_does_not_depend_on_threads_or_batch():
    speech, text = (
        np.random.default_rng(i).standard_normal((9, m, 64)).astype(np.float32) / 8
        for i, m in enumerate((300, 40))
    )
    forward = native().align_pool_forward
    one = forward(speech, text, None, None, True, False, True, 1)
    many = forward(speech, text, None, None, True, False, True, 4)
    single = [
        forward(speech[b : b + 1], text[b : b + 1], None, None, True, False, True, 1)
        for b in range(9)
    ]
    for i in (0, 1, 2, 3, 6, 7):
        np.testing.assert_array_equal(one[i], many[i])
        np.testing.assert_array_equal(one[i], np.concatenate([s[i] for s in single]))


S, T = np.zeros((2, 4, 8)), np.zeros((2, 3, 8))


@pytest.mark.parametrize("form", ["numpy", "torch", "reference"])
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((S[0], T), r"speech must have shape \[B, K, D\], got \[4, 8\]"),
        ((S, T[:, :, :5]), r"agree in B and D, got \[2, 4, 8\] and \[2, 3, 5\]"),
        ((S, T[:1]), "agree in B and D"),
        ((S[:, :0], T), "speech must have at least one step"),
        ((S, T[:, :0]), "text must have at least one step"),
        ((S, T.astype(np.float32)), "one number type"),
        ((S.astype(int), T.astype(int)), r"speech must be float.* got .*int64"),
        ((S, T, [1, 5]), r"speech_lengths must lie in 1..4, got 5 at index 1"),
        ((S, T, [1, 0]), "speech_lengths must lie in 1..4"),
        ((S, T, None, [1, 4]), "text_lengths must lie in 1..3"),
        ((S, T, [1.0, 2.0]), "speech_lengths must be integers"),
        ((S, T, [1]), r"speech_lengths must be integers with shape \[2\]"),
    ],
)
def test_bad_arguments_are_named(arguments, words, form):
    arrays = [a if form == "numpy" else torch.tensor(a) for a in arguments[:2]]
    function = ops.align_pool_ref if form == "reference" else ops.align_pool
    with pytest.raises(ValueError, match=words):
        function(*arrays, *arguments[2:])


def test_bad_lengths_are_named_in_single_precision_too():
    for kind in (np.asarray, torch.tensor):
        single = [kind(a.astype(np.float32)) for a in (S, T)]
        with pytest.raises(ValueError, match=r"text_lengths must lie in 1..3, got 9 at index 0"):
            ops.align_pool(*single, None, kind([9, 1]))


def test_mixed_kinds_and_devices_are_refused():
    with pytest.raises(ValueError, match="both be NumPy"):
        ops.align_pool(S, torch.tensor(T))
    with pytest.raises(ValueError, match="got list"):
        ops.align_pool([[[1.0]]], T)
    with pytest.raises(ValueError, match="one device, got cpu, meta"):
        ops.align_pool(torch.tensor(S), torch.zeros(T.shape, dtype=torch.float64, device="meta"))


def test_the_instruction_set_can_be_chosen_among_those_there_are():
    for isa in ISAS:
        native().set_isa(isa)
        assert native().current_isa() == isa
    with pytest.raises(ValueError, match="isa must be one of portable"):
        native().set_isa("mmx")
