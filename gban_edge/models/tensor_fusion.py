"""The tensor fusion layer on the aligned vectors."""

from __future__ import annotations

from torch import Tensor, nn

from gban_edge.config import GBANConfig
from gban_edge.models.aligned import AlignedSystem, Fusion, Vectors
from gban_edge.models.system import Representation


class OuterProduct(Fusion):
    """h = flatten([a_s, 1] (outer) [a_t, 1]), width (D + 1)^2; row by row, speech the rows."""

    def __init__(self, config: GBANConfig) -> None:
        super().__init__()
        self.width = (config.states + 1) ** 2

    def forward(self, vectors: Vectors) -> Representation:
        rows, columns = _with_one(vectors.a_s), _with_one(vectors.a_t)
        return Representation((rows[:, :, None] * columns[:, None, :]).flatten(1))


class TensorFusion(AlignedSystem):
    """``tfl`` on (a_s, a_t), "BiAtt-TFL" in the paper's Table 3.

    Zadeh et al., "Tensor Fusion Network for Multimodal Sentiment Analysis", EMNLP 2017: a 1 is
    appended to each vector, so that the outer product holds both vectors and all products of
    their entries. The dense layer of 128 on the flattened product is the shared classifier's
    hidden layer (eq. 22): (D + 1)^2 x 128 weights, 8.45 M at the authors' sizes.
    """

    def __init__(self, config: GBANConfig) -> None:
        super().__init__(config, OuterProduct(config))


def _with_one(vector: Tensor) -> Tensor:
    return nn.functional.pad(vector, (0, 1), value=1.0)
