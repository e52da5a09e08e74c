"""The ONNX file that an engine is built from: its bytes, and what it says of itself."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from gban_edge.runtime.onnx_facts import OnnxFacts


@dataclass(frozen=True)
class Source:
    """An ONNX file.

    Attributes:
        path: where it is.
        data: its bytes.
        sha256: their digest.
        facts: its metadata.
    """

    path: Path
    data: bytes
    sha256: str
    facts: OnnxFacts

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Source:
        """Read ``path`` once; everything else is about these bytes.

        Raises:
            FileNotFoundError: no such file.
            ValueError: not an ONNX file, or not one that gban-edge wrote.
            RuntimeError: neither onnx nor onnxruntime is installed.
        """
        onnx_path = Path(path)
        if not onnx_path.is_file():
            raise FileNotFoundError(f"ONNX file {onnx_path} does not exist")
        data = onnx_path.read_bytes()
        facts = OnnxFacts.read(_metadata(onnx_path, data), str(onnx_path))
        return cls(onnx_path, data, hashlib.sha256(data).hexdigest(), facts)


def _metadata(path: Path, data: bytes) -> dict[str, str]:
    """The metadata of an ONNX file, through whichever package is installed."""
    try:
        import onnx
    except ImportError:
        return _through_onnxruntime(path, data)
    try:
        model = onnx.load_model_from_string(data)
    except Exception as error:  # protobuf's DecodeError, which has no stable home
        raise ValueError(f"{path}: not an ONNX file ({error})") from None
    return {entry.key: entry.value for entry in model.metadata_props}


def _through_onnxruntime(path: Path, data: bytes) -> dict[str, str]:
    try:
        import onnxruntime
    except ImportError:
        raise RuntimeError(
            "reading an ONNX file's metadata needs the package onnx (or onnxruntime): "
            'pip install "gban-edge[onnx]"'
        ) from None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own exceptions have no common base but this
        raise ValueError(
            f"{path}: not an ONNX file that ONNX Runtime can run ({error}); if it is a plugin "
            "flavour without functions, pip install onnx, which reads it"
        ) from None
    found: dict[str, str] = session.get_modelmeta().custom_metadata_map
    return found
