"""The authors' public code as a recipe of its own: ``--recipe authors``.

The TensorFlow 1.15 code of Liu, Li and Meng (GitHub ppfliu/emotion-recognition at 45addf9) is not
what their paper says. This module does what that code does, written anew from reading it, so that
both readings can be trained on the same corpus. Where it differs from the paper or from
``gban_edge.models`` (the letters are README's; c is a learnt vector):

The networks; reproduced here:

- Score: sum_d c_d tanh(s_id + t_jd), a c for each direction; eqs. 9 and 12 have tanh(s_i . t_j).
- Speech: zeros up to 750 frames, cut there, no mask; filters, LSTMs, softmax and means see them.
- Text: zeros *before* the words up to the longest training transcript; longer text loses its first
  words; no mask, and the vector of ``<pad>`` is trained like any other.
- Text pooling: an odd last position is dropped. That is every utterance's last word where the
  longest training transcript has an odd number of words.
- Last state: the output at the last step. Its backward half has seen that one step, padding for
  most speech; ``gban_edge.models`` joins the final states of the two directions.
- Directions: their ``att_at`` averages, over the K speech steps, what each took of the words. That
  is the paper's a_t; ``att_ta`` is a_s. Concatenated as (a_t, a_s) and (h_s, h_t, a_t, a_s).
- GGF gets (a_t, a_s, h_t, h_s): z weighs *text* in both groups; in eqs. 17-21 it weighs speech.
  ``ModelOutput.gates`` holds 1 - z, the share of speech, as for every other network.
- LSTM gates: TensorFlow 1's are *hard* sigmoids, clip(0.2 x + 0.5, 0, 1).
- GMU and TFL join the last states, not a_s and a_t. GMU's z weighs speech.
- TFL appends 0, not 1: the terms of one modality alone are lost.
- Classifier: W_g has a bias; dropout before the output layer only, none on h.
- Start: Glorot-uniform, orthogonal recurrent matrices, biases 0 but for the forget gate's 1; the
  paper says Xavier-normal. An LSTM gate has one bias: of nn.LSTM's two, ``bias_hh`` stays 0.

Their training; reproduced by ``RECIPE``:

- Adam with beta2 .9; each variable's gradient held to a norm of 5 by itself.
- At most 100 epochs; patience 5 on validation *accuracy*, which also chooses the epoch kept.
- Batches of any lengths, in random order.
- Features are not standardised (``normalize`` is there and never called). Zero, the padding, is
  then far louder than silence, whose log-mel is -23.
- No L2 term: their code sets it on layers that are built already, where it does nothing.
- No class weights: they are computed, but passed as an array, and Keras heeds only a dict.

Not reproduced:

- Adam's epsilon: theirs is 1e-7, added before the bias correction; PyTorch's is 1e-8, after it.
- Words that GloVe lacks: one uniform number of +-.25, 300 times, is the vector. Networks start so
  here, but train/tasks.py then sets those of gban_edge.text.embedding_matrix.
- Words: theirs are runs of the letters a-z ("don't" is two). ``.``, ``!`` and ``?`` count for their
  longest transcript and their number of words, and Keras's tokenizer then takes them out.
- Vocabulary: of the training speakers, with the 5% held out for validation; here without them.
  Never of the test speakers, here or there.
- Features: librosa's with centred frames, MFCC clamped 80 dB below the loudest, deltas
  extrapolated at the edges, 750 frames at most. Here this project's frontend: 747 at most.
- The 5% held out: the same in all of their runs; here another for each seed.
- Systems: ``concat`` of (h_s, h_t) is in no table of the paper, and left out. a_s and a_t alone,
  Att-LSTM and the rest of Table 3 are not in their code.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from gban_edge.config import GBANConfig
from gban_edge.models.layers import inside
from gban_edge.models.system import Inputs, Representation, System
from gban_edge.text import PAD_ID
from train.recipes import Recipe

FRAMES = 750
"""Every utterance's number of frames: 7.5 s."""

RECIPE = Recipe(
    "authors", learning_rate=1e-4, batch=32, epochs=100, patience=5, clip=5.0, dropout=0.5,
    beta2=0.9, clip_each=True, monitor="accuracy", bucket=False, standardise=False,
)  # fmt: skip

_SYSTEMS = {  # the registry's name -> what their command line calls it
    "h_s": "source audio",
    "h_t": "source text",
    "concat_1": "fusion concat-attention",
    "tfl": "fusion tfl",
    "gmu": "fusion gmu",
    "concat_2": "fusion concat-all",
    "gban": "fusion ggf",
}
_ALIGNED = ("concat_1", "concat_2", "gban")


def names() -> tuple[str, ...]:
    """The systems that the authors' code has, under the names of :mod:`gban_edge.models`."""
    return tuple(_SYSTEMS)


def build(name: str, config: GBANConfig, words: int) -> nn.Module:
    """A freshly initialised network of the authors' code.

    Its signature is that of :func:`gban_edge.models.build`'s. It pads every utterance to 750
    frames and ``words`` words itself, whatever the batch was padded to.

    Args:
        words: the fixed length of a text, which is that of the longest training transcript.

    Raises:
        ValueError: their code has no such system; fewer than two words, which give no text step;
            convolutions that leave nothing of 750 frames; more than one LSTM layer.
    """
    if name not in _SYSTEMS:
        raise ValueError(
            f"model must be one of {list(_SYSTEMS)} with the recipe 'authors' (the authors' code "
            f"has no other), got {name!r}"
        )
    if isinstance(words, bool) or not isinstance(words, int) or words < 2:
        raise ValueError(f"words must be an integer of at least 2, got {words!r}")
    if config.receptive_field > FRAMES:
        raise ValueError(
            f"conv_filters must leave something of {FRAMES} frames, got {config.conv_filters} "
            f"with a receptive field of {config.receptive_field}"
        )
    if config.lstm_layers != 1:
        raise ValueError(
            f"lstm_layers must be 1, as in the authors' code, got {config.lstm_layers}"
        )
    return AuthorsNetwork(name, config, words)


class HardBiLSTM(nn.LSTM):
    """A one-layer bidirectional nn.LSTM whose gates are hard sigmoids, step by step.

    Both directions go in one batched product a step, on a CPU and on a GPU.
    """

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__(width, hidden, batch_first=True, bidirectional=True)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, T, width] -> states [B, T, 2H]."""
        given = torch.stack(
            [
                functional.linear(x, self.weight_ih_l0, self.bias_ih_l0 + self.bias_hh_l0),
                functional.linear(
                    x.flip(1),
                    self.weight_ih_l0_reverse,
                    self.bias_ih_l0_reverse + self.bias_hh_l0_reverse,
                ),
            ]
        )
        recurrent = torch.stack([self.weight_hh_l0.T, self.weight_hh_l0_reverse.T])  # [2, H, 4H]
        hidden = cell = x.new_zeros(2, len(x), self.hidden_size)
        states = []
        for step in given.unbind(dim=2):
            i, f, g, o = torch.baddbmm(step, hidden, recurrent).chunk(4, dim=2)
            cell = _hard(f) * cell + _hard(i) * torch.tanh(g)
            hidden = _hard(o) * torch.tanh(cell)
            states.append(hidden)
        forward, backward = torch.stack(states, dim=2).unbind(dim=0)
        return torch.cat([forward, backward.flip(1)], dim=2)


class SpeechEncoder(nn.Module):
    """Features [B, N, 52] -> states S [B, K, D]; K is that of 750 frames, for every utterance."""

    def __init__(self, config: GBANConfig) -> None:
        super().__init__()
        widths = (config.features, *config.conv_filters)
        self.convs = nn.ModuleList(nn.Conv1d(a, b, config.conv_kernel) for a, b in pairwise(widths))
        self.bilstm = HardBiLSTM(widths[-1], config.hidden)

    def forward(self, speech: Tensor, lengths: Tensor) -> Tensor:
        speech = speech.masked_fill(~inside(lengths, speech.shape[1])[:, :, None], 0.0)[:, :FRAMES]
        x = functional.pad(speech, (0, 0, 0, FRAMES - speech.shape[1])).transpose(1, 2)
        for conv in self.convs:
            x = torch.relu(functional.max_pool1d(conv(x), 2))
        return self.bilstm(x.transpose(1, 2))


class TextEncoder(nn.Module):
    """Word ids [B, M] -> states T [B, L, D] with L = words // 2, for every utterance."""

    def __init__(self, config: GBANConfig, words: int) -> None:
        super().__init__()
        self.words = words
        self.embedding = nn.Embedding(config.vocabulary, config.embedding)
        self.convs = nn.ModuleList(
            nn.Conv1d(config.embedding, config.text_filters, k) for k in config.text_kernels
        )
        self.bilstm = HardBiLSTM(config.text_filters * len(config.text_kernels), config.hidden)

    def forward(self, words: Tensor, counts: Tensor) -> Tensor:
        x = self.embedding(self.padded(words, counts)).transpose(1, 2)
        filtered = []
        for conv in self.convs:
            width = conv.kernel_size[0]
            same = functional.pad(x, ((width - 1) // 2, width // 2))
            filtered.append(torch.relu(functional.max_pool1d(conv(same), 2)))
        return self.bilstm(torch.cat(filtered, dim=1).transpose(1, 2))

    def padded(self, words: Tensor, counts: Tensor) -> Tensor:
        """[B, self.words]: the last words of each text, ``<pad>`` before them."""
        place = torch.arange(self.words, device=words.device) - self.words + counts[:, None]
        return words.gather(1, place.clamp(min=0)).masked_fill(place < 0, PAD_ID)


class AdditiveAlignment(nn.Module):
    """Both directions of tf.keras' AdditiveAttention, averaged over their queries.

    u_ijd = tanh(s_id + t_jd) serves both. Text queries: softmax over i of sum_d c_d u_ijd gives
    weights of speech steps; their mean over j is w_s, and a_s = sum_i w_s[i] s_i (a mean is linear,
    so it moves inside). Speech queries, with a c of their own, give w_t and a_t likewise.
    """

    def __init__(self, config: GBANConfig) -> None:
        super().__init__()
        self.speech_scale = nn.Parameter(torch.empty(config.states))
        self.text_scale = nn.Parameter(torch.empty(config.states))

    def forward(self, S: Tensor, T: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """S [B, K, D], T [B, L, D] -> a_s [B, D], a_t [B, D], w_s [B, K], w_t [B, L]."""
        scales = torch.stack([self.speech_scale, self.text_scale], dim=1)
        scores = torch.tanh(S[:, :, None] + T[:, None]) @ scales  # [B, K, L, 2]
        w_s = scores[..., 0].softmax(dim=1).mean(dim=2)
        w_t = scores[..., 1].softmax(dim=2).mean(dim=1)
        return (w_s[:, None] @ S)[:, 0], (w_t[:, None] @ T)[:, 0], w_s, w_t


class Gate(nn.Module):
    """z tanh(W_1 x) + (1 - z) tanh(W_2 y) and z = sigmoid(W_z [x, y]), which weighs the *first*."""

    def __init__(self, config: GBANConfig) -> None:
        super().__init__()
        self.first = nn.Linear(config.states, config.fusion, bias=False)
        self.second = nn.Linear(config.states, config.fusion, bias=False)
        self.gate = nn.Linear(2 * config.states, config.fusion, bias=False)

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Two vectors [B, D] -> h and z, [B, fusion] each."""
        z = torch.sigmoid(self.gate(torch.cat([x, y], dim=1)))
        return z * torch.tanh(self.first(x)) + (1 - z) * torch.tanh(self.second(y)), z


class Classifier(nn.Module):
    """logits = W_e dropout(ReLU(W_g h + b_g)) + b."""

    def __init__(self, width: int, config: GBANConfig) -> None:
        super().__init__()
        self.hidden = nn.Linear(width, config.classifier)
        self.dropout = nn.Dropout(config.dropout)
        self.output = nn.Linear(config.classifier, config.classes)

    def forward(self, h: Tensor) -> Tensor:
        """h [B, width] -> logits [B, C]."""
        return self.output(self.dropout(torch.relu(self.hidden(h))))


class AuthorsNetwork(System):
    """Any system of the authors' code; :func:`build` makes one."""

    def __init__(self, name: str, config: GBANConfig, words: int) -> None:
        super().__init__()
        self.name = name
        if name != "h_t":
            self.speech = SpeechEncoder(config)
        if name != "h_s":
            self.text = TextEncoder(config, words)
        if name in _ALIGNED:
            self.alignment = AdditiveAlignment(config)
        groups = {"gmu": ("last",), "gban": ("aligned", "last")}.get(name, ())
        self.fusion = nn.ModuleDict({group: Gate(config) for group in groups})
        D = config.states
        joined = {"h_s": D, "h_t": D, "concat_1": 2 * D, "concat_2": 4 * D, "tfl": (D + 1) ** 2}
        self.classifier = Classifier(joined.get(name, config.fusion), config)
        _initialise(self)

    def represent(self, inputs: Inputs, return_alignment: bool) -> Representation:
        if self.name == "h_t":
            return Representation(self.text(inputs.words, inputs.word_counts)[:, -1])
        S = self.speech(inputs.speech, inputs.speech_lengths)
        if self.name == "h_s":
            return Representation(S[:, -1])
        T = self.text(inputs.words, inputs.word_counts)
        if self.name == "tfl":
            return Representation(_outer(S[:, -1], T[:, -1]))
        if self.name == "gmu":
            return Representation(self.fusion["last"](S[:, -1], T[:, -1])[0])
        return self._aligned(S, T, return_alignment)

    def _aligned(self, S: Tensor, T: Tensor, return_alignment: bool) -> Representation:
        a_s, a_t, w_s, w_t = self.alignment(S, T)
        weights = (w_s, w_t) if return_alignment else None
        if self.name == "gban":
            aligned, z_p = self.fusion["aligned"](a_t, a_s)
            last, z_q = self.fusion["last"](T[:, -1], S[:, -1])
            return Representation(aligned + last, (1 - z_p, 1 - z_q), weights)
        last_states = (S[:, -1], T[:, -1]) if self.name == "concat_2" else ()
        return Representation(torch.cat([*last_states, a_t, a_s], dim=1), None, weights)


def _hard(x: Tensor) -> Tensor:
    return torch.clamp(0.2 * x + 0.5, 0.0, 1.0)


def _outer(h_s: Tensor, h_t: Tensor) -> Tensor:
    """[B, D] twice -> [B, (D + 1)^2]: the outer product of both with a 0 appended."""
    x, y = functional.pad(h_s, (0, 1)), functional.pad(h_t, (0, 1))
    return (x[:, :, None] * y[:, None]).flatten(1)


@torch.no_grad()
def _initialise(model: nn.Module) -> None:
    """The start that the module's docstring lists; one uniform number a word until GloVe is set."""
    for name, parameter in model.named_parameters():
        if "embedding" in name:
            drawn = torch.empty(len(parameter), 1).uniform_(-0.25, 0.25)
            parameter.copy_(drawn.expand_as(parameter))
            parameter[PAD_ID] = 0.0
        elif "weight_hh" in name:
            nn.init.orthogonal_(parameter)
        elif "scale" in name:
            bound = (3 / len(parameter)) ** 0.5  # Keras takes D for both fans of a vector
            nn.init.uniform_(parameter, -bound, bound)
        elif parameter.dim() > 1:
            nn.init.xavier_uniform_(parameter)
        else:
            nn.init.zeros_(parameter)
            if "bias_ih" in name:
                parameter[len(parameter) // 4 : len(parameter) // 2] = 1.0
            elif "bias_hh" in name:
                parameter.requires_grad_(False)
