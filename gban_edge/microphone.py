"""Sound for ``gban-edge listen``: blocks from a microphone, or from a file as if it were one."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gban_edge.features import SAMPLE_RATE
from gban_edge.runtime.sound import check_rate
from gban_edge.runtime.wav import read_file
from gban_edge.streams import printable

BLOCK = 512  # samples at 16 kHz, 32 ms
WAITING = 300  # blocks, about 10 s, before sound is lost
PATIENCE = 5.0  # seconds without sound after which it is asked whether the device is there, twice
LONGEST = 24 * 3600.0  # of a file, seconds
Block = NDArray[np.float32]

NO_PORTAUDIO = (
    "PortAudio, which sounddevice needs for the microphone, is missing: "
    "sudo apt install libportaudio2"
)


class Source(Protocol):
    """Where blocks of mono sound come from: a microphone, a file, or a test; used in a ``with``."""

    name: str
    rate: int
    lost: int

    def __enter__(self) -> Source: ...

    def __exit__(self, *_: object) -> None: ...

    def __iter__(self) -> Iterator[Block]: ...


def load_sounddevice() -> Any:
    """The module sounddevice.

    Raises:
        RuntimeError: it, or the library PortAudio, is not installed; names the command.
    """
    try:
        return import_module("sounddevice")
    except ImportError as error:
        raise RuntimeError(
            f"the microphone needs the package sounddevice ({error}): "
            'pip install "gban-edge[listen]"'
        ) from error
    except OSError as error:  # what sounddevice raises where it finds no PortAudio
        raise RuntimeError(f"{NO_PORTAUDIO} ({error})") from error


def list_devices(sounddevice: Any) -> list[str]:
    """A line a sound device: its number, name, input channels and rate; "*" marks the default.

    Raises:
        RuntimeError: PortAudio cannot tell.
    """
    try:
        chosen = sounddevice.default.device[0]
        found = list(enumerate(sounddevice.query_devices()))
    except sounddevice.PortAudioError as error:
        raise RuntimeError(f"PortAudio cannot list the sound devices ({error})") from error
    return [
        f"{'*' if number == chosen else ' '} {number:2}  {printable(device['name'])}  "
        f"({device['max_input_channels']} in, {device['default_samplerate']:.0f} Hz)"
        for number, device in found
    ]


def parse_device(text: str | None) -> int | str | None:
    """A device's number, or a part of its name; None for the default.

    >>> parse_device("3"), parse_device("USB"), parse_device(None)
    (3, 'USB', None)
    """
    return int(text) if text is not None and text.isdecimal() else text


class Microphone:
    """Blocks of mono sound, float32 [samples of 32 ms], as they are recorded; a context manager.

    Args:
        device: a number, a part of a name, or None for the default microphone.
        sounddevice: the module, or what stands in for it in a test.

    Attributes:
        name: of the device.
        rate: samples a second: 16000 where the device can do that, else its own.
        lost: blocks that nobody fetched in time.

    Raises:
        RuntimeError: there is no microphone, or it cannot be opened; lists what there is.
    """

    def __init__(self, device: int | str | None = None, sounddevice: Any = None) -> None:
        self._module = load_sounddevice() if sounddevice is None else sounddevice
        self._waiting: queue.Queue[Block] = queue.Queue(WAITING)
        self.lost = 0
        try:
            found = self._module.query_devices(device, "input")
            self.name = str(found["name"])
            self.rate = self._usable_rate(device, round(found["default_samplerate"]))
            self._stream = self._module.InputStream(
                samplerate=self.rate, device=device, channels=1, dtype="float32",
                blocksize=BLOCK * self.rate // SAMPLE_RATE, callback=self._take,
            )  # fmt: skip
        except (ValueError, self._module.PortAudioError) as error:
            raise RuntimeError(self._trouble(device, error)) from error

    def _usable_rate(self, device: int | str | None, own: int) -> int:
        """16 kHz where the device can do it, else the device's own rate."""
        try:
            self._module.check_input_settings(
                device=device, channels=1, dtype="float32", samplerate=SAMPLE_RATE
            )
        except self._module.PortAudioError:
            check_rate(own)
            return own
        return SAMPLE_RATE

    def _trouble(self, device: int | str | None, error: Exception) -> str:
        lines = list_devices(self._module)
        there = "; ".join(" ".join(line.split()) for line in lines) or "none at all, plug one in"
        what = "no microphone" if device is None else f"device {device!r} cannot be used"
        return (
            f"{what} ({error}). Sound devices: {there}. Choose one that has inputs with --device, "
            "or give a file with --file"
        )

    def _take(self, indata: Block, frames: int, clock: Any, status: Any) -> None:
        try:
            self._waiting.put_nowait(indata[:, 0].copy())
        except queue.Full:
            self.lost += 1

    def __enter__(self) -> Microphone:
        try:
            self._stream.start()
        except self._module.PortAudioError as error:
            raise RuntimeError(f"microphone {self.name!r} does not start ({error})") from error
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(self._module.PortAudioError):  # of one that is unplugged
            self._stream.close()

    def __iter__(self) -> Iterator[Block]:
        missed = 0
        while True:
            try:
                block = self._waiting.get(timeout=PATIENCE)
            except queue.Empty:
                missed += 1
                # Once may be a program that was halted; some drivers never say that it is gone.
                if missed > 1 or not self._stream.active:
                    raise RuntimeError(
                        f"microphone {self.name!r} stopped: unplugged? The others: "
                        "gban-edge listen --list-devices"
                    ) from None
                continue
            missed = 0
            yield block


class File:
    """A sound file as a microphone: blocks of 32 ms as they would come, or at once if ``fast``.

    Attributes:
        name: of the file.
        rate: samples a second, as it says.
        lost: 0.

    Raises:
        FileNotFoundError, ValueError, RuntimeError: as :func:`gban_edge.runtime.sound.read_sound`.
    """

    def __init__(
        self,
        path: Path,
        fast: bool,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        file = read_file(path, LONGEST)
        check_rate(file.rate)
        self.name, self.rate, self.lost = str(path), file.rate, 0
        self._pcm, self._fast = file.pcm, fast
        self._sleep, self._clock = sleep, clock

    def __enter__(self) -> File:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __iter__(self) -> Iterator[Block]:
        begin, size = self._clock(), BLOCK * self.rate // SAMPLE_RATE
        for first in range(0, len(self._pcm), size):
            block = self._pcm[first : first + size]
            if not self._fast:
                due = begin + (first + len(block)) / self.rate
                self._sleep(max(0.0, due - self._clock()))
            yield block
