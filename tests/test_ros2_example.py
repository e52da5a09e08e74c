"""examples/ros2 without ROS: sound and words in, utterances out (the node: test_ros2_node.py)."""

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import ROOT, SMALL, speech_like
from runtime_models import make_model

from gban_edge import EmotionRecognizer

sys.path.insert(0, str(ROOT / "examples" / "ros2"))

from gban_edge_ros import sound
from gban_edge_ros.settings import PARAMETERS, Settings
from gban_edge_ros.voice_emotion import VoiceEmotion, load_recognizer

WORDS = "w2 w5 w7"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("ros") / "gban.safetensors"
    make_model(path, SMALL, temperature=1.0)
    return str(path)


@pytest.fixture(scope="module")
def recognizer(model):
    return EmotionRecognizer.from_pretrained(model, "cpu")


def settings(model="m", **values):
    return Settings.from_parameters({"model": model, "vad": "energy", **values})


def voice_of(recognizer, clock=lambda: 0.0, **values):
    return VoiceEmotion(settings(**values), recognizer, clock=clock)


def spoken(rate=16000, seconds=2.0, seed=5):
    """float32: 1 s of a quiet room, a voice, 1.5 s of the room."""
    rng = np.random.default_rng(seed)
    pcm = 0.0005 * rng.standard_normal(int((seconds + 2.5) * rate))
    voice = speech_like(rng, int(seconds * rate))
    pcm[rate : rate + len(voice)] += voice
    return pcm.astype(np.float32)


def push(voice, pcm, size=320):
    """All utterances that ``pcm`` gives, in blocks."""
    return [u for at in range(0, len(pcm), size) for u in voice.push(pcm[at : at + size])]


def assert_answers(utterance, recognizer, pcm, words, rate=16000):
    """It is the recogniser's answer to the sound that it says it is about."""
    start, end = round(utterance.start * rate), round(utterance.end * rate)
    gold = recognizer(pcm[start:end], words, sample_rate=rate)
    assert utterance.result.probabilities == gold.probabilities
    assert utterance.result.contributions == gold.contributions
    assert utterance.words == words
    assert utterance.latency >= 0


def test_sound_alone_is_answered_at_once(recognizer):
    pcm = np.concatenate([spoken(), spoken(seed=6)])
    first, second = push(voice_of(recognizer), pcm)
    assert_answers(first, recognizer, pcm, "")
    assert_answers(second, recognizer, pcm, "")
    assert first.result.probabilities != second.result.probabilities
    assert 0.5 <= first.start <= 1.2
    assert 2.5 <= first.end <= 3.5


def test_another_rate_goes_through_the_stream(recognizer):
    pcm = spoken(48000)
    (utterance,) = push(voice_of(recognizer, sample_rate=48000), pcm, 960)
    gold = recognizer(pcm[round(utterance.start * 48000) : round(utterance.end * 48000)], "", 48000)
    assert utterance.result.probabilities == pytest.approx(gold.probabilities, abs=0.02)


def test_words_that_come_while_the_person_speaks(recognizer):
    pcm = spoken()
    voice = voice_of(recognizer, words_topic="words")
    push(voice, pcm[:32000])
    assert voice.hear_words(" w2 w5 ") == []
    assert voice.hear_words("w7") == []
    (utterance,) = push(voice, pcm[32000:])
    assert_answers(utterance, recognizer, pcm, WORDS)
    assert voice.dropped_words == 0


def test_words_that_come_after_the_end_are_waited_for(recognizer):
    now = [0.0]
    pcm = spoken()
    voice = voice_of(recognizer, clock=lambda: now[0], words_topic="words", words_wait=1.5)
    assert push(voice, pcm) == []
    now[0] = 1.25
    assert voice.hear_words("  ") == []  # nothing understood
    assert voice.poll() == []
    (utterance,) = voice.hear_words(WORDS)
    assert_answers(utterance, recognizer, pcm, WORDS)
    assert 1.25 <= utterance.latency < 1.5
    now[0] = 9.0
    assert voice.poll() == []  # it is published once


def test_words_that_come_too_late_are_dropped_and_counted(recognizer):
    now = [0.0]
    pcm = spoken()
    voice = voice_of(recognizer, clock=lambda: now[0], words_topic="words", words_wait=1.5)
    assert push(voice, pcm) == []
    now[0] = 1.5
    (utterance,) = voice.push(np.zeros(320, np.float32))
    assert_answers(utterance, recognizer, pcm, "")
    assert utterance.latency >= 1.5
    assert voice.hear_words(WORDS) == []
    assert voice.dropped_words == 1


def test_an_utterance_held_back_goes_before_the_next(recognizer):
    pcm = np.concatenate([spoken(), spoken(seed=6)])
    voice = voice_of(recognizer, words_topic="words")  # its clock stands still
    (first,) = push(voice, pcm)
    assert_answers(first, recognizer, pcm, "")
    (second,) = voice.hear_words(WORDS)
    assert_answers(second, recognizer, pcm, WORDS)
    assert first.end < second.start


def test_words_that_are_no_text_leave_the_utterance_held_back(recognizer):
    now = [0.0]
    voice = voice_of(recognizer, clock=lambda: now[0], words_topic="words")
    push(voice, spoken())
    with pytest.raises(ValueError, match="text must be valid Unicode"):
        voice.hear_words("\ud800")
    assert len(voice.hear_words(WORDS)) == 1


def test_waiting_for_no_time_is_not_waiting(recognizer):
    voice = voice_of(recognizer, words_topic="words", words_wait=0)
    assert len(push(voice, spoken())) == 1


def test_sound_that_stops_coming_loses_no_utterance(recognizer):
    now = [0.0]
    pcm = spoken()[: int(2.6 * 16000)]  # in the middle of the voice
    voice = voice_of(recognizer, clock=lambda: now[0], sound_wait=0.5)
    assert push(voice, pcm) == []
    now[0] = 0.4
    assert voice.poll() == []
    now[0] = 0.5
    (utterance,) = voice.poll()
    assert_answers(utterance, recognizer, pcm, "")
    assert utterance.end == pytest.approx(2.6, abs=0.05)
    assert voice.poll() == []
    (after,) = push(voice, spoken(seed=6))  # it comes again
    assert after.start > utterance.end


def test_sound_that_stops_is_waited_for_its_words_too(recognizer):
    now = [0.0]
    pcm = spoken()[: int(2.6 * 16000)]
    voice = voice_of(recognizer, clock=lambda: now[0], words_topic="words", words_wait=1.5)
    push(voice, pcm)
    now[0] = 1.0
    assert voice.poll() == []
    now[0] = 2.0
    (utterance,) = voice.hear_words(WORDS)
    assert_answers(utterance, recognizer, pcm, WORDS)
    push(voice, pcm)
    (utterance,) = voice.finish()  # waits no more
    assert utterance.words == ""
    assert voice.finish() == []


def test_bad_sound_is_refused_and_the_next_is_taken(recognizer):
    voice = voice_of(recognizer)
    with pytest.raises(ValueError, match="pcm must be finite"):
        voice.push(np.array([0, np.nan], np.float32))
    assert len(push(voice, spoken())) == 1


def test_json_and_names_of_an_answer(recognizer, model):
    (utterance,) = push(voice_of(recognizer), spoken())
    values = json.loads(utterance.to_json())
    names = {"ang": "angry", "hap": "happy", "neu": "neutral", "sad": "sad"}
    assert values["label"] == utterance.result.label
    assert values["expression"] == utterance.expression == names[values["label"]]
    assert utterance.label == utterance.expression
    assert list(values["probabilities"]) == ["ang", "hap", "neu", "sad"]
    assert sum(values["probabilities"].values()) == pytest.approx(1)
    assert set(values["contributions"]) == {"a_s", "a_t", "h_s", "h_t"}
    assert (values["words"], values["start"]) == ("", utterance.start)
    assert not {"speech_weights", "text_weights", "alpha", "speech_times"} & set(values)

    unsure = load_recognizer(settings(model, backend="cpu", abstain_below=1.0))
    (utterance,) = push(voice_of(unsure), spoken())
    assert (utterance.label, utterance.expression) == ("none", None)
    assert json.loads(utterance.to_json())["expression"] is None


def test_a_stream_of_ones_own_and_foreign_labels(recognizer):
    made = []

    def make(*arguments):
        made.append(arguments)
        return SimpleNamespace(push=lambda pcm: [], speaking=False)

    chosen = settings()
    voice = VoiceEmotion(chosen, recognizer, make)
    assert made == [(recognizer, chosen, None)]  # no words, so no sound is kept for them
    assert voice.push(np.zeros(1, np.float32)) == []
    assert voice.unmapped_labels == ()
    labels = ("ang", "calm", "fea", "surprised", "exc")
    voice = VoiceEmotion(chosen, SimpleNamespace(labels=labels), make)
    assert voice.unmapped_labels == ("calm",)


def test_parameters_have_defaults_and_meanings():
    chosen = settings()
    for parameter in PARAMETERS:
        if parameter.name not in ("model", "vad"):
            assert getattr(chosen, parameter.name) == parameter.default
        assert parameter.meaning
    assert settings(abstain_below=1).abstain_below == 1.0  # a launch file's 1 is a number too
    assert settings(device=2).device == "2"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"model": ""}, "model must be the path of a model file, got ''"),
        ({"volume": 3}, "volume must be one of abstain_below, "),
        ({"abstain_below": 1.5}, "abstain_below must lie in 0..1, got 1.5"),
        ({"abstain_below": float("nan")}, "abstain_below must lie in 0..1, got nan"),
        ({"abstain_below": "half"}, "abstain_below must be a number, got 'half'"),
        ({"sample_rate": 16000.0}, "sample_rate must be an integer, got 16000.0"),
        ({"sample_rate": True}, "sample_rate must be an integer, got True"),
        ({"sample_rate": 4000}, "sample_rate must lie in 8000..192000, got 4000"),
        ({"device": True}, "device must be text, got True"),
        ({"source": "radio"}, "source must be one of topic, device, got 'radio'"),
        ({"audio_type": "Audio"}, "audio_type must be one of AudioData, "),
        ({"vad": "loud"}, "vad must be one of silero, energy, got 'loud'"),
        ({"words_wait": 31}, "words_wait must lie in 0..30, got 31"),
        ({"audio_topic": ""}, "audio_topic must be a topic where source is topic"),
        (
            {"emotion_topic": "", "label_topic": "", "expression_topic": ""},
            "emotion_topic, label_topic, expression_topic must be a topic",
        ),
    ],
)
def test_what_is_wrong_with_a_parameter_is_said(values, message):
    with pytest.raises(ValueError, match=message):
        settings(**values)


def stamped(rate=16000, channels=1, **data):
    kinds = ("float32", "int32", "int24", "int16", "int8", "uint8")
    fields = {f"{kind}_data": data.get(kind, []) for kind in kinds}
    info = SimpleNamespace(rate=rate, channels=channels)
    return SimpleNamespace(audio=SimpleNamespace(info=info, audio_data=SimpleNamespace(**fields)))


def test_sound_of_every_type_of_message():
    raw = np.array([-32768, 0, 16384, 8192], "<i2").tobytes()
    plain = SimpleNamespace(data=list(raw))
    mono, stereo = settings(), settings(channels=2)
    np.testing.assert_array_equal(sound.pcm_of(plain, mono), [-1, 0, 0.5, 0.25])
    np.testing.assert_array_equal(sound.pcm_of(plain, stereo), [-0.5, 0.375])
    inside = SimpleNamespace(audio=plain)
    got = sound.pcm_of(inside, settings(audio_type="AudioDataStamped"))
    np.testing.assert_array_equal(got, [-1, 0, 0.5, 0.25])
    assert got.dtype == np.float32
    other = settings(audio_type="AudioStamped", channels=2, sample_rate=48000)
    got = sound.pcm_of(stamped(48000, 2, int16=[-32768, 0, 16384, 8192]), other)
    np.testing.assert_array_equal(got, [-0.5, 0.375])
    got = sound.pcm_of(stamped(48000, 2, float32=[0.5, 0.25]), other)
    np.testing.assert_array_equal(got, [0.375])
    assert len(sound.pcm_of(stamped(48000, 2), other)) == 0


def test_messages_that_are_not_what_the_parameters_say():
    other = settings(audio_type="AudioStamped", channels=2)
    cases = [
        (SimpleNamespace(data=[1, 2, 3]), settings(), "16-bit samples of 1 channels, got 3 bytes"),
        (stamped(44100, 2, int16=[1, 2]), other, "comes at 44100 Hz with 2 channels, .* 16000 Hz"),
        (stamped(16000, 1, int16=[1, 2]), other, "at 16000 Hz with 1 channels, .* with 2"),
        (stamped(16000, 2, uint8=[1, 2]), other, "must be int16 or float32"),
        (stamped(16000, 2, int16=[1]), other, "whole samples of 2 channels, got 1 numbers"),
    ]
    for message, chosen, text in cases:
        with pytest.raises(ValueError, match=text):
            sound.pcm_of(message, chosen)
