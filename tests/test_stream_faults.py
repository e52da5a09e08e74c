"""UtteranceStream where something fails, stops, lasts, or is done at an odd time."""

import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from helpers import SMALL
from runtime_models import make_model
from spoken import blocks, scene
from test_runtime import same
from test_stream import ended, part, played, turns
from test_vad import Marked, marks

from gban_edge import EmotionRecognizer
from gban_edge.runtime.backend import ModelFile
from gban_edge.runtime.cpu import CpuBackend
from gban_edge.stream import Level, SpeechEnded, SpeechStarted, UtteranceStream
from gban_edge.vad import EnergyGate


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("model") / "gban.safetensors", SMALL)


@pytest.fixture(scope="module")
def rec(model):
    return EmotionRecognizer.from_pretrained(model.path, "cpu")


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (RuntimeError("deaf\nas a post"), "RuntimeError: deaf as a post"),
        (KeyError(), "KeyError"),
        (7, "ValueError: the source of words must return text, got int"),
        (None, "ValueError: the source of words must return text, got NoneType"),
        (b"w2", "ValueError: the source of words must return text, got bytes"),
        (["w2"], "ValueError: the source of words must return text, got list"),
        ("\udc80", "ValueError: text must be valid Unicode, got the lone surrogate U+DC80 at "),
    ],
)
def test_a_source_that_fails_loses_nothing(rec, caplog, said, why):
    """Two utterances and half a third in one block; the source fails at the first."""
    texts = iter([said, "w3", "w4"])

    def listen(pcm, rate):
        text = next(texts)
        if isinstance(text, Exception):
            raise text
        return text

    stream = UtteranceStream(rec, Marked(), listen)
    pcm = marks("..###............####..........##")
    events = stream.push(pcm)
    assert stream.seconds == pytest.approx(len(pcm) / 16000)
    assert stream.speaking
    events += stream.finish()
    assert [type(event) for event in turns(events)] == [SpeechStarted, SpeechEnded] * 3
    first, *others = ended(events)
    assert (first.words, [one.words for one in others]) == ("", ["w3", "w4"])
    assert first.words_error.startswith(why)
    (note,) = first.result.notes
    assert note.startswith(f"without words: {why}")
    assert why in caplog.text
    assert first.result.probabilities == rec(part(pcm, first), "").probabilities
    for one in others:
        assert one.words_error is None
        same(one.result, rec(part(pcm, one), one.words))


class Burning(CpuBackend):
    """Fails the first two times."""

    calls = 0

    def run(self, features, ids):
        self.calls += 1
        if self.calls <= 2:
            raise RuntimeError(f"burnt {self.calls}")
        return super().run(features, ids)


def test_a_network_that_fails_loses_its_utterance_alone(model, rec):
    burning = EmotionRecognizer(Burning(ModelFile.read(model.path)), "given")
    stream = UtteranceStream(burning, Marked())
    pcm = marks("..###........###........####..........##")
    with pytest.raises(RuntimeError, match="burnt 1"):
        stream.push(pcm)
    with pytest.raises(RuntimeError, match="burnt 2"):
        stream.push(pcm[:0])
    events = stream.push(pcm[:0])
    kinds = [type(event) for event in turns(events)]
    assert kinds == [SpeechStarted, SpeechStarted, SpeechStarted, SpeechEnded, SpeechStarted]
    (third,) = ended(events)
    assert third.start == pytest.approx(2.2)
    same(third.result, rec(part(pcm, third), ""))
    assert len(ended(stream.finish())) == 1


def test_bad_sound_is_refused_and_nothing_of_it_taken(rec):
    pcm, _ = scene()
    expected = ended(played(UtteranceStream(rec, "energy"), pcm))
    stream = UtteranceStream(rec, "energy")
    events = stream.push(pcm[:40001])
    spoilt = pcm[40001:41000].copy()
    spoilt[9] = np.inf
    with pytest.raises(ValueError, match="finite, got inf at sample 40010"):
        stream.push(spoilt)
    for bad in (b"abc", np.zeros((2, 9)), np.zeros(9, np.int32)):
        with pytest.raises(ValueError, match="must be"):
            stream.push(bad)
    events += stream.push(pcm[40001:]) + stream.finish()
    for one, other in zip(ended(events), expected, strict=True):
        same(one.result, other.result)


def test_streams_in_threads_share_a_recogniser(rec):
    pcm, _ = scene()
    expected = ended(played(UtteranceStream(rec, "silero"), pcm))
    assert len(expected) == 2

    def play(number):
        stream, rng = UtteranceStream(rec, "silero"), np.random.default_rng(number)
        stops = [one for block in blocks(rng, pcm) for one in ended(stream.push(block))]
        return stops + ended(stream.finish())

    with ThreadPoolExecutor(4) as pool:
        for stops in pool.map(play, range(4)):
            for found, wanted in zip(stops, expected, strict=True):
                assert (found.start, found.end) == (wanted.start, wanted.end)
                same(found.result, wanted.result)


TURN = "..###.......####.......#."  # speech, a pause that ends it, speech again, a click


def facts(events):
    """What tells events apart, without the times that they took."""
    return [
        (e.start, e.end, e.hangover, e.cut, e.result.probabilities)
        if isinstance(e, SpeechEnded) else e for e in events
    ]  # fmt: skip


def begins(events):
    return [event.time for event in events if isinstance(event, SpeechStarted)]


@pytest.mark.parametrize("rate", [16000, 48000])
def test_reset_and_finish_at_any_time(rec, rate):
    pcm = marks(TURN).repeat(rate // 16000)
    fresh = facts(played(UtteranceStream(rec, Marked(), sample_rate=rate), pcm))
    stream = UtteranceStream(rec, Marked(), lambda pcm, rate: "", rate)
    for end in range(0, len(pcm), rate // 10):
        stream.push(pcm[:end])
        stream.set_words("w9")
        stream.reset()
        assert facts(played(stream, pcm)) == fresh
        stream.reset()
        events = stream.push(pcm[:end]) + stream.finish() + stream.finish()
        kinds = [type(event) for event in turns(events)]
        assert kinds == [SpeechStarted, SpeechEnded] * (len(kinds) // 2)
        assert not stream.speaking
        assert stream.kept_seconds == 0
        again = begins(played(stream, pcm))  # later by what was heard before
        later = begins(fresh)
        assert [time - end / rate for time in again] == pytest.approx(later, abs=1e-3)
        stream.reset()


def test_blocks_of_every_kind(rec):
    """Empty, a sample, an hour at once; the events are the same."""
    pcm = marks(TURN)
    expected = facts(played(UtteranceStream(rec, Marked()), pcm))
    for size in (1, 512, len(pcm)):
        stream = UtteranceStream(rec, Marked())
        assert stream.push([]) == stream.push(np.zeros(0, np.int16)) == []
        assert facts(played(stream, pcm.astype(np.float64), size)) == expected


def test_twenty_minutes_of_silence_keep_nothing(rec):
    stream, minute = UtteranceStream(rec, Marked()), np.zeros(16000 * 60, np.float32)

    def hear(minutes):
        for _ in range(minutes):
            assert all(isinstance(event, Level) for event in stream.push(minute))
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        first, last = hear(1), hear(19)
    finally:
        tracemalloc.stop()
    assert stream.seconds == 1200
    assert stream.kept_seconds <= stream.vad.lookback
    assert last - first < 20000  # a second of sound is 64,000 bytes
    (one,) = ended(played(stream, marks("..####........")))
    assert one.start == pytest.approx(1200.0)


def test_arguments_that_are_none(rec):
    for vad in (None, 7, EnergyGate):
        with pytest.raises(ValueError, match="vad must be one of auto, silero, energy or a Vad, "):
            UtteranceStream(rec, vad)
    with pytest.raises(ValueError, match=r"must be an EmotionRecognizer, got str; .*from_pre"):
        UtteranceStream("model.safetensors")
    with pytest.raises(ValueError, match="timing must be a Timing or None, got dict"):
        EnergyGate(timing={"hangover": 1.0})
    with pytest.raises(ValueError, match="words must be a callable or None, got str"):
        UtteranceStream(rec, words="hello")
    with pytest.raises(ValueError, match=r"sample_rate must lie in 8000\.\.192000, got 4000"):
        UtteranceStream(rec, sample_rate=4000)
    with pytest.raises(ValueError, match="vad must be one of auto, silero, energy"):
        UtteranceStream(rec, vad="webrtc")
    assert UtteranceStream(rec, Marked()).vad_reason == "given"
