"""What was said: sources of words for streams and long sounds, each a callable (pcm, rate) -> text.

All of them run on the device. Their packages are imported when a source is made.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gban_edge.features import SAMPLE_RATE
from gban_edge.runtime.sound import check_rate, resample

# Of mono sound, float32 [samples] of full scale 1.0, and its samples a second: what was said.
WordSource = Callable[[NDArray[np.float32], int], str]

# Kinds of sherpa-onnx models: the files of each, by the beginnings of their names.
PARTS = {
    "transducer": ("encoder", "decoder", "joiner"),
    "whisper": ("encoder", "decoder"),
}
# Kinds of one file, by how what the metadata calls model_type begins.
TYPES = {
    "sense_voice": "sense voice",
    "zipformer2_ctc": "zipformer ctc",
    "paraformer": "paraformer",
    "EncDec": "nemo ctc",
    "wenet_ctc": "wenet ctc",
}
TAIL = 1 << 20  # bytes at the end of an ONNX file, among which its metadata is


def none() -> WordSource:
    """No words: the recogniser hears the sound alone."""
    return lambda pcm, sample_rate: ""


def pocketsphinx() -> WordSource:
    """PocketSphinx with the American English model that its package carries.

    It works offline at once, and hears many words wrongly. Each utterance is decoded for itself;
    threads take turns.

    Raises:
        RuntimeError: the package pocketsphinx is not installed.
    """
    package = _imported("pocketsphinx")
    decoder: Any = package.Decoder(samprate=SAMPLE_RATE, cmn="batch", loglevel="FATAL")
    lock = threading.Lock()

    def listen(pcm: NDArray[np.float32], sample_rate: int) -> str:
        sound = _at_16_khz(pcm, sample_rate)
        if len(sound) == 0:
            return ""
        raw = np.round(np.clip(sound, -1.0, 1.0) * 32767.0).astype("<i2").tobytes()
        with lock:
            decoder.reinit_feat()  # what it tracked of the last utterance's noise would stay
            decoder.start_utt()
            decoder.process_raw(raw, no_search=False, full_utt=True)
            decoder.end_utt()
            found = decoder.hyp()
        # A second pronunciation is written "read(2)".
        return "" if found is None else re.sub(r"\(\d+\)", "", found.hypstr).strip()

    return listen


def sherpa_onnx(folder: str | os.PathLike[str], *, threads: int = 1) -> WordSource:
    """A model of sherpa-onnx in a folder, as its releases have them; which kind, its files tell.

    transducer (Zipformer, NeMo's Parakeet): ``*encoder*.onnx``, ``*decoder*.onnx``,
    ``*joiner*.onnx``; Whisper: ``*encoder*.onnx`` and ``*decoder*.onnx``; SenseVoice, Paraformer,
    CTC of Zipformer, NeMo or WeNet: ``model*.onnx``, which of them its metadata tells. Each with
    ``*tokens.txt``. Of a file that is there twice, ``.int8.onnx`` is taken. Models for streaming
    are not taken.

    Args:
        folder: where the files are.
        threads: how many the model may use.

    Raises:
        FileNotFoundError: no such folder, or none of these sets of files in it; says what was
            looked for and what is there.
        ValueError: a model for streaming or of another kind, or threads below 1.
        RuntimeError: the package sherpa-onnx is not installed.
    """
    if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
        raise ValueError(f"threads must be an integer of at least 1, got {threads!r}")
    kind, files = find_sherpa(Path(folder))
    recognizer: Any = _imported("sherpa_onnx", "sherpa-onnx").OfflineRecognizer
    options: dict[str, Any] = {name: str(path) for name, path in files.items()}
    if kind == "nemo transducer":
        kind, options["model_type"] = "transducer", "nemo_transducer"
    make = getattr(recognizer, "from_" + kind.replace(" ", "_"))
    model = make(**options, num_threads=threads)
    lock = threading.Lock()

    def listen(pcm: NDArray[np.float32], sample_rate: int) -> str:
        sound = _at_16_khz(pcm, sample_rate)
        if len(sound) == 0:
            return ""
        with lock:
            stream = model.create_stream()
            stream.accept_waveform(SAMPLE_RATE, sound)
            model.decode_stream(stream)
            return str(stream.result.text).strip()

    return listen


def find_sherpa(folder: Path) -> tuple[str, dict[str, Path]]:
    """The kind of the sherpa-onnx model in ``folder``, and its files by their arguments' names.

    Raises:
        FileNotFoundError, ValueError: as :func:`sherpa_onnx` has it.
    """
    if not folder.is_dir():
        wrong = "is a file" if folder.exists() else "does not exist"
        raise FileNotFoundError(f"folder {folder} {wrong}; sherpa_onnx takes a model's")
    tokens = _only(folder, "*tokens.txt")
    for kind, names in PARTS.items():
        found = {name: _only(folder, f"*{name}*.onnx") for name in names}
        parts = {name: path for name, path in found.items() if path is not None}
        if tokens is not None and len(parts) == len(names):
            _check_offline(folder, parts)
            return _kind_of_parts(kind, parts["encoder"]), {**parts, "tokens": tokens}
    model = _only(folder, "model*.onnx")
    if tokens is not None and model is not None:
        _check_offline(folder, {"model": model})
        kind = _kind_of(model)
        name = "paraformer" if kind == "paraformer" else "model"  # as its argument is called
        return kind, {name: model, "tokens": tokens}
    raise FileNotFoundError(_not_found(folder))


def _only(folder: Path, pattern: str) -> Path | None:
    """A file of ``folder``, the one with 8-bit weights first."""
    found = sorted(folder.glob(pattern), key=lambda path: (".int8." not in path.name, path.name))
    return found[0] if found else None


def _kind_of(model: Path) -> str:
    called = _model_type(model)
    for begin, kind in TYPES.items():
        if called.startswith(begin):
            return kind
    raise ValueError(
        f"{model}: must be a SenseVoice or Paraformer model of sherpa-onnx, or a CTC model of "
        f"Zipformer, NeMo or WeNet; its metadata calls it {called or 'nothing'}"
    )


def _kind_of_parts(kind: str, encoder: Path) -> str:
    """``kind``, or which one it is by what its encoder calls itself."""
    called = _model_type(encoder)
    if kind == "transducer":
        return "nemo transducer" if called.startswith("EncDec") else kind
    if called and not called.startswith("whisper"):
        raise ValueError(
            f"{encoder}: must be Whisper's, since it has a decoder and no joiner; its metadata "
            f"calls it {called}"
        )
    return kind


def _tail(model: Path) -> bytes:
    with model.open("rb") as file:
        file.seek(max(0, model.stat().st_size - TAIL))
        return file.read()


def _model_type(model: Path) -> str:
    """What the ONNX file's metadata calls ``model_type``; empty without it.

    An entry is a message of two texts, each of them a tag, its length and its bytes.
    """
    found = re.search(rb"\x0a\x0amodel_type\x12([\x01-\x7f])", _tail(model))
    if found is None:
        return ""
    text = found.string[found.end() : found.end() + found[1][0]]
    return text.decode("utf-8", "replace")


def _check_offline(folder: Path, files: dict[str, Path]) -> None:
    """ValueError for a model that hears sound in chunks, by its names or its metadata."""
    streaming = [
        path.name
        for path in files.values()
        if "-chunk-" in path.name or b"decode_chunk_len" in _tail(path)
    ]
    if streaming or "-streaming-" in folder.resolve().name:
        raise ValueError(
            f"{folder} holds a model for streaming{': ' * bool(streaming)}{', '.join(streaming)}; "
            "take one that hears whole utterances"
        )


def _not_found(folder: Path) -> str:
    there = sorted(path.name for path in folder.iterdir())
    some = ", ".join(there[:8]) + (f" and {len(there) - 8} more" if len(there) > 8 else "")
    return (
        f"folder {folder} must hold *tokens.txt and a model of sherpa-onnx: *encoder*.onnx, "
        "*decoder*.onnx and *joiner*.onnx (transducer); *encoder*.onnx and *decoder*.onnx "
        "(Whisper); or model*.onnx (SenseVoice, Paraformer, CTC); got "
        f"{some or 'nothing'}"
    )


def _at_16_khz(pcm: NDArray[np.float32], sample_rate: int) -> NDArray[np.float32]:
    check_rate(sample_rate)
    sound = np.ascontiguousarray(pcm, np.float32)
    return sound if sample_rate == SAMPLE_RATE else resample(sound, sample_rate)


def _imported(module: str, package: str | None = None) -> Any:
    try:
        return import_module(module)
    except (ImportError, OSError) as error:  # OSError: a shared library is missing
        raise RuntimeError(
            f"words by {package or module}: the package is not installed ({error}): "
            "pip install 'gban-edge[words]'"
        ) from error
