"""Sound out of a message of audio_common_msgs, told by its fields; no ROS is imported here."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gban_edge_ros.settings import Settings


def pcm_of(message: Any, settings: Settings) -> NDArray[np.float32]:
    """Mono float32 [samples] of full scale 1.0.

    Args:
        message: of the type ``settings.audio_type``. Bytes are taken for 16-bit little-endian
            integers, channels interleaved, as audio_capture publishes them with format:=wave.

    Raises:
        ValueError: bytes that are no whole samples of all channels, another rate or number of
            channels than the parameters say, numbers of another kind than int16 and float32.
    """
    if settings.audio_type == "AudioStamped":
        return _of_stamped(message.audio, settings)
    data = message.audio.data if settings.audio_type == "AudioDataStamped" else message.data
    raw = bytes(data)
    if len(raw) % (2 * settings.channels):
        raise ValueError(
            f"audio must be 16-bit samples of {settings.channels} channels, got {len(raw)} bytes; "
            "is it compressed? audio_capture needs format:=wave"
        )
    return _mono(np.frombuffer(raw, "<i2"), settings.channels)


def _of_stamped(audio: Any, settings: Settings) -> NDArray[np.float32]:
    info, data = audio.info, audio.audio_data
    if info.rate != settings.sample_rate or info.channels != settings.channels:
        raise ValueError(
            f"audio comes at {info.rate} Hz with {info.channels} channels, the parameters say "
            f"{settings.sample_rate} Hz with {settings.channels}; set sample_rate and channels"
        )
    if len(data.int16_data):
        samples = np.asarray(data.int16_data, np.int16)
    elif len(data.float32_data):
        samples = np.asarray(data.float32_data, np.float32)
    elif any(len(getattr(data, f"{kind}_data")) for kind in ("int32", "int24", "int8", "uint8")):
        raise ValueError(
            "audio must be int16 or float32; run audio_capturer_node with format:=8 (paInt16)"
        )
    else:
        return np.zeros(0, np.float32)
    if len(samples) % settings.channels:
        raise ValueError(
            f"audio must be whole samples of {settings.channels} channels, got {len(samples)} "
            "numbers"
        )
    return _mono(samples, settings.channels)


def _mono(samples: NDArray[Any], channels: int) -> NDArray[np.float32]:
    scale = 32768.0 if samples.dtype.kind == "i" else 1.0
    mono = samples.astype(np.float32).reshape(-1, channels).mean(axis=1) / np.float32(scale)
    return mono.astype(np.float32)
