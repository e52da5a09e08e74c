"""What computes the network: one protocol, and the choice among those that this version has."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gban_edge.config import GBANConfig
from gban_edge.core import native
from gban_edge.features import FEATURES
from gban_edge.text import Vocabulary

Floats = NDArray[np.float32]
Ids = NDArray[np.int32]

NAMES = ("auto", "cpu", "cuda")
LATER = ("tensorrt", "onnxruntime")
PRECISIONS = ("fp32", "fp16", "int8")


@dataclass(frozen=True, eq=False)
class Output:
    """The network's values for one utterance of K speech steps and L text steps, float32.

    Attributes:
        logits: [C], before the softmax (eq. 23).
        probabilities: [C], softmax(logits / temperature of the model file).
        aligned_gate: z_p [fusion] (eq. 17); None for a network without both gates.
        last_gate: z_q [fusion] (eq. 20); None likewise.
        speech_weights: [K], what each speech step gave to a_s; None without the alignment.
        text_weights: [L], what each text step gave to a_t; None likewise.
        alpha: [L, K], each text step's attention to the speech (eq. 10); None likewise.
    """

    logits: Floats
    probabilities: Floats
    aligned_gate: Floats | None
    last_gate: Floats | None
    speech_weights: Floats | None
    text_weights: Floats | None
    alpha: Floats | None


class Backend(Protocol):
    """A loaded network. :meth:`run` may be called by several threads at once."""

    @property
    def name(self) -> str:
        """What it is, for people: "cpu fp32 avx512"."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes, in the order of the outputs, [C]."""

    @property
    def config(self) -> GBANConfig:
        """The network's sizes."""

    @property
    def vocabulary(self) -> Vocabulary:
        """Its words and their ids."""

    def run(self, features: Sequence[Floats], ids: Sequence[Ids]) -> list[Output]:
        """An output an utterance.

        Args:
            features: of each utterance [N, 52], as the frontend makes them (not standardised).
            ids: of each utterance's words [M], at most 512; none count as one ``<unk>``.

        Raises:
            ValueError: shapes, ids or values that the network cannot take.
            RuntimeError: the network's values are not finite, or the device failed.
        """


@dataclass(frozen=True)
class ModelFile:
    """What a runtime reads of a model file, its weights apart.

    Attributes:
        path: the file.
        model: the registry's name of the network.
    """

    path: Path
    model: str
    config: GBANConfig
    labels: tuple[str, ...]
    vocabulary: Vocabulary

    @classmethod
    def read(cls, path: Path) -> ModelFile:
        """Have the core read and check ``path``.

        Raises:
            FileNotFoundError: no such file.
            ValueError: not a model file, or a damaged one; names the file and the part of it.
            RuntimeError: the native core is not built.
        """
        facts: Mapping[str, Any] = native().load_model(os.fsencode(path))
        config = GBANConfig.from_dict(facts["config"])
        if config.features != FEATURES:
            raise ValueError(
                f"{path}: features must be {FEATURES}, as many as the frontend makes, "
                f"got {config.features}"
            )
        return cls(
            path,
            facts["name"],
            config,
            tuple(facts["labels"]),
            Vocabulary(tuple(facts["vocabulary"])),
        )


class OfModelFile:
    """What every backend that runs a model file says of it."""

    def __init__(self, file: ModelFile) -> None:
        self._file = file

    @property
    def labels(self) -> tuple[str, ...]:
        return self._file.labels

    @property
    def config(self) -> GBANConfig:
        return self._file.config

    @property
    def vocabulary(self) -> Vocabulary:
        return self._file.vocabulary


def open_backend(
    file: ModelFile, backend: str, *, precision: str, threads: int, device: int
) -> tuple[Backend, str]:
    """The backend called ``backend`` with the network of ``file`` loaded, and why it was chosen.

    "auto" takes the GPU where this build has CUDA, one is found and the network fits, else the CPU.

    Raises:
        ValueError: an unknown backend or precision, a network that the engine does not run.
        RuntimeError: the backend that was asked for cannot run here; says why and the cure.
    """
    from gban_edge.runtime.cpu import CpuBackend
    from gban_edge.runtime.cuda import open_cuda

    if backend in LATER:
        raise RuntimeError(
            f"backend {backend} is not in this version of gban-edge; use one of {', '.join(NAMES)}"
        )
    if backend not in NAMES:
        raise ValueError(f"backend must be one of {', '.join(NAMES)}, got {backend!r}")
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}, got {precision!r}")
    if backend == "cpu":
        return CpuBackend(file, precision, threads), "cpu: asked for"
    found = open_cuda(file, precision, device)
    if not isinstance(found, str):
        return found, "cuda: asked for" if backend == "cuda" else f"cuda: {found.gpu} was found"
    if backend == "cuda":
        raise RuntimeError(f"backend cuda cannot run: {found}; or use backend cpu")
    return CpuBackend(file, precision, threads), f"cuda: {found}"


def output_of(values: Mapping[str, Any]) -> Output:
    """What the core returns for one utterance, named."""
    return Output(**{name: values[name] for name in Output.__dataclass_fields__})
