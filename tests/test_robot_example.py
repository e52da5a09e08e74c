"""examples/cpp/robot: utterances are found in raw sound and answered as Python answers them."""

import json
import subprocess

import numpy as np
import pytest
from helpers import SMALL, assert_clean_error, speech_like
from runtime_models import make_model

from gban_edge import EmotionRecognizer

RATE = 16000
WORDS = "w2 w5 w7"
# Where speech is, seconds; silence elsewhere, up to 7 s.
SPOKEN = ((1.0, 3.0), (4.5, 6.0))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("robot") / "gban.safetensors"
    make_model(path, SMALL, temperature=1.0)
    return path


def sound(rate=RATE, spoken=SPOKEN, seconds=7.0):
    """int16: a quiet room, and a voice in it."""
    rng = np.random.default_rng(5)
    pcm = 0.0005 * rng.standard_normal(int(seconds * rate))
    for start, end in spoken:
        first, last = int(start * rate), int(end * rate)
        pcm[first:last] += speech_like(rng, last - first)
    return np.clip(np.round(32768 * pcm), -32768, 32767).astype("<i2")


def robot(examples, raw, *arguments):
    """The finished program; text, with ``raw`` bytes on standard input."""
    command = [str(part) for part in (examples / "robot", *arguments)]
    done = subprocess.run(command, input=raw, capture_output=True)
    return subprocess.CompletedProcess(
        command, done.returncode, done.stdout.decode(), done.stderr.decode()
    )


def answers(done):
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def assert_equals_python(answer, recognizer, pcm, words, rate=RATE):
    """The answer is that of the Python recogniser to the samples which it says it took."""
    start, end = round(answer["start"] * rate), round(answer["end"] * rate)
    gold = recognizer(pcm[start:end], words, sample_rate=rate)
    assert answer["label"] == gold.label
    assert answer["confidence"] == pytest.approx(gold.confidence, abs=1e-5)
    assert answer["probabilities"] == pytest.approx(gold.probabilities, abs=1e-5)
    assert answer["contributions"] == pytest.approx(gold.contributions, abs=1e-5)
    assert answer["seconds"] == pytest.approx(gold.seconds, abs=1e-4)
    assert answer["notes"] == list(gold.notes)
    return gold


@pytest.mark.parametrize("words", ["", WORDS])
def test_two_utterances_are_found_and_answered_as_python_does(examples, model, words):
    pcm = sound()
    heard = answers(robot(examples, pcm.tobytes(), model, RATE, words))
    assert len(heard) == 2
    recognizer = EmotionRecognizer.from_pretrained(model, "cpu")
    gold = [assert_equals_python(answer, recognizer, pcm, words) for answer in heard]
    assert gold[0].probabilities != pytest.approx(gold[1].probabilities, abs=1e-4)
    for answer, (start, end) in zip(heard, SPOKEN, strict=True):
        # At most the blocks kept before; speech_like begins and ends softly or in a pause.
        assert start - 0.21 <= answer["start"] <= start + 0.15
        assert end - 0.5 <= answer["end"] <= end + 0.21
        assert answer["gate_ms"] == 600
        assert answer["latency_ms"] > 0


def test_an_uncertain_answer_has_no_label(examples, model):
    heard = answers(robot(examples, sound().tobytes(), model, RATE, WORDS, 1.0))
    assert [answer["label"] for answer in heard] == [None, None]
    assert all(0.25 <= answer["confidence"] < 1 for answer in heard)


def test_another_rate_is_resampled(examples, model):
    pcm = sound(44100)
    heard = answers(robot(examples, pcm.tobytes(), model, 44100))
    assert len(heard) == 2
    recognizer = EmotionRecognizer.from_pretrained(model, "cpu")
    for answer in heard:
        assert_equals_python(answer, recognizer, pcm, "", 44100)
        assert answer["notes"][0] == "resampled from 44100 Hz"


def test_sound_that_stops_within_an_utterance_ends_it(examples, model):
    pcm = sound(seconds=2.0, spoken=((0.5, 2.0),))[: 2 * RATE - 7]
    (answer,) = answers(robot(examples, pcm.tobytes(), model))
    assert_equals_python(answer, EmotionRecognizer.from_pretrained(model, "cpu"), pcm, "")
    assert answer["gate_ms"] < 600


def test_a_long_speech_is_cut_and_says_so(examples, model):
    pcm = sound(seconds=12.0, spoken=((1.0, 11.0),))
    (answer,) = answers(robot(examples, pcm.tobytes(), model))
    assert answer["seconds"] == 7.5
    assert "sound cut at 7.5 s" in answer["notes"][0]


def test_what_is_no_speech_is_not_answered(examples, model):
    noise = np.random.default_rng(1).standard_normal(5 * RATE)
    hum = (32768 * 0.02 * noise).astype("<i2")  # loud, but the room's own
    click = sound(spoken=())
    click[RATE : RATE + 1600] = 12000  # 0.1 s
    assert answers(robot(examples, sound(spoken=()).tobytes(), model)) == []
    assert answers(robot(examples, click.tobytes(), model)) == []
    # A room that is loud from the first sample on is an utterance at most once.
    assert len(answers(robot(examples, hum.tobytes(), model))) <= 1


def test_what_is_wrong_is_said(examples, model, tmp_path):
    text = tmp_path / "text.safetensors"
    text.write_text("no model\n")
    pcm = sound().tobytes()
    cases = [
        (pcm, (tmp_path / "none.st",), "none.st does not exist"),
        (pcm, (text,), "not a readable safetensors file"),
        (pcm, (model, "fast"), "RATE must be an integer in 8000..192000, got 'fast'"),
        (pcm, (model, 7999), "RATE must be an integer in 8000..192000, got '7999'"),
        (pcm, (model, RATE, b"\xff".decode("utf-8", "surrogateescape")), "UTF-8"),
        (pcm, (model, RATE, "", "half"), "ABSTAIN_BELOW must be a number, got 'half'"),
        (pcm, (model, RATE, "", 1.5), "abstain_below must lie in 0..1, got 1.5"),
        (b"", (model,), "no sound on standard input"),
        (b"RIFF" + pcm, (model,), "standard input is a WAV file"),
    ]
    for raw, arguments, message in cases:
        done = robot(examples, raw, *arguments)
        assert_clean_error(done, message)
        assert (done.returncode, done.stdout) == (1, "")
    assert robot(examples, b"").returncode == 2


def test_half_a_sample_at_the_end_is_told_after_the_answers(examples, model):
    done = robot(examples, sound().tobytes() + b"\0", model)
    assert_clean_error(done, "an odd number of bytes")
    assert len(done.stdout.splitlines()) == 2
