"""Building blocks: a BiLSTM that knows true lengths, the classifier, the initialisation."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gban_edge.config import GBANConfig
from gban_edge.text import RANDOM_DEVIATION


def inside(lengths: Tensor, limit: int) -> Tensor:
    """bool [B, limit]: true at the steps that exist."""
    return torch.arange(limit, device=lengths.device) < lengths[:, None]


class BiLSTM(nn.Module):
    """A bidirectional LSTM over sequences of unequal length.

    The backward half reads each sequence from its own last step, so that padding is never seen
    by a state that counts. (Packing gives the same and is slower on a CPU.) A layer's states of
    both directions, [forward, backward] at each step, are the next layer's input, without dropout.
    Gates and weights are torch's: i, f, g, o, and two biases.
    """

    def __init__(self, width: int, hidden: int, layers: int) -> None:
        super().__init__()
        widths = [width] + [2 * hidden] * (layers - 1)
        self.forward_layers = nn.ModuleList(nn.LSTM(w, hidden, batch_first=True) for w in widths)
        self.backward_layers = nn.ModuleList(nn.LSTM(w, hidden, batch_first=True) for w in widths)

    def forward(self, steps: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """steps [B, T, width], lengths [B] in 1..T -> states [B, T, 2H], last state [B, 2H].

        The last state joins the final state of each direction of the top layer: forward at the
        last true step, backward at the first. States beyond a true length are zero.
        """
        valid = inside(lengths, steps.shape[1])[:, :, None]
        for ahead, back in zip(self.forward_layers, self.backward_layers, strict=True):
            forward, _ = ahead(steps)
            backward, _ = back(reverse(steps, lengths))
            steps = torch.cat([forward, reverse(backward, lengths)], dim=2) * valid
        half = steps.shape[2] // 2
        rows = torch.arange(len(lengths), device=steps.device)
        return steps, torch.cat([steps[rows, lengths - 1, :half], steps[:, 0, half:]], dim=1)


def reverse(steps: Tensor, lengths: Tensor) -> Tensor:
    """Reverse each sequence [B, T, width] within its true length; the padding stays behind it."""
    B, T, _ = steps.shape
    place = torch.arange(T, device=steps.device)
    place = torch.where(place < lengths[:, None], lengths[:, None] - 1 - place, place)
    rows = place + T * torch.arange(B, device=steps.device)[:, None]
    # Whole rows are copied; gather, entry by entry, takes several times as long.
    return steps.flatten(0, 1).index_select(0, rows.flatten()).view_as(steps)


class Classifier(nn.Module):
    """Eqs. 22-23: g = ReLU(W_g h), logits = W_e g + b, with dropout before each product.

    The first dropout is the paper's "in the fusion layer" (on h), the second its "before the
    output layer" (on g).
    """

    def __init__(self, width: int, config: GBANConfig) -> None:
        super().__init__()
        self.dropout = nn.Dropout(config.dropout)
        self.hidden = nn.Linear(width, config.classifier, bias=False)
        self.output = nn.Linear(config.classifier, config.classes)

    def forward(self, h: Tensor) -> Tensor:
        """h [B, width] -> logits [B, C]."""
        return self.output(self.dropout(torch.relu(self.hidden(self.dropout(h)))))


def initialise(model: nn.Module) -> None:
    """Xavier-normal weights (the paper), zero biases; a forget gate starts open.

    Word vectors are normal with the deviation of GloVe's, until others are set.

    Recurrent and input matrices are drawn as the whole [4H, width] that they are. The forget
    gate's bias of 1 is Keras's default, which the authors' code keeps. ``<pad>`` stays zero, and a
    layer normalisation as torch makes it.
    """
    for name, parameter in model.named_parameters():
        if name.startswith("norm."):
            continue
        if "embedding" in name:
            nn.init.normal_(parameter, std=RANDOM_DEVIATION)
            with torch.no_grad():
                parameter[0].zero_()
        elif parameter.dim() > 1:
            nn.init.xavier_normal_(parameter)
        else:
            nn.init.zeros_(parameter)
            if "bias_hh" in name:
                hidden = len(parameter) // 4
                with torch.no_grad():
                    parameter[hidden : 2 * hidden].fill_(1.0)
