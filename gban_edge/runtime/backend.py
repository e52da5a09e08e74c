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
from gban_edge.runtime.onnx_facts import OnnxFacts
from gban_edge.text import Vocabulary

Floats = NDArray[np.float32]
Ids = NDArray[np.int32]

NAMES = ("auto", "cpu", "cuda", "onnxruntime", "tensorrt")
PRECISIONS = ("fp32", "fp16", "int8")
# Until a result is there the calling thread watches for it, or sleeps until the GPU interrupts.
WAITS = ("spin", "block")
# What a file is by the end of its name, and what each backend reads.
MODEL, ONNX, ENGINE = "a model file", "an ONNX file (.onnx)", "a TensorRT engine (.engine)"
KINDS = {".onnx": ONNX, ".engine": ENGINE}
READS = {
    "auto": (MODEL,),
    "cpu": (MODEL,),
    "cuda": (MODEL,),
    "onnxruntime": (ONNX,),
    "tensorrt": (ONNX, ENGINE),
}
CHOSEN = {ONNX: "onnxruntime", ENGINE: "tensorrt"}
CURES = {
    MODEL: "; make an ONNX file of it: gban-edge export MODEL -o FILE.onnx",
    ONNX: "; give the model file that it was exported from, or backend onnxruntime or tensorrt",
    ENGINE: "; give the file that it was built from, or backend tensorrt",
}


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

    @property
    def hears_words(self) -> bool:
        """Whether words can change what it answers."""

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


class OfFile:
    """What every backend says of the file that it runs."""

    def __init__(self, file: ModelFile | OnnxFacts) -> None:
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

    @property
    def hears_words(self) -> bool:
        return self._file.model != "h_s"


def open_backend(
    path: Path, backend: str, *, precision: str | None, threads: int, device: int, wait: str
) -> tuple[Backend, str]:
    """The backend called ``backend`` with the network in ``path`` loaded, and why it was chosen.

    What the file is decides what may run it: a model file (.safetensors) the core, "cpu" or "cuda";
    an ONNX file "onnxruntime" or "tensorrt"; a TensorRT engine (.engine) "tensorrt". "auto" takes
    for a model file the GPU where this build has CUDA, one is found and the network fits, else the
    CPU; for an ONNX file ONNX Runtime, for an engine TensorRT.

    Raises:
        FileNotFoundError: no such file.
        ValueError: an unknown backend, precision or wait, a file that the backend does not read, a
            network that it does not run, a precision that an ONNX file or engine does not have.
        RuntimeError: the backend that was asked for cannot run here; says why and the cure.
    """
    if backend not in NAMES:
        raise ValueError(f"backend must be one of {', '.join(NAMES)}, got {backend!r}")
    if precision not in (None, *PRECISIONS):
        raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}, got {precision!r}")
    if wait not in WAITS:
        raise ValueError(f"wait must be one of {', '.join(WAITS)}, got {wait!r}")
    kind = KINDS.get(path.suffix, MODEL)
    reason = f"{backend}: asked for"
    if backend == "auto" and kind in CHOSEN:
        backend = CHOSEN[kind]
        reason = f"{backend}: the file is {kind}"
    if kind not in READS[backend]:
        wanted = " or ".join(READS[backend])
        raise ValueError(f"backend {backend} reads {wanted}, got {path}{CURES[kind]}")
    if backend == "onnxruntime":
        return _open_onnxruntime(path, precision, threads), reason
    if backend == "tensorrt":
        return _open_tensorrt(path, precision, device, wait, reason)
    return _open_core(path, backend, precision or "fp32", threads, device, wait)


def _open_core(
    path: Path, backend: str, precision: str, threads: int, device: int, wait: str
) -> tuple[Backend, str]:
    """The core's engine on the CPU or a GPU, and why it."""
    from gban_edge.runtime.cpu import CpuBackend
    from gban_edge.runtime.cuda import open_cuda

    file = ModelFile.read(path)
    if backend == "cpu":
        return CpuBackend(file, precision, threads), "cpu: asked for"
    found = open_cuda(file, precision, device, wait)
    if not isinstance(found, str):
        return found, "cuda: asked for" if backend == "cuda" else f"cuda: {found.gpu} was found"
    if backend == "cuda":
        raise RuntimeError(f"backend cuda cannot run: {found}; or use backend cpu")
    return CpuBackend(file, precision, threads), f"cuda: {found}"


def _open_onnxruntime(path: Path, precision: str | None, threads: int) -> Backend:
    from gban_edge.runtime.onnxruntime import OnnxRuntimeBackend

    made = OnnxRuntimeBackend(path, threads)
    _check_precision(path, precision, made.facts.precision)
    return made


def _open_tensorrt(
    path: Path, precision: str | None, device: int, wait: str, reason: str
) -> tuple[Backend, str]:
    from gban_edge.runtime.tensorrt import open_tensorrt

    made = open_tensorrt(path, device=device, wait=wait)
    _check_precision(path, precision, made.precision)
    return made, f"{reason}; no CUDA graph: {made.no_graph}" if made.no_graph else reason


def _check_precision(path: Path, wanted: str | None, found: str) -> None:
    if wanted not in (None, found):
        raise ValueError(
            f"{path} is {found}, and precision {wanted} was asked for; export the model file with "
            f"--precision {wanted}, or leave the precision out"
        )


def output_of(values: Mapping[str, Any]) -> Output:
    """What the core returns for one utterance, named."""
    return Output(**{name: values[name] for name in Output.__dataclass_fields__})
