"""The speech frontend: 16 kHz PCM to [N, 52] frames.

26 log-mel energies, 13 MFCC and 13 deltas of the MFCC a frame, every 10 ms (PAPER.md, section
"Features"). :func:`extract` has the native core compute them, :class:`Frontend` does so while the
sound arrives, and :func:`extract_ref` is the same in readable NumPy. librosa computes the same
numbers and is the oracle of the tests; it is not needed to run. Everything is computed in float64
and rounded to float32 once, at the end.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gban_edge.core import native

VERSION = 1
"""Of the definition below; part of every feature cache key and of every model file."""

SAMPLE_RATE = 16000
MAX_SECONDS = 7.5
MAX_SAMPLES = int(MAX_SECONDS * SAMPLE_RATE)
FFT = 512
WINDOW = 400
HOP = 160
MELS = 26
MFCCS = 13
TOP_HZ = 6500.0
FLOOR = 1e-10
DELTA_WIDTH = 9
FEATURES = MELS + 2 * MFCCS


def extract(pcm: ArrayLike, sample_rate: int = SAMPLE_RATE) -> NDArray[np.float32]:
    """The features of one utterance.

    Args:
        pcm: mono sound [samples], floating point, full scale 1.0. What lies beyond 7.5 s is cut.
        sample_rate: must be 16000.

    Returns:
        float32 [N, 52]: log-mel 0-25, MFCC 26-38, deltas 39-51, with
        N = 1 + (samples - 512) // 160, and 0 below 512 samples (32 ms).

    Raises:
        ValueError: another sample rate, shape or number type, or a value that is not finite.
        RuntimeError: the native core is not built.
    """
    _check_rate(sample_rate)
    features: NDArray[np.float32] = native().extract_features(_for_core(pcm))
    return features


class Frontend:
    """:func:`extract` for sound that is still arriving, one utterance after the other.

    Frames are computed as their sound arrives, so little is left to do when the speaker stops. The
    result equals that of :func:`extract` bit for bit, however the sound is cut::

        frontend = Frontend()
        for block in microphone:
            frontend.push(block)
        features = frontend.finish()

    Args:
        sample_rate: must be 16000.

    Raises:
        ValueError: another sample rate.
        RuntimeError: the native core is not built.
    """

    def __init__(self, sample_rate: int = SAMPLE_RATE) -> None:
        _check_rate(sample_rate)
        self._native: Any = native().Frontend()

    def push(self, pcm: ArrayLike) -> Frontend:
        """Take the next piece of the utterance and return self.

        Args:
            pcm: mono sound [samples] of any length, 0 included, floating point, full scale 1.0.
                What lies beyond 7.5 s of the utterance is cut.

        Raises:
            ValueError: another shape or number type, or a value that is not finite, which is
                counted from the utterance's beginning. Nothing of this piece is taken then, and
                what was taken before stays.
        """
        self._native.push(_for_core(pcm))
        return self

    def finish(self) -> NDArray[np.float32]:
        """The features, float32 [N, 52], of the utterance, which ends here; the next push begins
        another."""
        features: NDArray[np.float32] = self._native.finish()
        return features

    @property
    def seconds(self) -> float:
        """Sound of this utterance taken so far, at most 7.5."""
        return int(self._native.samples) / SAMPLE_RATE

    @property
    def frames(self) -> int:
        """N of this utterance so far."""
        return frame_count(int(self._native.samples))


def extract_ref(pcm: ArrayLike, sample_rate: int = SAMPLE_RATE) -> NDArray[np.float32]:
    """:func:`extract` in plain NumPy, for reading and tests; same arguments, result and errors."""
    _check_rate(sample_rate)
    log_mel = _log_mel(_finite(_sound(pcm)[:MAX_SAMPLES].astype(np.float64)))
    decibels = log_mel * (10.0 / np.log(10.0))
    mfcc = decibels @ _dct().T
    return np.concatenate([log_mel, mfcc, _delta(mfcc)], axis=1).astype(np.float32)


def frame_count(samples: int) -> int:
    """N of an utterance of ``samples`` samples, the cut at 7.5 s included."""
    samples = min(samples, MAX_SAMPLES)
    return 0 if samples < FFT else 1 + (samples - FFT) // HOP


def _check_rate(sample_rate: int) -> None:
    if sample_rate != SAMPLE_RATE:
        raise ValueError(
            f"sample_rate must be {SAMPLE_RATE}, got {sample_rate}; resample the sound first"
        )


def _sound(pcm: ArrayLike) -> NDArray[Any]:
    array = np.asarray(pcm)
    if array.ndim != 1:
        raise ValueError(f"pcm must be mono with shape [samples], got {list(array.shape)}")
    if array.dtype.kind != "f" and array.size:
        raise ValueError(
            f"pcm must be floating point in [-1, 1], got {array.dtype}; "
            "divide 16-bit integers by 32768"
        )
    return array


def _for_core(pcm: ArrayLike) -> NDArray[Any]:
    """``pcm`` as the core takes it, dense float32 or float64; it looks for values not finite."""
    array = _sound(pcm)
    exact = np.float32 if array.dtype in (np.float16, np.float32) else np.float64
    return np.ascontiguousarray(array[:MAX_SAMPLES], dtype=exact)


def _finite(pcm: NDArray[np.float64]) -> NDArray[np.float64]:
    finite = np.isfinite(pcm)
    if not finite.all():
        where = int(np.argmin(finite))
        raise ValueError(f"pcm must be finite, got {pcm[where]} at sample {where}")
    return pcm


def _log_mel(pcm: NDArray[np.float64]) -> NDArray[np.float64]:
    """ln(mel power + 1e-10), [N, 26]; frames as librosa makes them with center=False."""
    if len(pcm) < FFT:
        return np.zeros((0, MELS))
    frames = np.lib.stride_tricks.sliding_window_view(pcm, FFT)[::HOP]
    power = np.abs(np.fft.rfft(frames * _window(), axis=1)) ** 2
    return np.log(power @ _mel_filters().T + FLOOR)


def _delta(mfcc: NDArray[np.float64]) -> NDArray[np.float64]:
    """The slope of a line fitted to 9 frames (Savitzky-Golay, order 1), edge frames repeated."""
    if len(mfcc) == 0:
        return mfcc
    half = DELTA_WIDTH // 2
    padded = np.pad(mfcc, ((half, half), (0, 0)), mode="edge")
    offsets = np.arange(-half, half + 1)
    windows = np.lib.stride_tricks.sliding_window_view(padded, DELTA_WIDTH, axis=0)
    return windows @ (offsets / np.sum(offsets**2))


@cache
def _window() -> NDArray[np.float64]:
    """A periodic Hamming window of 400, centred in 512."""
    hamming = 0.54 - 0.46 * np.cos(2.0 * np.pi * np.arange(WINDOW) / WINDOW)
    left = (FFT - WINDOW) // 2
    return np.pad(hamming, (left, FFT - WINDOW - left))


@cache
def _mel_filters() -> NDArray[np.float64]:
    """Slaney's mel filters [26, 257], 0-6500 Hz, each of unit area (Slaney 1998)."""
    edges = _mel_to_hz(np.linspace(0.0, _hz_to_mel(TOP_HZ), MELS + 2))
    bins = np.arange(FFT // 2 + 1) * (SAMPLE_RATE / FFT)
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    return triangles * (2.0 / (edges[2:] - edges[:-2]))[:, None]


# Slaney's scale: linear (200/3 Hz a mel) below 1 kHz, logarithmic (27 mel a factor 6.4) above.
_LINEAR_HZ, _BREAK_HZ, _LOG_STEP = 200.0 / 3.0, 1000.0, np.log(6.4) / 27.0
_BREAK_MEL = _BREAK_HZ / _LINEAR_HZ


def _hz_to_mel(hz: float) -> float:
    if hz < _BREAK_HZ:
        return hz / _LINEAR_HZ
    return float(_BREAK_MEL + np.log(hz / _BREAK_HZ) / _LOG_STEP)


def _mel_to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    above = _BREAK_HZ * np.exp(_LOG_STEP * (mel - _BREAK_MEL))
    return np.where(mel < _BREAK_MEL, mel * _LINEAR_HZ, above)


@cache
def _dct() -> NDArray[np.float64]:
    """Orthonormal DCT-II [13, 26]."""
    k, n = np.arange(MFCCS)[:, None], np.arange(MELS)[None, :]
    basis = np.cos(np.pi * k * (2 * n + 1) / (2 * MELS)) * np.sqrt(2.0 / MELS)
    basis[0] /= np.sqrt(2.0)
    return basis
