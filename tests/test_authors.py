"""The authors' code as a recipe: every system against NumPy, and each way it differs from ours."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from authors_numpy import forward
from helpers import SMALL
from torch import nn

from gban_edge import models
from gban_edge.config import GBANConfig
from gban_edge.ops import align_pool_ref
from train import authors, recipes

WORDS = 7  # odd, so that pooling drops a word; shorter than some texts, so that they are cut


def network(name: str, words: int = WORDS, seed: int = 0) -> nn.Module:
    """A small network in evaluation mode whose every parameter, biases too, is random."""
    torch.manual_seed(seed)
    model = authors.build(name, SMALL, words).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return model


def batch_of(seed: int) -> tuple[torch.Tensor, ...]:
    """speech, lengths, words, counts: too long, of full length and short; garbage behind."""
    rng = np.random.default_rng(seed)
    speech = torch.tensor(rng.standard_normal((4, 900, 52)), dtype=torch.float32)
    words = torch.tensor(rng.integers(1, SMALL.vocabulary, (4, WORDS + 4)))
    lengths, counts = [900, 745, 300, 40], [2, WORDS + 4, WORDS, 4]
    return speech, torch.tensor(lengths), words, torch.tensor(counts)


@pytest.mark.parametrize("name", authors.names())
def test_every_system_against_numpy(name):
    model = network(name)
    w = {k: v.double().numpy() for k, v in model.state_dict().items()}
    speech, lengths, words, counts = batch_of(3)
    with torch.inference_mode():
        out = model(speech, lengths, words, counts, return_alignment=True)
    seen = set()
    for b in range(len(speech)):
        frames = speech[b, : lengths[b]].double().numpy()
        ids = words[b, : counts[b]].tolist()
        logits, gates, weights = forward(name, w, frames, ids, WORDS)
        np.testing.assert_allclose(out.logits[b], logits, atol=1e-5, rtol=0)
        for got, expected in ((out.gates, gates), (out.alignment, weights)):
            assert (got is None) == (expected is None)
            for mine, other in zip(got or (), expected or (), strict=True):
                np.testing.assert_allclose(mine[b], other, atol=1e-5, rtol=0)
        seen.add(tuple(np.round(logits, 3)))
    assert len(seen) > 1, "the logits do not depend on the utterance"


def test_the_systems_of_their_code_and_no_others():
    assert authors.names() == ("h_s", "h_t", "concat_1", "tfl", "gmu", "concat_2", "gban")
    for name in ("a_s", "a_t", "att_lstm", "concat", "ggf", ""):
        with pytest.raises(ValueError, match=r"authors' code.*has no other") as error:
            authors.build(name, SMALL, WORDS)
        assert all(repr(known) in str(error.value) for known in authors.names())
    for words in (1, 0, -3, 2.0, True, None):
        with pytest.raises(ValueError, match="words must be an integer of at least 2"):
            authors.build("gban", SMALL, words)
    deep = GBANConfig(30, conv_filters=(4,) * 8)
    with pytest.raises(ValueError, match="conv_filters must leave something of 750 frames"):
        authors.build("h_s", deep, WORDS)
    with pytest.raises(ValueError, match="lstm_layers must be 1"):
        authors.build("h_t", GBANConfig(30, lstm_layers=2), WORDS)


def test_words_go_to_the_end_and_a_long_text_loses_its_first():
    encoder = network("h_t").text
    words = torch.tensor([[5, 6, 9, 9, 9, 9, 9, 9, 9], [1, 2, 3, 4, 5, 6, 7, 8, 9]])
    padded = encoder.padded(words, torch.tensor([2, 9]))
    assert padded.tolist() == [[0, 0, 0, 0, 0, 5, 6], [3, 4, 5, 6, 7, 8, 9]]
    with torch.inference_mode():
        states = encoder(words, torch.tensor([2, 9]))
        assert states.shape == (2, WORDS // 2, 2 * SMALL.hidden)
        assert torch.equal(states, encoder(padded, torch.tensor([WORDS, WORDS])))
        behind = encoder(torch.tensor([[5, 6, 0, 0, 0, 0, 0]]), torch.tensor([WORDS]))
    assert not torch.allclose(states[:1], behind, atol=1e-2)


def test_the_odd_last_word_is_dropped():
    """Through the pooling alone: with filters one word wide nothing else could carry it over."""
    config = GBANConfig(30, embedding=6, text_filters=5, text_kernels=(1,), hidden=4)
    words, counts = torch.tensor([[3, 4, 5, 6, 7, 8, 9]]), torch.tensor([7])
    other = words.clone()
    other[0, -1] = 20
    odd, even = authors.build("h_t", config, 7).eval(), authors.build("h_t", config, 6).eval()
    assert torch.equal(odd.text(words, counts), odd.text(other, counts))
    assert not torch.allclose(even.text(words, counts), even.text(other, counts), atol=1e-4)
    ours = models.build("h_t", config).eval()
    assert ours.text(words, counts)[0].shape[1] == 4
    assert odd.text(words, counts).shape[1] == 3


@pytest.mark.parametrize("name", ["h_s", "h_t", "tfl", "gban"])
def test_the_fixed_length_counts_and_the_batch_does_not(name):
    model = network(name)
    speech, lengths, words, counts = batch_of(5)
    with torch.inference_mode():
        logits = model(speech, lengths, words, counts).logits
        row = [t[2:3] for t in (speech, lengths, words, counts)]
        row[0], row[2] = row[0][:, : lengths[2]], row[2][:, : counts[2]]
        alone = model(*row).logits
        torch.testing.assert_close(alone, logits[2:3], atol=1e-6, rtol=0)
        # As if the authors' zeros were true frames and words: nothing tells them apart.
        whole = torch.cat([row[0], torch.zeros(1, 750 - int(lengths[2]), 52)], dim=1)
        padded = nn.functional.pad(row[2], (WORDS - int(counts[2]), 0))
        same = model(whole, torch.tensor([750]), padded, torch.tensor([WORDS])).logits
        torch.testing.assert_close(same, alone, atol=1e-6, rtol=0)
    if name != "h_s":
        longer = network(name, WORDS + 4)
        longer.load_state_dict(model.state_dict())
        with torch.inference_mode():
            assert not torch.allclose(longer(*row).logits, alone, atol=1e-4)


def test_speech_is_cut_at_750_frames_and_zeros_behind_it_are_heard(monkeypatch):
    model = network("h_s")
    speech = torch.randn(1, 900, 52)
    words = torch.tensor([[1]]), torch.tensor([1])
    with torch.inference_mode():
        cut = model(speech, torch.tensor([750]), *words).logits
        assert torch.equal(model(speech, torch.tensor([900]), *words).logits, cut)
        assert model.speech(speech, torch.tensor([900])).shape[1] == SMALL.speech_steps(750)
        short = model(speech, torch.tensor([300]), *words).logits
        monkeypatch.setattr(authors, "FRAMES", 300)
        unpadded = model(speech, torch.tensor([300]), *words).logits
    assert not torch.allclose(short, unpadded, atol=1e-4)


def test_the_last_state_is_the_output_at_the_last_step():
    """Its backward half is that of an LSTM that was given the last step alone."""
    model = network("h_s")
    S, steps, h = [], [], []
    model.speech.register_forward_hook(lambda _, inputs, output: S.append(output))
    model.speech.bilstm.register_forward_pre_hook(lambda _, inputs: steps.append(inputs[0]))
    model.classifier.register_forward_pre_hook(lambda _, inputs: h.append(inputs[0]))
    half = SMALL.hidden
    with torch.inference_mode():
        model(*batch_of(1))
        one = model.speech.bilstm(steps[0][:, -1:])
    assert torch.equal(h[0], S[0][:, -1])
    torch.testing.assert_close(h[0][:, half:], one[:, 0, half:], atol=1e-6, rtol=0)
    assert not torch.allclose(h[0][:, :half], one[:, 0, :half], atol=1e-3)
    # The reading of gban_edge.models joins the backward half's final state instead.
    assert not torch.allclose(h[0][:, half:], S[0][:, 0, half:], atol=1e-3)


def test_which_vector_speaks_for_which_modality():
    """a_s is a mixture of speech states weighed over K, a_t one of text states weighed over L."""
    alignment = network("gban").alignment
    generator = torch.Generator().manual_seed(1)
    S, T = (torch.randn(2, n, SMALL.states, generator=generator) for n in (9, 4))
    only_s, only_t = S[:, :1].expand_as(S), T[:, :1].expand_as(T)
    with torch.inference_mode():
        a_s, a_t, w_s, w_t = alignment(S, T)
        torch.testing.assert_close(alignment(only_s, T)[0], S[:, 0])
        torch.testing.assert_close(alignment(S, only_t)[1], T[:, 0])
        ours = align_pool_ref(S, T)
    for weights, steps in ((w_s, 9), (w_t, 4)):
        assert weights.shape == (2, steps)
        torch.testing.assert_close(weights.sum(dim=1), torch.ones(2))
    # Another score than tanh of the dot product, so other vectors.
    assert not torch.allclose(a_s, ours.speech, atol=1e-2)
    assert not torch.allclose(a_t, ours.text, atol=1e-2)


def test_tensor_fusion_appends_a_zero():
    """So the last row and column of the product are nothing, and a modality alone is never seen."""
    model = network("tfl")
    side = SMALL.states + 1
    inputs = batch_of(7)
    weight = model.classifier.hidden.weight
    assert weight.shape[1] == side**2
    model(*inputs).logits.sum().backward()
    gradient = weight.grad.view(-1, side, side)
    assert gradient[:, :-1, :-1].abs().max() > 0
    assert not gradient[:, -1].any()
    assert not gradient[:, :, -1].any()


@pytest.mark.parametrize(
    ("sure", "heard", "unheard"), [(60.0, "first", "second"), (-60, "second", "first")]
)
def test_gates_are_shares_of_speech_though_their_z_weighs_text(sure, heard, unheard):
    """With z at 1 text alone (first in both groups) is let through, and the gates must say 0."""
    model = network("gban")
    inputs = batch_of(9)
    for group in ("aligned", "last"):
        gate = model.fusion[group].gate
        gate.register_forward_hook(lambda *hooked: torch.full_like(hooked[2], sure))
    given = {}
    for side in ("first", "second"):
        model.fusion["last"].get_submodule(side).register_forward_pre_hook(
            lambda _, x, side=side: given.__setitem__(side, x[0])
        )
    with torch.inference_mode():
        before = model(*inputs)
        S, T = model.speech(*inputs[:2]), model.text(*inputs[2:])
        model.fusion["aligned"].get_submodule(unheard).weight.zero_()
        model.fusion["last"].get_submodule(unheard).weight.zero_()
        torch.testing.assert_close(model(*inputs).logits, before.logits)
        model.fusion["last"].get_submodule(heard).weight.zero_()
        assert not torch.allclose(model(*inputs).logits, before.logits, atol=1e-3)
    assert torch.equal(given["first"], T[:, -1])
    assert torch.equal(given["second"], S[:, -1])
    share_of_speech = 0.0 if sure > 0 else 1.0
    for z in before.gates:
        torch.testing.assert_close(z, torch.full_like(z, share_of_speech))


def test_parameters_at_the_authors_sizes():
    """As Keras counts them, layer by layer: one bias an LSTM gate, 300 a word on top."""
    speech = (52 * 4 + 1) * 12 + (12 * 4 + 1) * 20 + (20 * 4 + 1) * 28 + (28 * 4 + 1) * 36
    speech += 2 * 4 * 128 * (36 + 128 + 1)
    text = (300 * 2 + 1) * 128 + (300 * 3 + 1) * 128 + (300 * 4 + 1) * 128
    text += 2 * 4 * 128 * (3 * 128 + 128 + 1)
    fusion = 4 * 256 * 128 + 2 * 512 * 128
    head = (128 + 1) * 128 + (128 + 1) * 4
    by_hand = speech + text + 2 * 256 + fusion + head
    assert by_hand == 1_329_764

    def trained(name: str) -> int:
        model = authors.build(name, GBANConfig(vocabulary=1000), words=60)
        return sum(p.numel() for p in model.parameters() if p.requires_grad)

    assert trained("gban") == by_hand + 300 * 1000
    outer = speech + text + (257 * 257 + 1) * 128 + (128 + 1) * 4
    assert trained("tfl") == outer + 300 * 1000


def test_the_start_is_keras():
    torch.manual_seed(0)
    model = authors.build("gban", GBANConfig(vocabulary=200), words=20)
    w = {name: p if "bias_hh" in name else p.detach() for name, p in model.named_parameters()}
    forget = torch.zeros(4 * 128)
    forget[128:256] = 1.0
    for encoder in ("speech", "text"):
        for suffix in ("", "_reverse"):
            name = f"{encoder}.bilstm.%s_l0{suffix}"
            assert torch.equal(w[name % "bias_ih"], forget)
            assert not w[name % "bias_hh"].any()
            assert not w[name % "bias_hh"].requires_grad
            recurrent = w[name % "weight_hh"]
            torch.testing.assert_close(recurrent.T @ recurrent, torch.eye(128), atol=1e-5, rtol=0)
    fans = {
        "speech.convs.0.weight": 4 * 52 + 4 * 12,
        "text.convs.2.weight": 4 * 300 + 4 * 128,
        "text.bilstm.weight_ih_l0": 384 + 512,
        "alignment.speech_scale": 2 * 256,
        "fusion.last.gate.weight": 512 + 128,
        "classifier.output.weight": 128 + 4,
    }
    for name, fan in fans.items():
        bound = (6 / fan) ** 0.5
        assert 0.97 * bound < w[name].abs().max() <= bound, name
        assert w[name].std() == pytest.approx(bound / 3**0.5, rel=0.1), name
    vectors = w["text.embedding.weight"]
    assert not vectors[0].any()
    assert 0.23 < vectors[1:].abs().max() <= 0.25
    assert torch.equal(vectors, vectors[:, :1].expand_as(vectors))


def test_no_dropout_on_h_and_one_on_g():
    model = network("gban").train()
    inputs = batch_of(11)
    seen: dict[str, list] = {"h": [], "g": []}
    model.classifier.hidden.register_forward_pre_hook(lambda _, x: seen["h"].append(x[0]))
    model.classifier.output.register_forward_pre_hook(lambda _, x: seen["g"].append(x[0]))
    with torch.no_grad():
        model(*inputs), model.eval()(*inputs)
    assert torch.equal(*seen["h"])
    kept = seen["g"][0] != 0
    torch.testing.assert_close(seen["g"][0][kept], 2 * seen["g"][1][kept])
    assert (~kept & (seen["g"][1] != 0)).any()


def test_the_padding_word_is_trained_and_word_vectors_can_be_set():
    model = network("gban").train()
    model(*batch_of(13)).logits.square().sum().backward()
    assert model.text.embedding.weight.grad[0].any()
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)
    vectors = torch.randn(SMALL.vocabulary, SMALL.embedding)
    with torch.no_grad():
        model.text.embedding.weight.copy_(vectors)
    assert torch.equal(model.state_dict()["text.embedding.weight"], vectors)


def test_the_recipe():
    recipe = recipes.get("authors")
    assert recipe is authors.RECIPE
    assert recipe.to_dict() == {
        "name": "authors", "learning_rate": 1e-4, "batch": 32, "epochs": 100, "patience": 5,
        "l2": 0.0, "clip": 5.0, "dropout": 0.5, "beta2": 0.9, "clip_each": True,
        "monitor": "accuracy", "bucket": False, "standardise": False, "word_dropout": 0.0,
    }  # fmt: skip
