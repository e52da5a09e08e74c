"""Sound files: WAV by a reader of its own, whatever else libsndfile knows where it is installed.

The standard library's ``wave`` reads neither floating point nor, before Python 3.12, the extensible
header that 24-bit files have, and it does not say when a file is cut short.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from importlib import import_module
from io import SEEK_END, BytesIO
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
MAXIMUM_RATE = 192000  # samples a second that a recogniser takes
# What a writer leaves that cannot go back: 0, 2^32 - 1, or about 2^31 (sox, arecord, espeak).
ENDLESS = 0x7FFF0000
# Kinds of samples, and their type; 24 bits have none.
TYPES = {
    (PCM, 8): "u1", (PCM, 16): "<i2", (PCM, 24): "", (PCM, 32): "<i4",
    (FLOAT, 32): "<f4", (FLOAT, 64): "<f8",
}  # fmt: skip


class SoundFile(NamedTuple):
    """The beginning of a sound file.

    Attributes:
        pcm: float32 [samples read], full scale 1.0, the mean of two channels.
        rate: samples a second, as the file says.
        samples: how many the whole file has.
        notes: what was done to them.
    """

    pcm: NDArray[np.float32]
    rate: int
    samples: int
    notes: tuple[str, ...]


class _Format(NamedTuple):
    tag: int
    channels: int
    rate: int
    bits: int


Named = Path | str  # the file, or what messages call an open one


def read_file(path: Path, seconds: float) -> SoundFile:
    """The first ``seconds`` of a sound file.

    WAV (RF64 too) of 8, 16, 24 or 32 bits or of floating point, one or two channels, needs nothing
    but NumPy. Sizes that a writer left open are those of what is there.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a sound file, one that is cut short, or of more than two channels.
        RuntimeError: another format, which the package soundfile would read, is not installed.
    """
    if not path.is_file():
        raise FileNotFoundError(f"sound file {path} does not exist")
    try:
        with path.open("rb") as file:
            found = _read_wav(file, path, seconds)
    except OSError as error:
        raise ValueError(f"{path}: not readable ({error.strerror})") from error
    return found if found is not None else _read_other(path, path, seconds)


def read_open(file: Any, seconds: float) -> SoundFile:
    """The first ``seconds`` of a sound file opened for reading bytes, from where it stands.

    Raises:
        ValueError: as :func:`read_file`, or it is closed, or gives text instead of bytes.
        RuntimeError: as :func:`read_file`.
    """
    name = name_of(file)
    try:
        whole = _seekable(file, name)
        start = whole.tell()
        found = _read_wav(whole, name, seconds)
        if found is None:
            whole.seek(start)
    except OSError as error:
        raise ValueError(f"{name}: not readable ({error})") from error
    return found if found is not None else _read_other(whole, name, seconds)


def name_of(file: object) -> str:
    """What messages call an open file."""
    name = getattr(file, "name", None)
    return name if isinstance(name, str) else f"sound file object ({type(file).__name__})"


def _seekable(file: Any, name: str) -> BinaryIO:
    """``file``, or all that is left of it where it cannot go back; ValueError where it is none."""
    if getattr(file, "closed", False):
        raise ValueError(f"{name}: closed; give it while it is open")
    if not isinstance(file.read(0), bytes):
        raise ValueError(f"{name}: gives text; open it with mode 'rb'")
    seekable = getattr(file, "seekable", None)
    return file if seekable is not None and seekable() else BytesIO(file.read())


def _read_wav(file: BinaryIO, path: Named, seconds: float) -> SoundFile | None:
    """None where it is no WAV, or one whose samples are of another kind."""
    head = file.read(12)
    if head[:4] not in (b"RIFF", b"RF64") or head[8:] != b"WAVE":
        return None
    kind = None
    stated = 8 + int.from_bytes(head[4:8], "little")
    for name, size in _chunks(file, path, stated):
        if name == b"fmt ":
            kind = _format(file.read(min(size, 40)), path)
        elif name == b"data":
            if kind is None:
                raise ValueError(f"{path}: damaged, its 'data' comes before its 'fmt '")
            if (kind.tag, kind.bits) not in TYPES:
                return None
            return _samples(file, size, kind, seconds, path)
    raise ValueError(f"{path}: cut short, it has no 'data'")


def _chunks(file: BinaryIO, path: Named, stated: int) -> Iterator[tuple[bytes, int]]:
    """Name and size of every chunk, the file at its content; it says that it ends at ``stated``."""
    start = file.tell()
    end = file.seek(0, SEEK_END)
    file.seek(start)
    whole = 0  # of 'data', as the 'ds64' of a file beyond 4 GiB says
    while len(head := file.read(8)) == 8:
        name, size = head[:4], int.from_bytes(head[4:], "little")
        start, left = file.tell(), end - file.tell()
        if name == b"ds64":
            whole = int.from_bytes(file.read(16)[8:], "little")
            file.seek(start)
        if name == b"data":
            size = _data_size(size, whole, left, open_end=not start < stated <= end)
        if size > left:
            raise ValueError(f"{path}: cut short, {size - left} bytes of it are missing")
        yield name, size
        file.seek(start + size + size % 2)


def _data_size(size: int, whole: int, left: int, open_end: bool) -> int:
    """How many bytes of samples there are, ``left`` at most; more where the file is cut short."""
    if whole and size == 0xFFFFFFFF:
        return whole
    endless = size > left and size >= ENDLESS
    return left if endless or (size == 0 and open_end) else size


def _format(head: bytes, path: Named) -> _Format:
    if len(head) < 16:
        raise ValueError(f"{path}: damaged, its 'fmt ' has {len(head)} bytes instead of 16")
    tag, channels, rate, _, block, bits = struct.unpack_from("<HHIIHH", head)
    if tag == EXTENSIBLE and len(head) >= 26:
        tag = int.from_bytes(head[24:26], "little")  # the first field of the sub-format's GUID
    if channels not in (1, 2):
        raise ValueError(
            f"{path}: sound must be mono or stereo, got {channels} channels; keep one of them"
        )
    if tag in (PCM, FLOAT) and (block != channels * bits // 8 or rate == 0):
        raise ValueError(
            f"{path}: damaged, {channels} channels of {bits} bits at {rate} Hz in blocks of {block}"
        )
    return _Format(tag, channels, rate, bits)


def _samples(file: BinaryIO, size: int, kind: _Format, seconds: float, path: Named) -> SoundFile:
    block = kind.channels * kind.bits // 8
    samples = size // block
    wanted = min(samples, int(seconds * kind.rate) + 1)
    raw = file.read(wanted * block)
    if len(raw) < wanted * block:
        raise ValueError(f"{path}: cut short, {wanted * block - len(raw)} bytes of it are missing")
    values = _decode(raw, kind).reshape(-1, kind.channels)
    return SoundFile(_mixed(values), kind.rate, samples, _notes(kind.channels))


def _decode(raw: bytes, kind: _Format) -> NDArray[np.float32]:
    if kind.bits == 24:  # as the upper bytes of 32-bit integers
        wide = np.zeros((len(raw) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(raw, np.uint8).reshape(-1, 3)
        values = wide.reshape(-1).view("<i4").astype(np.float32)
    else:
        with np.errstate(over="ignore"):  # the check of values tells of it
            values = np.frombuffer(raw, TYPES[kind.tag, kind.bits]).astype(np.float32)
    if kind.tag == PCM:
        values -= np.float32(128.0 * (kind.bits == 8))  # which alone have no sign
        values *= np.float32(2.0 ** (1 - (32 if kind.bits == 24 else kind.bits)))
    return values


def _mixed(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """[samples, channels] -> their mean [samples]."""
    with np.errstate(all="ignore"):  # the check of values tells of what is not finite
        return values[:, 0] if values.shape[1] == 1 else values.mean(axis=1, dtype=np.float32)


def _notes(channels: int) -> tuple[str, ...]:
    return (f"mixed down from {channels} channels",) if channels > 1 else ()


def _read_other(source: Path | BinaryIO, path: Named, seconds: float) -> SoundFile:
    try:
        soundfile: Any = import_module("soundfile")
    except (ImportError, OSError) as error:  # OSError: libsndfile itself is missing
        raise RuntimeError(
            f"{path}: not a WAV of 8, 16, 24 or 32 bits or of floating point; to read others: "
            "pip install soundfile"
        ) from error
    try:
        with soundfile.SoundFile(source) as file:
            if file.channels > 2:
                raise ValueError(
                    f"{path}: sound must be mono or stereo, got {file.channels} channels; "
                    "keep one of them"
                )
            # A small file may decode to much: one that claims a rate which the caller will refuse
            # must not have it all read first.
            wanted = int(seconds * min(file.samplerate, MAXIMUM_RATE)) + 1
            values = file.read(wanted, dtype="float32", always_2d=True)
            notes = _notes(file.channels)
            return SoundFile(_mixed(values), file.samplerate, file.frames, notes)
    except (soundfile.SoundFileError, OSError) as error:
        reason = getattr(error, "error_string", error)  # without the name of a stream of bytes
        raise ValueError(f"{path}: not a readable sound file ({reason})") from error
