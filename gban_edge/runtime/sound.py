"""Sound of any form to 16 kHz mono of at most 7.5 s, or an error that says what is wrong."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gban_edge.core import native
from gban_edge.features import MAX_SAMPLES, MAX_SECONDS, SAMPLE_RATE
from gban_edge.runtime.wav import MAXIMUM_RATE, SoundFile, name_of, read_file, read_open

MINIMUM_RATE = 8000
# Full scale is 1; what lies above this is a mistake of scale, not a loud voice.
TOO_LOUD = 8.0
INT16_SCALE = 32768.0
NO_SOUND = "no sound"
Pcm = NDArray[Any]


class Sound(NamedTuple):
    """One utterance as the frontend takes it.

    Attributes:
        pcm: float32 or float64 [samples], 16 kHz, at most 7.5 s.
        seconds: its length, 0 to 7.5.
        notes: what was done to it.
    """

    pcm: Pcm
    seconds: float
    notes: tuple[str, ...]


# An array, a path, or a file opened for reading bytes.
SoundLike = ArrayLike | str | os.PathLike[str] | IO[bytes]
ALL_SECONDS = 1e9


def read_sound(
    sound: SoundLike, sample_rate: int | None = None, seconds: float = MAX_SECONDS
) -> Sound:
    """The sound of an array or of a file; only what is needed of it is looked at.

    Args:
        sound: mono [samples], floating point of full scale 1.0 or int16, the path of a file, or a
            file opened for reading bytes, which is read from where it stands.
        sample_rate: of an array, 8000 to 192000, 16000 if left out; of a file, what it says.
        seconds: what lies beyond is not looked at.

    Raises:
        FileNotFoundError: no such file.
        ValueError: another shape, number type or rate, a value that is not finite or far beyond
            full scale, a file that cannot be read.
        RuntimeError: a file that only the package soundfile could read, which is not installed.
    """
    if sample_rate is not None:
        check_rate(sample_rate)
    if isinstance(sound, (str, os.PathLike)):
        return _of_file(read_file(Path(sound), seconds), str(sound), sample_rate, seconds)
    if hasattr(sound, "read"):
        return _of_file(read_open(sound, seconds), name_of(sound), sample_rate, seconds)
    pcm = as_pcm(cast(ArrayLike, sound))
    rate = SAMPLE_RATE if sample_rate is None else int(sample_rate)
    return _prepared(pcm, rate, len(pcm), (), seconds)


def _of_file(file: SoundFile, name: str, sample_rate: int | None, seconds: float) -> Sound:
    if sample_rate not in (None, file.rate):
        raise ValueError(
            f"sample_rate must be {file.rate}, that of {name}, got {sample_rate}; leave it out"
        )
    try:
        check_rate(file.rate)
        return _prepared(file.pcm, file.rate, file.samples, file.notes, seconds)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _prepared(pcm: Pcm, rate: int, samples: int, notes: tuple[str, ...], seconds: float) -> Sound:
    """At 16 kHz and cut, of ``samples`` at ``rate`` of which ``pcm`` holds the first."""
    heard = as_float(pcm[: int(seconds * rate)])
    check_values(heard)
    length = len(heard) / rate
    notes = (*notes, *sound_notes(samples, rate, seconds))
    return Sound(heard if rate == SAMPLE_RATE else resample(heard, rate), length, notes)


def most_samples(rate: int) -> int:
    """How many samples at ``rate`` are looked at: 7.5 s."""
    return MAX_SAMPLES * rate // SAMPLE_RATE


def sound_notes(samples: int, rate: int, seconds: float = MAX_SECONDS) -> tuple[str, ...]:
    """What is noted of a sound of ``samples`` at ``rate`` that is cut at ``seconds``.

    >>> sound_notes(44100 * 3600, 44100)
    ('resampled from 44100 Hz', 'sound cut at 7.5 s of 3600.0 s')
    """
    if samples == 0:
        return (NO_SOUND,)
    notes = []
    if rate != SAMPLE_RATE:
        notes.append(f"resampled from {rate} Hz")
    if seconds == MAX_SECONDS and samples > most_samples(rate):
        notes.append(f"sound cut at {MAX_SECONDS:.1f} s of {samples / rate:.1f} s")
    return tuple(notes)


def resample(pcm: Pcm, rate: int) -> NDArray[np.float32]:
    """float [samples] at ``rate`` -> float32 at 16 kHz, by the core."""
    resampled: NDArray[np.float32] = native().resample(np.ascontiguousarray(pcm, np.float32), rate)
    return resampled


def tamed(resampled: NDArray[Any]) -> NDArray[Any]:
    """Resampled sound to be taken again: it may overshoot what :func:`check_values` allows."""
    return np.clip(resampled, -TOO_LOUD, TOO_LOUD)


def check_rate(sample_rate: object) -> None:
    """ValueError for what is no rate between 8 and 192 kHz."""
    if isinstance(sample_rate, bool) or not isinstance(sample_rate, (int, np.integer)):
        raise ValueError(f"sample_rate must be an integer, got {sample_rate!r}")
    if not MINIMUM_RATE <= sample_rate <= MAXIMUM_RATE:
        raise ValueError(
            f"sample_rate must lie in {MINIMUM_RATE}..{MAXIMUM_RATE}, got {sample_rate}"
        )


def as_pcm(sound: ArrayLike) -> Pcm:
    """The array [samples] of floating point or int16 numbers that ``sound`` is; nothing is copied.

    Raises:
        ValueError: another shape or number type.
    """
    if isinstance(sound, (bytes, bytearray, memoryview)):
        raise ValueError(
            f"sound must be an array or a path, got {type(sound).__name__}; 16-bit integers: "
            "numpy.frombuffer(sound, numpy.int16)"
        )
    try:
        pcm = np.asarray(sound)
    except ValueError as error:  # lists of several lengths
        raise ValueError(f"pcm must be mono with shape [samples]: {error}") from None
    if pcm.ndim == 0:
        raise ValueError(
            "sound must be an array [samples] or, for a recogniser, a path or a file opened for "
            f"reading bytes, got {type(sound).__name__}"
        )
    if pcm.ndim == 2:
        axis = int(np.argmin(pcm.shape))
        raise ValueError(
            f"pcm must be mono with shape [samples], got {list(pcm.shape)}; axis {axis} seems to "
            f"be the channels: keep one, or mix them down with pcm.mean(axis={axis})"
        )
    if pcm.ndim != 1:
        raise ValueError(f"pcm must be mono with shape [samples], got {list(pcm.shape)}")
    if pcm.size == 0:
        return np.zeros(0, np.float32)
    if pcm.dtype.kind != "f" and not _is_int16(pcm):
        raise ValueError(
            f"pcm must be floating point in [-1, 1] or int16, got {pcm.dtype}; "
            "divide other integers by their full scale"
        )
    return pcm


def _is_int16(pcm: Pcm) -> bool:
    return pcm.dtype.kind == "i" and pcm.dtype.itemsize == 2


def as_float(pcm: Pcm) -> Pcm:
    """float32 or float64 of full scale 1.0; int16 is divided by 32768, which is exact.

    >>> as_float(np.array([-32768, 16384], np.int16)).tolist()
    [-1.0, 0.5]
    """
    if _is_int16(pcm):
        return pcm.astype(np.float32) * np.float32(1.0 / INT16_SCALE)
    single = pcm.dtype.itemsize <= 4
    return np.ascontiguousarray(pcm, dtype=np.float32 if single else np.float64)


def check_values(pcm: Pcm, first: int = 0) -> None:
    """ValueError for a sample that is not finite, or far beyond full scale.

    Args:
        pcm: floating point [samples].
        first: the place of pcm[0] in its utterance, for the message.
    """
    if len(pcm) == 0 or (pcm.max() <= TOO_LOUD and pcm.min() >= -TOO_LOUD):
        return
    i = int(np.argmin(np.abs(pcm) <= TOO_LOUD))  # NaN is not
    got = f"got {float(pcm[i])!r} at sample {first + i}"
    if not np.isfinite(pcm[i]):
        raise ValueError(f"pcm must be finite, {got}")
    raise ValueError(f"pcm must be in [-1, 1], {got}; divide 16-bit integers by 32768")
