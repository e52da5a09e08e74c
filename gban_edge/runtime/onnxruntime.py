"""The network on ONNX Runtime, from an ONNX file that gban-edge exported and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gban_edge.runtime.backend import Floats, Ids, OfFile, Output
from gban_edge.runtime.onnx_facts import INPUTS, OUTPUTS, OnnxFacts
from gban_edge.runtime.ragged import checked, cut, padded


def unavailable() -> str | None:
    """Why ONNX Runtime cannot be used, with the cure; None where it can."""
    try:
        import onnxruntime  # noqa: F401
    except ImportError as error:
        return f'the package onnxruntime is not installed ({error}): pip install "gban-edge[onnx]"'
    return None


class OnnxRuntimeBackend(OfFile):
    """The network of an ONNX file, on the CPU.

    Args:
        path: the file (deploy/onnx_export.py).
        threads: how many a call may use, the calling one included.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not an ONNX file, one that gban-edge did not write, or one of another network.
        RuntimeError: ONNX Runtime is not installed.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
            raise ValueError(f"threads must be an integer of at least 1, got {threads!r}")
        reason = unavailable()
        if reason is not None:
            raise RuntimeError(f"backend onnxruntime cannot run: {reason}")
        self._session = open_session(path, threads)
        self.facts = OnnxFacts.read(self._session.get_modelmeta().custom_metadata_map, str(path))
        super().__init__(self.facts)
        check_interface(self._session, path)

    @property
    def name(self) -> str:
        return f"onnxruntime {self.facts.precision} cpu"

    def run(self, features: Sequence[Floats], ids: Sequence[Ids]) -> list[Output]:
        """As :meth:`Backend.run`; several utterances are one padded batch, so that a result may
        differ from that of the utterance alone by rounding."""
        utterances = checked(features, ids, self.config)
        if not utterances:
            return []
        values = self._session.run(list(OUTPUTS), padded(utterances, self.config))
        named = dict(zip(OUTPUTS, values, strict=True))
        return [
            cut(named, i, len(frames), len(words), self.config)
            for i, (frames, words) in enumerate(utterances)
        ]


def open_session(path: Path, threads: int) -> Any:
    """ONNX Runtime with the file loaded; its refusals are told with the cure."""
    import onnxruntime

    if not path.is_file():
        raise FileNotFoundError(f"ONNX file {path} does not exist")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own exceptions have no common base but this
        told = str(error)
        if "gban_edge" in told and ("BiLSTM" in told or "AlignPool" in told):
            raise ValueError(
                f"{path} has plugin nodes without what they mean in standard operators, which "
                "TensorRT alone can run; export it again without --strip-functions"
            ) from error
        raise ValueError(f"{path}: not an ONNX file that ONNX Runtime can run ({told})") from error


def check_interface(session: Any, path: Path) -> None:
    """ValueError where inputs or outputs are not those of an exported network."""
    for what, values, wanted in (
        ("inputs", session.get_inputs(), INPUTS),
        ("outputs", session.get_outputs(), OUTPUTS),
    ):
        names = tuple(value.name for value in values)
        if names != wanted:
            raise ValueError(
                f"{path}: {what} must be {', '.join(wanted)}, got {', '.join(names)}; export the "
                "model file again"
            )
