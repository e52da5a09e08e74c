import numpy as np
import pytest
import torch
from helpers import SMALL, ragged_batch

from gban_edge import models, ops, shapes
from gban_edge.config import GBANConfig
from gban_edge.models.aligned import Vectors
from gban_edge.models.encoders import SpeechEncoder, TextEncoder
from gban_edge.models.layers import BiLSTM, reverse
from gban_edge.shapes import expected_shapes


def variants() -> list[GBANConfig]:
    """The small sizes, deeper ones, odd ones, and the authors'."""
    small = SMALL.to_dict()
    return [
        SMALL,
        GBANConfig.from_dict({**small, "lstm_layers": 3, "conv_filters": [4, 5, 6]}),
        GBANConfig.from_dict({**small, "text_kernels": [1, 5], "conv_kernel": 3}),
        GBANConfig(vocabulary=30),
    ]


def test_parameter_count_of_the_authors_sizes():
    """PAPER.md: 1.33 M and 300 a word."""
    counts = {}
    for words in (2, 1002):
        model = models.build("gban", GBANConfig(vocabulary=words))
        counts[words] = sum(p.numel() for p in model.parameters())
    assert counts[1002] - counts[2] == 300 * 1000
    assert round((counts[2] - 600) / 1e6, 2) == 1.33


@pytest.mark.parametrize("name", models.names())
@pytest.mark.parametrize("config", variants(), ids=["small", "deep", "odd", "authors"])
def test_shapes_are_those_that_a_model_file_is_held_against(name, config):
    state = models.build(name, config).state_dict()
    assert {k: tuple(v.shape) for k, v in state.items()} == expected_shapes(name, config)


@pytest.mark.parametrize("name", models.names())
@pytest.mark.parametrize("config", variants(), ids=["small", "deep", "odd", "authors"])
def test_a_batch_equals_its_items_one_by_one(name, config):
    torch.manual_seed(0)
    model = models.build(name, config).eval()
    rng = np.random.default_rng(0)
    # Layer normalisation multiplies rounding by 1 / deviation.
    tolerance = 5e-6 if name == "self_att" else 1e-6
    for _ in range(5):
        speech, frames, words, counts = ragged_batch(rng, config, 6, most=200)
        with torch.inference_mode():
            # Garbage in the padding: it must have no influence.
            for row in range(6):
                speech[row, frames[row] :] = np.nan
                words[row, counts[row] :] = config.vocabulary - 1
            whole = model(speech, frames, words, counts, return_alignment=True)
            for i in range(6):
                one = model(
                    speech[i : i + 1, : frames[i]], frames[i : i + 1],
                    words[i : i + 1, : counts[i]], counts[i : i + 1], return_alignment=True,
                )  # fmt: skip
                assert (whole.logits[i] - one.logits[0]).abs().max() < tolerance
                for many, single in zip(whole.gates or (), one.gates or (), strict=True):
                    assert (many[i] - single[0]).abs().max() < 1e-6
                for many, single in zip(whole.alignment or (), one.alignment or (), strict=True):
                    assert (many[i, : single.shape[1]] - single[0]).abs().max() < 1e-6
                    assert not many[i, single.shape[1] :].any()


def test_padding_the_batch_further_changes_nothing():
    model = models.build("gban", SMALL).eval()
    speech, frames, words, counts = ragged_batch(np.random.default_rng(1), SMALL, 4)
    with torch.inference_mode():
        short = model(speech, frames, words, counts).logits
        long = model(
            torch.nn.functional.pad(speech, (0, 0, 0, 333), value=7.0), frames,
            torch.nn.functional.pad(words, (0, 9), value=5), counts,
        ).logits  # fmt: skip
    assert (short - long).abs().max() < 1e-6


def test_gban_returns_gates_and_alignment_on_request():
    model = models.build("gban", SMALL).eval()
    speech, frames, words, counts = ragged_batch(np.random.default_rng(2), SMALL, 5)
    output = model(speech, frames, words, counts)
    assert output.alignment is None
    assert output.logits.shape == (5, 4)
    assert [z.shape for z in output.gates] == [(5, SMALL.fusion)] * 2
    assert all(((z > 0) & (z < 1)).all() for z in output.gates)
    alignment = model(speech, frames, words, counts, return_alignment=True).alignment
    for weights, steps in zip(
        alignment, ([SMALL.speech_steps(int(n)) for n in frames],
                    [SMALL.text_steps(int(m)) for m in counts]), strict=True,
    ):  # fmt: skip
        torch.testing.assert_close(weights.sum(dim=1), torch.ones(5))
        assert [(row > 0).sum().item() for row in weights] == steps


def test_speech_encoder_equals_the_unbatched_textbook_form():
    torch.manual_seed(1)
    encoder = SpeechEncoder(SMALL)
    frames = torch.randn(1, 50, 52)
    states, last, steps = encoder(frames, torch.tensor([50]))
    x = frames.transpose(1, 2)
    for conv in encoder.convs:
        x = torch.nn.functional.max_pool1d(torch.relu(conv(x)), 2)
    assert steps.item() == x.shape[2] == states.shape[1]
    torch.testing.assert_close(states, textbook_bilstm(encoder.bilstm, x.transpose(1, 2)))
    torch.testing.assert_close(last[0, :10], states[0, -1, :10])
    torch.testing.assert_close(last[0, 10:], states[0, 0, 10:])


def textbook_bilstm(ours: BiLSTM, steps: torch.Tensor) -> torch.Tensor:
    """The same weights in torch's own bidirectional LSTM of one layer."""
    ahead, back = ours.forward_layers[0], ours.backward_layers[0]
    peer = torch.nn.LSTM(ahead.input_size, ahead.hidden_size, batch_first=True, bidirectional=True)
    state = {k: v for k, v in ahead.state_dict().items()}
    state.update({f"{k}_reverse": v for k, v in back.state_dict().items()})
    peer.load_state_dict(state)
    return peer(steps)[0]


def test_bilstm_equals_torchs_packed_one():
    torch.manual_seed(2)
    ours, steps = BiLSTM(7, 5, 1), torch.randn(4, 9, 7)
    lengths = torch.tensor([9, 1, 4, 6])
    states, last = ours(steps, lengths)
    for i, length in enumerate(lengths.tolist()):
        gold = textbook_bilstm(ours, steps[i : i + 1, :length])
        torch.testing.assert_close(states[i, :length], gold[0])
        torch.testing.assert_close(last[i], torch.cat([gold[0, -1, :5], gold[0, 0, 5:]]))
        assert not states[i, length:].any()


def test_reverse():
    steps = torch.arange(8.0).reshape(2, 4, 1)
    assert reverse(steps, torch.tensor([3, 4])).flatten().tolist() == [2, 1, 0, 3, 7, 6, 5, 4]


def test_text_encoder_drops_no_word():
    """Every one of 1 to 9 words has an influence: an odd last one is pooled alone."""
    torch.manual_seed(3)
    encoder = TextEncoder(SMALL).eval()
    for count in range(1, 10):
        words = torch.arange(2, 2 + count)[None]
        base = encoder(words, torch.tensor([count]))[0]
        assert base.shape[1] == (count + 1) // 2
        for place in range(count):
            other = words.clone()
            other[0, place] = 25
            assert not torch.equal(encoder(other, torch.tensor([count]))[0], base)


def test_fusion_is_equations_15_to_21():
    torch.manual_seed(4)
    model = models.build("gban", SMALL)
    a_s, a_t, h_s, h_t = torch.randn(4, 3, SMALL.states)
    h, (z_p, z_q), _ = model.fusion(Vectors(a_s, a_t, h_s, h_t))
    w = {name: value for name, value in model.fusion.state_dict().items()}
    p_s, p_t = (
        torch.tanh(a_s @ w["aligned.speech.weight"].T),
        torch.tanh(a_t @ w["aligned.text.weight"].T),
    )
    q_s, q_t = (
        torch.tanh(h_s @ w["last.speech.weight"].T),
        torch.tanh(h_t @ w["last.text.weight"].T),
    )
    zp = torch.sigmoid(torch.cat([a_s, a_t], 1) @ w["aligned.gate.weight"].T)
    zq = torch.sigmoid(torch.cat([h_s, h_t], 1) @ w["last.gate.weight"].T)
    torch.testing.assert_close(h, zp * p_s + (1 - zp) * p_t + zq * q_s + (1 - zq) * q_t)
    torch.testing.assert_close(z_p, zp)
    torch.testing.assert_close(z_q, zq)


def test_gban_is_its_parts_put_together():
    torch.manual_seed(5)
    model = models.build("gban", SMALL).eval()
    speech, frames, words, counts = ragged_batch(np.random.default_rng(3), SMALL, 3)
    S, h_s, k = model.speech(speech, frames)
    T, h_t, n = model.text(words, counts)
    pooled = ops.align_pool_ref(S, T, k, n)
    h = model.fusion(Vectors(pooled.speech, pooled.text, h_s, h_t)).h
    g = torch.relu(h @ model.classifier.hidden.weight.T)
    logits = g @ model.classifier.output.weight.T + model.classifier.output.bias
    torch.testing.assert_close(model(speech, frames, words, counts).logits, logits)


def test_initialisation_is_xavier_normal():
    torch.manual_seed(6)
    model = models.build("gban", GBANConfig(vocabulary=500))
    state = model.state_dict()
    for name in ("fusion.last.gate.weight", "speech.bilstm.forward_layers.0.weight_hh_l0"):
        rows, columns = state[name].shape
        assert abs(state[name].std().item() / (2 / (rows + columns)) ** 0.5 - 1) < 0.03
    assert not state["text.embedding.weight"][0].any()
    assert not state["classifier.output.bias"].any()
    assert state["text.bilstm.backward_layers.0.bias_hh_l0"][128:256].eq(1).all()


def test_dropout_only_in_training():
    model = models.build("gban", SMALL)
    batch = ragged_batch(np.random.default_rng(5), SMALL, 3)
    model.train()
    assert not torch.equal(model(*batch).logits, model(*batch).logits)
    model.eval()
    assert torch.equal(model(*batch).logits, model(*batch).logits)


def test_unknown_model():
    with pytest.raises(ValueError, match=r"'gban'.*got 'gbam'"):
        models.build("gbam", SMALL)


def test_names_are_those_of_the_shape_tables():
    assert models.names() == shapes.names()


# Parameters at the authors' sizes, 300 a word of the vocabulary left out. The parts, by hand:
CONVOLUTIONS = (52 * 4 + 1) * 12 + (12 * 4 + 1) * 20 + (20 * 4 + 1) * 28 + (28 * 4 + 1) * 36
SPEECH = CONVOLUTIONS + 2 * 512 * (36 + 128 + 2)  # 4H rows a direction: input, state, two biases
TEXT = 128 * (300 * (2 + 3 + 4) + 3) + 2 * 512 * (3 * 128 + 128 + 2)
PAIR = 128 * 256 + 128 * 256 + 128 * 512  # W_s, W_t, W_z; no biases
G = 128 * 4 + 4  # W_e and b; W_g has 128 rows, as long as h
PARAMETERS = {
    "gban": SPEECH + TEXT + 2 * PAIR + 128 * 128 + G,  # 1,331,172
    "h_s": SPEECH + 256 * 128 + G,  # 213,092
    "h_t": TEXT + 256 * 128 + G,  # 905,604
    "a_s": SPEECH + TEXT + 256 * 128 + G,  # 1,085,412
    "a_t": SPEECH + TEXT + 256 * 128 + G,  # 1,085,412
    "concat_1": SPEECH + TEXT + 512 * 128 + G,  # 1,118,180
    "tfl": SPEECH + TEXT + 257 * 257 * 128 + G,  # 9,506,916
    "gmu": SPEECH + TEXT + PAIR + 128 * 128 + G,  # 1,200,100
    "concat_2": SPEECH + TEXT + 1024 * 128 + G,  # 1,183,716
    "cnn_att": CONVOLUTIONS + 36 + 36 * 128 + G,  # 14,984; w
    "lstm_att": SPEECH + 2 * 256 * 128 + 128 + 256 * 128 + G,  # 278,756; W_s and W_c, w
    # 316,260; W and b, then W_q, W_k, W_v, W_o with biases, then the layer normalisation
    "self_att": CONVOLUTIONS + 37 * 256 + 4 * 257 * 256 + 2 * 256 + 256 * 128 + G,
    # 1,743,333; u, v, b, then a BiLSTM on [s~, t]
    "att_lstm": SPEECH + TEXT + 256 + 257 + 2 * 512 * (512 + 128 + 2) + 256 * 128 + G,
    "mdre": SPEECH + TEXT + 2 * 257 * 128 + 256 * 128 + G,  # 1,151,204; A and T
    "mdrea": SPEECH + TEXT + 257 * 256 + 512 * 128 + G,  # 1,183,972; e
}


@pytest.mark.parametrize("name", models.names())
def test_parameter_counts_at_the_authors_sizes(name):
    model = models.build(name, GBANConfig(vocabulary=2))
    embedding = 2 * 300 if hasattr(model, "text") else 0
    assert sum(p.numel() for p in model.parameters()) - embedding == PARAMETERS[name]


@pytest.mark.parametrize("name", models.names())
def test_what_a_system_hears(name):
    """Exactly the modalities that it has an encoder of; a_s and a_t need both to align."""
    torch.manual_seed(7)
    model = models.build(name, SMALL).eval()
    speech, frames, words, counts = ragged_batch(np.random.default_rng(6), SMALL, 3)
    other = torch.where(words > 1, words - 1, words + 1)
    with torch.inference_mode():
        logits = model(speech, frames, words, counts).logits
        of_other_words = model(speech, frames, other, counts).logits
        of_other_sound = model(-speech, frames, words, counts).logits
    speech_alone = name in ("h_s", "cnn_att", "lstm_att", "self_att")
    assert torch.equal(logits, of_other_words) == speech_alone
    assert torch.equal(logits, of_other_sound) == (name == "h_t")
