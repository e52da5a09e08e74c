"""The node: parameters, topics, messages. What it does with them is in voice_emotion.py."""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterable
from typing import Any

import rclpy
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.executors import ExternalShutdownException
from rclpy.logging import get_logger
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from std_msgs.msg import String

from gban_edge_ros.microphone import Microphone
from gban_edge_ros.settings import PARAMETERS, Settings
from gban_edge_ros.sound import pcm_of
from gban_edge_ros.voice_emotion import Utterance, VoiceEmotion, load_recognizer

PERIOD = 0.02  # seconds between looks at the device and at words that do not come
SELDOM = 5.0  # seconds between two warnings of the same kind


def message_type(package: str, name: str, needed_for: str) -> Any:
    """The class of a message.

    Raises:
        RuntimeError: its package is not installed, or has no such message.
    """
    try:
        return getattr(importlib.import_module(f"{package}.msg"), name)
    except (ImportError, AttributeError) as error:
        raise RuntimeError(
            f"{needed_for} needs {package}/{name} ({error}): apt install "
            f"ros-$ROS_DISTRO-{package.replace('_', '-')}, or another package that has it"
        ) from error


class VoiceEmotionNode(Node):
    """Publishes the emotion of every utterance; README.md lists topics and parameters.

    Raises:
        ValueError, FileNotFoundError, RuntimeError: a parameter, the model file, or a package that
            is missing, with the cure.
    """

    def __init__(self, make_stream: Any = None) -> None:
        super().__init__("voice_emotion")
        self.settings = Settings.from_parameters({p.name: self._read(p) for p in PARAMETERS})
        recognizer = load_recognizer(self.settings)
        streams = {} if make_stream is None else {"make_stream": make_stream}
        self._voice = VoiceEmotion(self.settings, recognizer, **streams)
        self._late = self._lost = 0
        self._open_outputs()
        self._microphone = self._open_inputs()
        self.create_timer(PERIOD, self._tick)
        self.get_logger().info(f"listening on {recognizer.backend} ({recognizer.backend_reason})")

    def _read(self, parameter: Any) -> Any:
        # Types are checked by Settings, which also takes 0 for 0.0 and says what is allowed.
        described = ParameterDescriptor(
            description=parameter.meaning, read_only=True, dynamic_typing=True
        )
        return self.declare_parameter(parameter.name, parameter.default, described).value

    def _open_outputs(self) -> None:
        s = self.settings
        self._emotion = s.emotion_topic and self.create_publisher(String, s.emotion_topic, 10)
        self._label = s.label_topic and self.create_publisher(String, s.label_topic, 10)
        self._expression: Any = None
        if not s.expression_topic:
            return
        try:
            self._expression_type = message_type("hri_msgs", "Expression", "expression_topic")
        except RuntimeError as error:
            if not (s.emotion_topic or s.label_topic):
                raise
            self.get_logger().warning(f"only std_msgs/String is published: {error}")
            return
        self._expression = self.create_publisher(self._expression_type, s.expression_topic, 10)
        if self._voice.unmapped_labels:
            labels = ", ".join(self._voice.unmapped_labels)
            self.get_logger().warning(f"hri_msgs/Expression has no constant for {labels}")

    def _open_inputs(self) -> Microphone | None:
        s = self.settings
        if s.words_topic:
            package = "std_msgs" if s.words_type == "String" else "hri_msgs"
            words = message_type(package, s.words_type, "words_topic")
            self.create_subscription(words, s.words_topic, self._hear_words, 10)
        if s.source == "device":
            return Microphone(s)
        audio = message_type("audio_common_msgs", s.audio_type, "audio_topic")
        self.create_subscription(audio, s.audio_topic, self._hear_audio, qos_profile_sensor_data)
        return None

    def _hear_audio(self, message: Any) -> None:
        try:
            self._publish(self._voice.push(pcm_of(message, self.settings)))
        except (ValueError, RuntimeError) as error:
            self.get_logger().error(str(error), throttle_duration_sec=SELDOM)

    def _hear_words(self, message: Any) -> None:
        # LiveSpeech tells what it makes of a sentence again and again; "final" is filled once.
        text = message.data if self.settings.words_type == "String" else message.final
        try:
            self._publish(self._voice.hear_words(text))
        except (ValueError, RuntimeError) as error:
            self.get_logger().error(str(error), throttle_duration_sec=SELDOM)
        if self._voice.dropped_words > self._late:
            self._late = self._voice.dropped_words
            self.get_logger().warning(
                f"words that belong to no utterance were dropped, {self._late} times so far; "
                "words_wait may be too short",
                throttle_duration_sec=SELDOM,
            )

    def _tick(self) -> None:
        for block in self._microphone.blocks() if self._microphone else ():
            try:
                self._publish(self._voice.push(block))
            except (ValueError, RuntimeError) as error:
                self.get_logger().error(str(error), throttle_duration_sec=SELDOM)
        if self._microphone and self._microphone.lost > self._lost:
            self._lost = self._microphone.lost
            self.get_logger().warning(
                f"{self._lost} blocks of 20 ms were lost so far: the machine is too busy",
                throttle_duration_sec=SELDOM,
            )
        try:
            self._publish(self._voice.poll())
        except RuntimeError as error:
            self.get_logger().error(str(error), throttle_duration_sec=SELDOM)

    def _publish(self, utterances: Iterable[Utterance]) -> None:
        for utterance in utterances:
            if self._emotion:
                self._emotion.publish(String(data=utterance.to_json()))
            if self._label:
                self._label.publish(String(data=utterance.label))
            if self._expression and utterance.expression is not None:
                self._expression.publish(self._message_of(utterance))

    def _message_of(self, utterance: Utterance) -> Any:
        message = self._expression_type()
        message.header.stamp = self.get_clock().now().to_msg()
        message.expression = utterance.expression
        # A classifier of four classes knows neither; 0 would say "neither good nor bad".
        message.valence = message.arousal = math.nan
        message.confidence = float(utterance.result.confidence)
        return message

    def close(self) -> None:
        """Close the device, and publish what was being said where ROS still takes it."""
        if self._microphone:
            self._microphone.close()
        if rclpy.ok():  # a signal has ended it already, and nobody would hear
            try:
                self._publish(self._voice.finish())
            except RuntimeError as error:
                self.get_logger().error(str(error))


def main(args: list[str] | None = None) -> int:
    """Run the node until it is stopped; 1 where it could not start, and says why."""
    rclpy.init(args=args)
    try:
        node = VoiceEmotionNode()
    except (ValueError, FileNotFoundError, RuntimeError) as error:
        get_logger("voice_emotion").fatal(str(error))
        rclpy.try_shutdown()
        return 1
    try:
        rclpy.spin(node)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        node.close()
        node.destroy_node()
        rclpy.try_shutdown()
    return 0
