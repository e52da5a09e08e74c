"""What every network returns."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class ModelOutput(NamedTuple):
    """The output of one forward pass over a batch.

    Attributes:
        logits: [B, C], before the softmax (eq. 23).
        gates: z_p and z_q, [B, fusion] each (eqs. 17, 20): the share of speech in the aligned and
            in the last-state group; None but for GBAN.
        alignment: the pooled weights of speech steps [B, K] and of text steps [B, L], each row
            summing to 1; None unless asked for, and but for systems on the bidirectional alignment.
    """

    logits: Tensor
    gates: tuple[Tensor, Tensor] | None = None
    alignment: tuple[Tensor, Tensor] | None = None
