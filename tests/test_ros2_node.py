"""The ROS 2 example's node and launch file, driven through stand-ins for ROS (fake_ros.py)."""

import importlib
import json
import math
import runpy
import sys
import time
from types import ModuleType, SimpleNamespace

import fake_ros
import numpy as np
import pytest
from helpers import ROOT, SMALL
from runtime_models import make_model
from test_ros2_example import WORDS, spoken, stamped

from gban_edge import EmotionRecognizer

EXPRESSION = "/humans/voices/anonymous_speaker/expression"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("node") / "gban.safetensors"
    make_model(path, SMALL, temperature=1.0)
    return str(path)


class Ros:
    """The stand-ins, and the node's module on top of them."""

    def __init__(self, monkeypatch, model):
        self.monkeypatch, self.model = monkeypatch, model
        self.install()

    def install(self, **packages):
        self.rclpy = fake_ros.install(self.monkeypatch, **packages)
        self.monkeypatch.delitem(sys.modules, "gban_edge_ros.node", raising=False)
        self.module = importlib.import_module("gban_edge_ros.node")

    def set(self, **parameters):
        given = {"model": self.model, "backend": "cpu", "vad": "energy", **parameters}
        self.monkeypatch.setattr(fake_ros.Node, "overrides", given)

    def node(self, **parameters):
        self.set(**parameters)
        return self.module.VoiceEmotionNode()


@pytest.fixture
def ros(monkeypatch, model):
    return Ros(monkeypatch, model)


@pytest.fixture
def microphones(monkeypatch):
    """A fake sounddevice; the streams that were opened."""
    opened = []

    class InputStream:
        def __init__(self, **options):
            if options["device"] == 7:
                raise sounddevice.PortAudioError("Invalid device")
            self.options, self.running = options, False
            opened.append(self)

        def start(self):
            self.running = True

        def close(self):
            self.running = False

        def bring(self, pcm):
            """A block [samples] from the sound card, on all channels."""
            channels = self.options["channels"]
            self.options["callback"](np.repeat(pcm[:, None], channels, axis=1), len(pcm), 0, 0)

    sounddevice = ModuleType("sounddevice")
    sounddevice.InputStream = InputStream
    sounddevice.PortAudioError = type("PortAudioError", (Exception,), {})
    monkeypatch.setitem(sys.modules, "sounddevice", sounddevice)
    return opened


def sent(node, topic):
    return node.publishers_by_topic[topic].sent


def int16(pcm):
    return np.round(32767 * pcm).astype("<i2")


def hear(node, pcm, topic="audio"):
    raw = int16(pcm)
    for at in range(0, len(raw), 1600):
        node.receive(topic, data=list(raw[at : at + 1600].tobytes()))


def test_an_utterance_is_published_in_all_forms(ros, model):
    node = ros.node()
    pcm = spoken()
    hear(node, pcm)
    (text,) = sent(node, "voice/emotion")
    values = json.loads(text.data)
    start, end = round(values["start"] * 16000), round(values["end"] * 16000)
    gold = EmotionRecognizer.from_pretrained(model, "cpu")(int16(pcm)[start:end])
    assert values["probabilities"] == pytest.approx(gold.probabilities, abs=1e-6)
    assert values["label"] == gold.label
    (expression,) = sent(node, EXPRESSION)
    names = {"ang": "angry", "hap": "happy", "neu": "neutral", "sad": "sad"}
    assert expression.expression == names[gold.label]
    assert expression.confidence == pytest.approx(gold.confidence, abs=1e-6)
    assert math.isnan(expression.valence)
    assert math.isnan(expression.arousal)
    assert expression.header.stamp == "now"
    assert [label.data for label in sent(node, "voice/label")] == [names[gold.label]]
    assert node.logger.of("info")[0].startswith("listening on cpu fp32")
    assert node.logger.of("warning") == node.logger.of("error") == []


def test_an_abstention_is_no_expression(ros):
    node = ros.node(abstain_below=1.0)
    hear(node, spoken())
    assert [label.data for label in sent(node, "voice/label")] == ["none"]
    assert json.loads(sent(node, "voice/emotion")[0].data)["abstained"] is True
    assert sent(node, EXPRESSION) == []


def test_without_hri_msgs_text_alone_is_published_and_that_is_said_once(ros):
    ros.install(hri=False)
    node = ros.node()
    hear(node, spoken())
    hear(node, spoken(seed=6))
    assert len(sent(node, "voice/emotion")) == len(sent(node, "voice/label")) == 2
    assert EXPRESSION not in node.publishers_by_topic
    (warning,) = node.logger.of("warning")
    assert "only std_msgs/String is published" in warning
    assert "ros-$ROS_DISTRO-hri-msgs" in warning
    with pytest.raises(RuntimeError, match="expression_topic needs hri_msgs/Expression"):
        ros.node(emotion_topic="", label_topic="")


def test_topics_that_are_empty_are_not_published(ros):
    node = ros.node(emotion_topic="", expression_topic="")
    hear(node, spoken())
    assert list(node.publishers_by_topic) == ["voice/label"]
    assert len(sent(node, "voice/label")) == 1
    node = ros.node(label_topic="")
    hear(node, spoken())
    assert list(node.publishers_by_topic) == ["voice/emotion", EXPRESSION]


@pytest.mark.parametrize("kind", ["String", "LiveSpeech"])
def test_words_after_the_end_of_speech_are_used(ros, kind):
    node = ros.node(words_topic="words", words_type=kind)
    hear(node, spoken())
    assert sent(node, "voice/emotion") == []
    if kind == "LiveSpeech":
        node.receive("words", incremental="w9 w9")  # not yet final
        node.receive("words", final=WORDS)
    else:
        node.receive("words", data=WORDS)
    (text,) = sent(node, "voice/emotion")
    assert json.loads(text.data)["words"] == WORDS
    node.receive("words", **{"data" if kind == "String" else "final": "too late"})
    assert "1 times so far" in node.logger.of("warning")[0]


def test_words_that_never_come_are_waited_for_by_the_timer(ros):
    now = [0.0]
    node = ros.node(words_topic="words", words_wait=2.0)
    ros.monkeypatch.setattr(node._voice, "_clock", lambda: now[0])
    hear(node, spoken())
    node.tick()
    assert sent(node, "voice/emotion") == []
    now[0] = 2.0
    node.tick()
    assert json.loads(sent(node, "voice/emotion")[0].data)["words"] == ""


def test_what_is_wrong_with_a_message_is_logged_and_the_node_goes_on(ros):
    node = ros.node(words_topic="words")
    node.receive("audio", data=[1, 2, 3])
    hear(node, spoken())
    node.receive("words", data="\ud800")
    assert ["got 3 bytes" in text for text in node.logger.of("error")] == [True, False]
    assert "text must be valid Unicode" in node.logger.of("error")[1]
    node.receive("words", data=WORDS)
    assert len(sent(node, "voice/emotion")) == 1


def test_stamped_sound_of_the_other_audio_common(ros):
    node = ros.node(audio_type="AudioStamped", sample_rate=48000, channels=2)
    node.receive("audio", audio=stamped(44100, 2, int16=[0, 0]).audio)
    assert "comes at 44100 Hz" in node.logger.of("error")[0]
    both = np.repeat(int16(spoken(48000)), 2)
    for at in range(0, len(both), 9600):
        message = stamped(48000, 2, int16=both[at : at + 9600].tolist())
        node.receive("audio", audio=message.audio)
    assert len(sent(node, "voice/emotion")) == 1


def test_sound_from_a_device(ros, microphones):
    node = ros.node(source="device", device=2, channels=2)
    (stream,) = microphones
    options = stream.options
    assert (options["device"], options["samplerate"], options["blocksize"]) == (2, 16000, 320)
    assert stream.running
    assert "audio" not in node.subscriptions_by_topic
    pcm = spoken()
    for at in range(0, len(pcm), 320):
        stream.bring(pcm[at : at + 320])
        node.tick()
    assert len(sent(node, "voice/emotion")) == 1
    stream.bring(np.full(320, np.nan, np.float32))
    node.tick()
    assert "finite" in node.logger.of("error")[0]
    for _ in range(503):
        stream.bring(np.zeros(320, np.float32))
    node.tick()
    assert "3 blocks of 20 ms were lost" in node.logger.of("warning")[0]
    node.close()
    assert not stream.running
    ros.node(source="device", device="USB")
    ros.node(source="device")
    assert [one.options["device"] for one in microphones] == [2, "USB", None]


def test_what_was_being_said_is_published_at_the_end(ros):
    """Where the node ends by itself; after a signal ROS takes nothing any more."""
    for calls, published in (([], 1), (["shutdown"], 0)):
        node = ros.node()
        hear(node, spoken()[: int(2.6 * 16000)])
        ros.rclpy.calls[:] = calls
        node.close()
        assert len(sent(node, "voice/emotion")) == published


def test_a_topic_that_stops_ends_the_utterance(ros):
    node = ros.node(sound_wait=0.1)
    hear(node, spoken()[: int(2.6 * 16000)])
    assert sent(node, "voice/emotion") == []
    node.tick()
    time.sleep(0.11)
    node.tick()
    assert len(sent(node, "voice/emotion")) == 1


def test_devices_that_cannot_be_opened(ros, microphones):
    with pytest.raises(RuntimeError, match=r"device: 7 cannot be opened at 16000 Hz .*Invalid"):
        ros.node(source="device", device=7)
    ros.monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(RuntimeError, match=r"pip install 'gban-edge\[listen\]'"):
        ros.node(source="device")


def test_labels_that_ros4hri_has_not_are_told(ros):
    ros.monkeypatch.setattr(
        ros.module, "load_recognizer",
        lambda settings: SimpleNamespace(labels=("ang", "calm"), backend="b", backend_reason="r"),
    )  # fmt: skip
    ros.set()
    node = ros.module.VoiceEmotionNode(lambda *_: SimpleNamespace(push=lambda pcm: []))
    assert node.logger.of("warning") == ["hri_msgs/Expression has no constant for calm"]


def test_main_runs_until_it_is_stopped(ros):
    for stopped in (KeyboardInterrupt, fake_ros.ExternalShutdownException, None):
        ros.rclpy.calls.clear()
        ros.set()

        def spin(node, stopped=stopped):
            if stopped:
                raise stopped

        ros.rclpy.spins = spin
        assert ros.module.main() == 0
        assert fake_ros.NODES[-1].destroyed
        assert ros.rclpy.calls == ["init", "shutdown"]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"model": "/nowhere/model.safetensors"}, "/nowhere/model.safetensors does not exist"),
        ({"model": ""}, "parameter model must be the path of a model file"),
        ({"vad": "loud"}, "parameter vad must be one of silero, energy, got 'loud'"),
        ({}, "audio_topic needs audio_common_msgs/AudioData"),
    ],
)
def test_what_keeps_it_from_starting_is_said(ros, parameters, message):
    ros.install(audio=False)
    ros.set(**parameters)
    assert ros.module.main() == 1
    (line,) = ros.rclpy.logger.of("fatal")
    assert message in line
    assert ros.rclpy.calls == ["init", "shutdown"]


def test_a_message_that_the_installed_package_has_not(ros):
    module = sys.modules["audio_common_msgs.msg"]
    ros.monkeypatch.delattr(module, "AudioStamped")
    with pytest.raises(RuntimeError, match="audio_topic needs audio_common_msgs/AudioStamped"):
        ros.node(audio_type="AudioStamped")


def test_the_launch_file_passes_every_parameter_with_its_type(ros):
    from gban_edge_ros.settings import PARAMETERS

    def record(*arguments, **options):
        return SimpleNamespace(arguments=arguments, **options)

    for name, names in {
        "launch": ("LaunchDescription",),
        "launch.actions": ("DeclareLaunchArgument",),
        "launch.substitutions": ("LaunchConfiguration",),
        "launch_ros": (),
        "launch_ros.actions": ("Node",),
        "launch_ros.parameter_descriptions": ("ParameterValue",),
    }.items():
        module = ModuleType(name)
        vars(module).update(dict.fromkeys(names, record))
        ros.monkeypatch.setitem(sys.modules, name, module)
    path = ROOT / "examples" / "ros2" / "launch" / "voice_emotion.launch.py"
    (actions,) = runpy.run_path(str(path))["generate_launch_description"]().arguments
    *arguments, node = actions
    assert [argument.arguments[0] for argument in arguments] == [p.name for p in PARAMETERS]
    assert not hasattr(arguments[0], "default_value")  # the model must be given
    (parameters,) = node.parameters
    for parameter in PARAMETERS:
        assert parameters[parameter.name].value_type is type(parameter.default)
        assert parameters[parameter.name].arguments[0].arguments == (parameter.name,)


def test_the_package_names_agree():
    from xml.etree import ElementTree

    root = ROOT / "examples" / "ros2"
    name = ElementTree.parse(root / "package.xml").findtext("name")
    assert name == "gban_edge_ros"
    assert (root / "resource" / name).exists()
    assert f"script_dir=$base/lib/{name}" in (root / "setup.cfg").read_text()
    for stated in (f'NAME = "{name}"', "voice_emotion = {NAME}.node:main"):
        assert stated in (root / "setup.py").read_text()
