"""Stand-ins for what the ROS 2 example imports of ROS: nodes that record what they do.

Only what the node uses is here, under ROS 2's names and with its signatures; a message accepts the
fields that its definition has and no others, as a generated one does.
"""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

NODES: list[Node] = []


class Logger:
    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def _log(self, level: str, text: str) -> None:
        assert isinstance(text, str)
        self.lines.append((level, text))

    def info(self, text: str) -> None:
        self._log("info", text)

    def warning(self, text: str, *, throttle_duration_sec: float = 0.0) -> None:
        self._log("warning", text)

    def error(self, text: str, *, throttle_duration_sec: float = 0.0) -> None:
        self._log("error", text)

    def fatal(self, text: str) -> None:
        self._log("fatal", text)

    def of(self, level: str) -> list[str]:
        return [text for kind, text in self.lines if kind == level]


class Publisher:
    def __init__(self, kind: type, topic: str) -> None:
        self.kind, self.topic = kind, topic
        self.sent: list[Any] = []

    def publish(self, message: Any) -> None:
        assert type(message) is self.kind
        self.sent.append(message)


class Node:
    """rclpy.node.Node; ``overrides`` are the parameters of the launch file."""

    overrides: dict[str, Any] = {}  # noqa: RUF012  as a process has them, for every node

    def __init__(self, name: str) -> None:
        self.name = name
        self.parameters: dict[str, Any] = {}
        self.publishers_by_topic: dict[str, Publisher] = {}
        self.subscriptions_by_topic: dict[str, tuple[type, Any]] = {}
        self.timers_made: list[tuple[float, Any]] = []
        self.logger = Logger()
        self.destroyed = False
        NODES.append(self)

    def declare_parameter(self, name: str, value: Any, descriptor: Any) -> Any:
        assert name not in self.parameters
        assert descriptor.dynamic_typing
        assert descriptor.read_only
        assert descriptor.description
        self.parameters[name] = self.overrides.get(name, value)
        return SimpleNamespace(value=self.parameters[name])

    def create_publisher(self, kind: type, topic: str, qos: Any) -> Publisher:
        self.publishers_by_topic[topic] = Publisher(kind, topic)
        return self.publishers_by_topic[topic]

    def create_subscription(self, kind: type, topic: str, callback: Any, qos: Any) -> None:
        self.subscriptions_by_topic[topic] = (kind, callback)

    def create_timer(self, period: float, callback: Any) -> None:
        self.timers_made.append((period, callback))

    def get_logger(self) -> Logger:
        return self.logger

    def get_clock(self) -> Any:
        now = SimpleNamespace(to_msg=lambda: "now")
        return SimpleNamespace(now=lambda: now)

    def destroy_node(self) -> None:
        self.destroyed = True

    def receive(self, topic: str, **fields: Any) -> None:
        """What a publisher elsewhere does."""
        kind, callback = self.subscriptions_by_topic[topic]
        callback(kind(**fields))

    def tick(self) -> None:
        for _, callback in self.timers_made:
            callback()


def message(name: str, **defaults: Any) -> type:
    """A class of messages with these fields."""

    def __init__(self: Any, **fields: Any) -> None:  # noqa: N807
        assert set(fields) <= set(defaults), fields
        for field, value in {**defaults, **fields}.items():
            if isinstance(value, SimpleNamespace) and field not in fields:
                value = SimpleNamespace(**vars(value))
            setattr(self, field, value)

    return type(name, (), {"__slots__": tuple(defaults), "__init__": __init__})


class ExternalShutdownException(Exception):  # noqa: N818  ROS's name
    pass


def install(monkeypatch: Any, *, hri: bool = True, audio: bool = True) -> ModuleType:
    """Put the stand-ins where ``import`` finds them; the fake rclpy."""
    NODES.clear()
    monkeypatch.setattr(Node, "overrides", {})
    header = SimpleNamespace(stamp=None, frame_id="")

    def module(name: str, **names: Any) -> ModuleType:
        made = ModuleType(name)
        vars(made).update(names)
        monkeypatch.setitem(sys.modules, name, made)
        return made

    logger = Logger()
    rclpy = module("rclpy", calls=[], logger=logger, spins=None)
    rclpy.init = lambda args=None: rclpy.calls.append("init")
    rclpy.try_shutdown = lambda: rclpy.calls.append("shutdown")
    rclpy.ok = lambda: "shutdown" not in rclpy.calls
    rclpy.spin = lambda node: rclpy.spins(node)
    rclpy.logging = module("rclpy.logging", get_logger=lambda name: logger)
    module("rclpy.node", Node=Node)
    module("rclpy.executors", ExternalShutdownException=ExternalShutdownException)
    module("rclpy.qos", qos_profile_sensor_data="sensor data")
    module("rcl_interfaces")
    descriptor = message("ParameterDescriptor", description="", read_only=False,
                         dynamic_typing=False)  # fmt: skip
    module("rcl_interfaces.msg", ParameterDescriptor=descriptor)
    module("std_msgs")
    module("std_msgs.msg", String=message("String", data=""))
    for name in ("hri_msgs", "audio_common_msgs"):
        monkeypatch.setitem(sys.modules, name, None)  # importing it is an ImportError
        monkeypatch.setitem(sys.modules, f"{name}.msg", None)
    if hri:
        expression = message("Expression", header=header, expression="", valence=0.0, arousal=0.0,
                             confidence=0.0)  # fmt: skip
        speech = message("LiveSpeech", header=header, incremental="", final="", confidence=0.0)
        module("hri_msgs")
        module("hri_msgs.msg", Expression=expression, LiveSpeech=speech)
    if audio:
        data = message("AudioData", data=())
        stamped = message("AudioDataStamped", header=header, audio=None)
        module("audio_common_msgs")
        module("audio_common_msgs.msg", AudioData=data, AudioDataStamped=stamped,
               AudioStamped=message("AudioStamped", header=header, audio=None))  # fmt: skip
    return rclpy
