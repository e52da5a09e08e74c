"""UtteranceStream: synthesised speech through PCM, voice activity, words and engine to events."""

import gc
import weakref

import numpy as np
import pytest
from helpers import SMALL
from runtime_models import DEVIATION, MEAN, make_model
from spoken import TEXTS, blocks, scene
from test_runtime import same
from test_vad import Marked, marks

from gban_edge import EmotionRecognizer, bundle, features, words
from gban_edge.labels import LABELS
from gban_edge.runtime.sound import as_float, resample
from gban_edge.stream import Level, SpeechEnded, SpeechStarted, UtteranceStream
from gban_edge.text import Vocabulary
from gban_edge.vad import EnergyGate, SileroVad, segments


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("model") / "gban.safetensors", SMALL)


@pytest.fixture(scope="module")
def rec(model):
    return EmotionRecognizer.from_pretrained(model.path, "cpu")


@pytest.fixture(scope="module")
def sphinx():
    return words.pocketsphinx()


def played(stream, pcm, size=777):
    """Every event of ``pcm`` pushed in blocks, the end included."""
    events = []
    for first in range(0, len(pcm), size):
        events += stream.push(pcm[first : first + size])
    return events + stream.finish()


def turns(events):
    return [event for event in events if not isinstance(event, Level)]


def ended(events):
    return [event for event in events if isinstance(event, SpeechEnded)]


def part(pcm, event):
    return pcm[round(event.start * 16000) : round(event.end * 16000)]


@pytest.fixture(scope="module")
def knowing(tmp_path_factory):
    """A random network that knows the words of TEXTS, and their numbers."""
    path = tmp_path_factory.mktemp("knowing") / "gban.safetensors"
    model = make_model(path, SMALL)
    known = list(dict.fromkeys(" ".join(TEXTS).split()))
    words_ = [*model.vocabulary.words[:2], *known, *model.vocabulary.words[2 + len(known) :]]
    bundle.save(
        path, {name: w.astype(np.float32) for name, w in model.weights.items()}, SMALL,
        Vocabulary(tuple(words_)), model="gban", labels=LABELS,
        standardisation=bundle.Standardisation(MEAN, DEVIATION), temperature=model.temperature,
    )  # fmt: skip
    return model, {word: i for i, word in enumerate(words_)}


@pytest.mark.parametrize("vad", ["silero", "energy"])
def test_speech_to_emotions(knowing, sphinx, vad):
    """PCM, voice activity, PocketSphinx, the engine; the answer by the equations in float64."""
    model, numbers = knowing
    rec = EmotionRecognizer.from_pretrained(model.path, "cpu")
    pcm, places = scene()
    stream = UtteranceStream(rec, vad, sphinx)
    events = turns(played(stream, pcm))
    assert [type(event) for event in events] == [SpeechStarted, SpeechEnded] * 2
    for i, (start, end) in enumerate(places):
        began, stopped = events[2 * i : 2 * i + 2]
        assert began.time == stopped.start < began.decided
        assert start - 0.35 <= stopped.start <= start
        assert end - 0.05 <= stopped.end <= end + 0.3
        sound = part(pcm, stopped)
        assert stopped.words == sphinx(sound, 16000)
        assert ("wonderful", "music")[i] in stopped.words.split()
        same(stopped.result, rec(sound, stopped.words))
        said = stopped.words.split()
        frames = features.extract_ref(sound)
        gold = model.gold(frames, [numbers.get(word, 1) for word in said]).probabilities
        answer = stopped.result.probabilities
        np.testing.assert_allclose(list(answer.values()), gold, atol=1e-4)
        assert stopped.result.label == LABELS[int(gold.argmax())]
        assert np.abs(gold - model.gold(frames, [1]).probabilities).max() > 0.01  # words count
        assert [one.word for one in stopped.result.alignment] == said
        assert stopped.hangover == pytest.approx(0.5, abs=0.05)
        assert not stopped.cut
        assert set(stopped.timings) == {"vad", "words", "features", "network"}
        assert stopped.latency >= sum(stopped.timings.values()) > stopped.timings["words"] > 0.01


@pytest.mark.parametrize("make", [SileroVad, EnergyGate])
def test_a_result_is_that_of_the_utterance_s_sound(rec, make):
    pcm, _ = scene()
    expected = segments(pcm, make())
    assert len(expected) == 2
    for seed in range(3):
        stream, results = UtteranceStream(rec, make(), lambda heard, rate: f"w{len(heard)}"), []
        for block in blocks(np.random.default_rng(seed), pcm):
            results += ended(stream.push(block))
        results += ended(stream.finish())
        assert [(one.start, one.end) for one in results] == [(s.start, s.end) for s in expected]
        for one in results:
            sound = part(pcm, one)
            assert one.words == f"w{len(sound)}"
            same(one.result, rec(sound, one.words))


def test_the_source_of_words_hears_the_utterance(rec):
    pcm, _ = scene()
    heard = []

    def listen(sound, rate):
        heard.append((sound.copy(), rate))
        return "w2 w3"

    stops = ended(played(UtteranceStream(rec, "energy", listen), pcm))
    for (sound, rate), one in zip(heard, stops, strict=True):
        assert rate == 16000
        assert sound.dtype == np.float32
        np.testing.assert_array_equal(sound, part(pcm, one))


def test_features_are_computed_while_somebody_speaks(rec):
    """Without a source of words, sound is kept until its features are computed and no longer."""
    stream = UtteranceStream(rec, Marked(hangover=0.5, post_roll=0.1))
    sound = marks("...######.........")
    for first in range(0, len(sound), 160):
        stream.push(sound[first : first + 160])
        now = (first + 160) / 16000
        if 0.45 < now < 1.0:
            assert stream.kept_seconds <= 0.011
        elif 1.0 < now < 1.35:  # the pause is held back until it is known to be one
            assert stream.kept_seconds == pytest.approx(now - 1.0, abs=0.011)
    assert not stream.speaking


@pytest.mark.parametrize("rate", [8000, 11025, 44100, 48000, 192000])
def test_other_rates(rec, rate):
    """Found where they are; answered as the same samples of the sound resampled at once."""
    from scipy.signal import resample_poly

    pcm, places = scene()
    up = resample_poly(pcm, rate // 25, 640).astype(np.float32)
    for sound in (up, np.round(np.clip(up, -1, 1) * 32767).astype(np.int16)):
        stream, events = UtteranceStream(rec, "silero", sample_rate=rate), []
        for block in blocks(np.random.default_rng(rate), sound):
            events += stream.push(block)
        at_16 = resample(as_float(sound), rate)
        for one, (start, end) in zip(ended(events + stream.finish()), places, strict=True):
            assert start - 0.4 <= one.start <= start + 0.05
            assert end - 0.1 <= one.end <= end + 0.3
            assert one.result.notes == (f"resampled from {rate} Hz", "no words")
            gold = rec(part(at_16, one), "")
            assert one.result.probabilities == gold.probabilities
            np.testing.assert_array_equal(one.result.speech_weights, gold.speech_weights)
        assert stream.seconds == pytest.approx(len(sound) / rate, abs=1e-4)


def test_loud_sound_of_another_rate_is_taken_though_its_resampling_overshoots(rec):
    pcm = np.where(np.arange(4800) % 40 < 20, 7.9, -7.9).astype(np.float32)  # a square wave
    assert np.abs(resample(pcm, 48000)).max() > 8
    stream = UtteranceStream(rec, EnergyGate(), sample_rate=48000)
    events = [event for _ in range(20) for event in stream.push(pcm)] + stream.finish()
    (one,) = ended(events)
    assert one.end - one.start == pytest.approx(2.0, abs=0.1)
    (spoken,) = rec.recognize_long(np.tile(pcm, 20), sample_rate=48000, vad="energy")
    assert (spoken.start, spoken.end) == pytest.approx((one.start, one.end), abs=0.05)


def test_text_that_is_set_goes_before_the_source(rec):
    asked = []
    stream = UtteranceStream(rec, Marked(), lambda pcm, rate: asked.append(1) or "w9")
    events = stream.push(marks("...###"))
    stream.set_words("w2")
    stream.set_words("w2 w3")
    events += stream.push(marks("........"))
    stream.set_words("")  # before the next begins; none were said
    events += stream.push(marks("###.........###........"))
    assert [one.words for one in ended(events)] == ["w2 w3", "", "w9"]
    assert asked == [1]
    assert [a.word for a in ended(events)[0].result.alignment] == ["w2", "w3"]
    with pytest.raises(ValueError, match="lone surrogate"):
        stream.set_words("\udc80")


def test_levels(rec):
    pcm = np.concatenate([np.full(1600, 0.25), np.full(1600, -0.5), marks("...###..")])
    for size in (1, 160, 333, 1600, 9999):
        stream = UtteranceStream(rec, Marked(hangover=0.15, minimum_speech=0.01))
        levels = [e for e in played(stream, pcm, size) if isinstance(e, Level)]
        assert [e.time for e in levels] == pytest.approx(0.1 * np.arange(1, 11))
        assert [e.rms for e in levels] == pytest.approx([0.25, 0.5, 0, 0, 0, 1, 1, 1, 0, 0])
        assert [e.speaking for e in levels] == [False] * 5 + [True] * 4 + [False]


def arrays_of(thing, seen):
    """Every NumPy array that ``thing`` leads to through its attributes and containers."""
    if id(thing) in seen or isinstance(thing, (type, EmotionRecognizer)):
        return []
    seen.add(id(thing))
    if isinstance(thing, np.ndarray):
        return [thing]
    inside = list(vars(thing).values()) if hasattr(thing, "__dict__") else []
    inside += list(thing) if isinstance(thing, (list, tuple)) else []
    return [array for one in inside for array in arrays_of(one, seen)]


@pytest.mark.parametrize("failing", [False, True])
def test_no_sound_is_kept_after_the_result(rec, failing):
    kept = []

    def listen(sound, rate):
        kept.append(weakref.ref(sound))
        if failing:
            raise RuntimeError("no words today")
        return ""

    stream = UtteranceStream(rec, Marked(hangover=0.3, post_roll=0.1), listen)
    sound = marks("....##########..")
    stream.push(sound)
    during = arrays_of(stream, set())
    assert sum(map(len, during)) > 16000  # the test sees what is kept
    assert sum(array.sum() for array in during) == sound.sum()
    (told,) = ended(stream.push(marks("..")))
    assert told.words_error == ("RuntimeError: no words today" if failing else None)
    gc.collect()
    assert kept[0]() is None
    after = arrays_of(stream, set())
    assert sum(float(np.abs(array).sum()) for array in after) == 0
    assert stream.kept_seconds <= 0.4 + 0.35
    # Nor is it, bit for bit, in what the views of the arrays hold on to.
    assert all(array.base is None or len(array.base) <= len(array) + 12000 for array in after)


def test_what_is_kept_is_bounded(rec):
    stream = UtteranceStream(rec, "energy")
    rng = np.random.default_rng(0)
    for _ in range(60):
        stream.push((0.001 * rng.standard_normal(16000)).astype(np.float32))
        assert stream.kept_seconds <= stream.vad.lookback
    stream = UtteranceStream(rec, Marked(), lambda pcm, rate: "")
    for _ in range(60):
        stream.push(marks("##########"))
        assert stream.kept_seconds <= 7.5 + 0.5


def test_the_end_by_hand(rec):
    stream = UtteranceStream(rec, Marked(hangover=2.0), lambda pcm, rate: "w2")
    assert turns(stream.finish()) == []
    began = turns(stream.push(marks("....####.")))
    (stopped,) = turns(stream.finish())
    assert (began[0].time, stopped.start) == (pytest.approx(0.2), pytest.approx(0.2))
    assert stopped.end == pytest.approx(0.9)
    assert stopped.hangover == pytest.approx(0, abs=1e-6)
    (_, again) = turns(stream.push(marks("...####")) + stream.finish())
    assert again.start == pytest.approx(1.0)
    assert again.end == pytest.approx(1.6)
    assert stream.seconds == pytest.approx(1.6)
    stream.push(marks("..###"))
    assert stream.speaking
    stream.reset()
    assert (stream.speaking, stream.seconds, stream.kept_seconds) == (False, 0, 0)


def test_a_long_utterance_is_cut_into_results(rec):
    pcm = marks(".." + "#" * 100 + "........")
    first, second = ended(played(UtteranceStream(rec, Marked()), pcm))
    assert (first.start, first.end, first.cut) == (0.0, 7.5, True)
    assert (second.start, second.cut) == (7.5, False)
    same(first.result, rec(part(pcm, first), ""))
    same(second.result, rec(part(pcm, second), ""))
