"""The node's parameters: their names, defaults and what is allowed. No ROS is imported here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

SOURCES = ("topic", "device")
AUDIO_TYPES = ("AudioData", "AudioDataStamped", "AudioStamped")
WORDS_TYPES = ("String", "LiveSpeech")
VADS = ("silero", "energy")
# As ROS4HRI names what belongs to a voice, and as it calls one that nobody told apart.
EXPRESSION_TOPIC = "/humans/voices/anonymous_speaker/expression"


class Parameter(NamedTuple):
    """A parameter of the node."""

    name: str
    default: str | int | float
    meaning: str
    allowed: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None


PARAMETERS = (
    Parameter("model", "", "path of the model file (*.safetensors); it must be given"),
    Parameter("backend", "auto", "what computes: auto, cpu, cuda, onnxruntime or tensorrt"),
    Parameter("abstain_below", 0.0, "no label below this probability", least=0, most=1),
    Parameter("vad", "silero", "what tells speech from the rest: silero or energy", VADS),
    Parameter("source", "topic", "where sound comes from: topic or device", SOURCES),
    Parameter("audio_topic", "audio", "the microphone's topic"),
    Parameter("audio_type", "AudioData", "its type in audio_common_msgs", AUDIO_TYPES),
    Parameter("sample_rate", 16000, "of the sound, Hz", least=8000, most=192000),
    Parameter("channels", 1, "of the sound, mixed down", least=1, most=32),
    Parameter("device", "", "for source device: its number or a part of its name; empty: default"),
    Parameter("sound_wait", 1.0, "seconds without sound that end an utterance", least=0.1, most=30),
    Parameter("words_topic", "", "where the speech recogniser publishes; empty: sound alone"),
    Parameter("words_type", "String", "its type: String or LiveSpeech (hri_msgs)", WORDS_TYPES),
    Parameter("words_wait", 1.5, "seconds after speech that words may take", least=0, most=30),
    Parameter("emotion_topic", "voice/emotion", "JSON as std_msgs/String; empty: none"),
    Parameter("label_topic", "voice/label", "the label as std_msgs/String; empty: none"),
    Parameter("expression_topic", EXPRESSION_TOPIC, "hri_msgs/Expression; empty: none"),
)


@dataclass(frozen=True)
class Settings:
    """Values of all parameters, checked; :data:`PARAMETERS` says what each means."""

    model: str
    backend: str
    abstain_below: float
    vad: str
    source: str
    audio_topic: str
    audio_type: str
    sample_rate: int
    channels: int
    device: str
    sound_wait: float
    words_topic: str
    words_type: str
    words_wait: float
    emotion_topic: str
    label_topic: str
    expression_topic: str

    @classmethod
    def from_parameters(cls, values: Mapping[str, Any]) -> Settings:
        """Check ``values``; one that is missing has its default.

        Raises:
            ValueError: an unknown parameter, a value of another type or outside what is allowed,
                no model, or no topic to publish on.
        """
        names = {parameter.name for parameter in PARAMETERS}
        for name in values:
            if name not in names:
                known = ", ".join(sorted(names))
                raise ValueError(f"parameter {name} must be one of {known}")
        checked = {p.name: _checked(p, values.get(p.name, p.default)) for p in PARAMETERS}
        if not checked["model"]:
            raise ValueError("parameter model must be the path of a model file, got ''")
        if checked["source"] == "topic" and not checked["audio_topic"]:
            raise ValueError("parameter audio_topic must be a topic where source is topic, got ''")
        outputs = ("emotion_topic", "label_topic", "expression_topic")
        if not any(checked[name] for name in outputs):
            raise ValueError(
                f"one of the parameters {', '.join(outputs)} must be a topic, got none"
            )
        return cls(**checked)


def _checked(parameter: Parameter, value: Any) -> Any:
    name, default = parameter.name, parameter.default
    # A device is often a number, and a whole number is written without a point.
    if name == "device" and isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if isinstance(default, float) and type(value) is int:
        value = float(value)
    if type(value) is not type(default):
        kinds = {str: "text", int: "an integer", float: "a number"}
        raise ValueError(f"parameter {name} must be {kinds[type(default)]}, got {value!r}")
    if parameter.allowed and value not in parameter.allowed:
        allowed = ", ".join(parameter.allowed)
        raise ValueError(f"parameter {name} must be one of {allowed}, got {value!r}")
    if parameter.least is not None and not parameter.least <= value <= parameter.most:
        raise ValueError(
            f"parameter {name} must lie in {parameter.least}..{parameter.most}, got {value!r}"
        )
    return value
