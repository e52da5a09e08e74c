"""espeak-ng, called through ctypes: SSML in, 16 kHz float PCM out.

The shared library and its voices come from PyPI's ``espeakng-loader`` (extra ``[train]``).
espeak-ng itself is GPL-3.0; it is used here only as a tool that writes sound files, and nothing
under ``gban_edge/`` or ``csrc/`` touches it.

Two things would make equal input give unequal output, and are dealt with: its noise generator
starts from the time of day (it is given a fixed seed before each utterance), and it keeps state
between utterances, such as the phase of its wave tables (the corpus writer uses a fresh process a
session, so that the calls before an utterance are always the same).
"""

from __future__ import annotations

import ctypes

import numpy as np
from scipy.signal import resample_poly

from gban_edge.features import SAMPLE_RATE

_SYNCHRONOUS, _UTF8, _SSML = 2, 0x01, 0x10
_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)


class Espeak:
    """One synthesiser a process: ``Espeak().say(ssml, voice) -> float32 [samples] at 16 kHz``."""

    def __init__(self) -> None:
        try:
            import espeakng_loader
        except ImportError as error:
            raise RuntimeError(
                "espeakng-loader is not installed; it speaks the built-in corpus. "
                "Install it with: pip install 'gban-edge[train]'"
            ) from error
        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        data = espeakng_loader.get_data_path().encode()
        self._rate = self._library.espeak_Initialize(_SYNCHRONOUS, 0, data, 0)
        if self._rate <= 0:
            raise RuntimeError(f"espeak-ng could not start with its data in {data.decode()}")
        self._chunks: list[np.ndarray] = []
        self._callback = _Callback(self._receive)  # kept alive: C holds only the pointer

    def _receive(self, samples, count: int, _events) -> int:
        if samples and count > 0:
            self._chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0

    def say(self, ssml: str, voice: str) -> np.ndarray:
        """Speak one SSML document.

        Returns float32 [samples] in [-1, 1] at 16 kHz. Raises ValueError for an unknown voice
        and RuntimeError where espeak-ng makes no sound of the text.
        """
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise ValueError(f"voice must be one that espeak-ng knows, got {voice!r}")
        self._chunks.clear()
        # The process has one: another Espeak, perhaps gone by now, may have left its own there.
        self._library.espeak_SetSynthCallback(self._callback)
        self._library.espeak_ng_SetRandSeed(ctypes.c_long(1))
        text = ssml.encode("utf-8")
        code = self._library.espeak_Synth(text, len(text) + 1, 0, 0, 0, _UTF8 | _SSML, None, None)
        if code != 0 or not self._chunks:
            raise RuntimeError(f"espeak-ng made no sound (code {code}) of {ssml!r}")
        pcm = np.concatenate(self._chunks).astype(np.float64) / 32768.0
        divisor = int(np.gcd(SAMPLE_RATE, self._rate))
        resampled = resample_poly(pcm, SAMPLE_RATE // divisor, self._rate // divisor)
        return np.clip(resampled, -1.0, 1.0).astype(np.float32)
