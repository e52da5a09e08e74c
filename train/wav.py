"""Reading the corpus's WAV files, and saying plainly what is wrong with one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from gban_edge.features import SAMPLE_RATE


def read_wav(path: Path) -> np.ndarray:
    """Read one 16 kHz mono WAV.

    Any sample format that libsndfile decodes is taken (16-bit as IEMOCAP has it; 24-bit, 32-bit
    and float too) and scaled to full scale 1.0.

    Returns:
        float32 [samples].

    Raises:
        ValueError: not a sound file, another rate, not mono, empty, or a value that is not finite.
    """
    try:
        with soundfile.SoundFile(path) as file:
            if file.samplerate != SAMPLE_RATE:
                raise ValueError(
                    f"{path}: sample rate must be {SAMPLE_RATE} Hz, got {file.samplerate}; "
                    "resample it (for example with sox)"
                )
            if file.channels != 1:
                raise ValueError(
                    f"{path}: sound must be mono, got {file.channels} channels; keep the "
                    "speaker's own channel or mix them down"
                )
            pcm = file.read(dtype="float32")
    except (soundfile.SoundFileError, OSError) as error:
        raise ValueError(f"{path}: not a readable WAV file ({error})") from error
    missing = _bytes_missing(path)
    if missing:
        raise ValueError(f"{path}: cut short, {missing} bytes of it are missing")
    if len(pcm) == 0:
        raise ValueError(f"{path}: the file holds no samples")
    if not np.isfinite(pcm).all():
        where = int(np.argmin(np.isfinite(pcm)))
        raise ValueError(f"{path}: sample {where} is not finite")
    return pcm


def sample_format(path: Path) -> str:
    """The sample format of a readable WAV: "PCM_16", "PCM_24", "FLOAT", ..."""
    return soundfile.info(path).subtype


def _bytes_missing(path: Path) -> int:
    """How many bytes fewer than its RIFF header promises a file has; libsndfile does not say."""
    with path.open("rb") as file:
        header = file.read(8)
    promised = int.from_bytes(header[4:], "little") + len(header)
    # A writer that could not go back leaves 0 or the largest number: then nothing was promised.
    if header[:4] != b"RIFF" or promised >= 2**32:
        return 0
    return max(0, promised - path.stat().st_size - 1)  # some writers miscount the padding byte
