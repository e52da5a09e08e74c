"""Sound from a device of this machine, through PortAudio; no ROS is imported here."""

from __future__ import annotations

import queue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gban_edge.microphone import parse_device
from gban_edge_ros.settings import Settings

BLOCKS_KEPT = 500  # of 20 ms, 10 s


class Microphone:
    """Opens the device; :meth:`blocks` gives what has arrived.

    Args:
        settings: device, sample_rate and channels of it are used.

    Raises:
        RuntimeError: the package sounddevice or its PortAudio is missing, or the device cannot be
            opened, with its reason.
    """

    def __init__(self, settings: Settings) -> None:
        try:
            import sounddevice
        except (ImportError, OSError) as error:  # OSError: PortAudio itself is missing
            raise RuntimeError(
                f"source device needs sounddevice ({error}): pip install 'gban-edge[listen]', and "
                "on Debian and Ubuntu apt install libportaudio2"
            ) from error
        self._queue: queue.Queue[NDArray[np.float32]] = queue.Queue(BLOCKS_KEPT)
        self.lost = 0
        try:
            self._stream = sounddevice.InputStream(
                samplerate=settings.sample_rate, channels=settings.channels,
                device=parse_device(settings.device or None), dtype="float32",
                blocksize=settings.sample_rate // 50, callback=self._take,
            )  # fmt: skip
            self._stream.start()
        except (sounddevice.PortAudioError, ValueError) as error:
            raise RuntimeError(
                f"parameter device: {settings.device or 'the default'} cannot be opened at "
                f"{settings.sample_rate} Hz with {settings.channels} channels: {error}; "
                "python -m sounddevice lists the devices"
            ) from error

    def _take(self, sound: NDArray[np.float32], frames: int, times: Any, status: Any) -> None:
        """PortAudio's own thread; must not wait."""
        try:
            self._queue.put_nowait(sound.mean(axis=1))
        except queue.Full:
            self.lost += 1

    def blocks(self) -> list[NDArray[np.float32]]:
        """Mono float32 blocks that have arrived since the last call."""
        return [self._queue.get_nowait() for _ in range(self._queue.qsize())]

    def close(self) -> None:
        self._stream.close()
