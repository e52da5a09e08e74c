"""recognize_long on synthesised speech, and sound files that are open."""

import io
import json
import tracemalloc
import wave

import numpy as np
import pytest
import soundfile
from helpers import SMALL
from runtime_models import make_model
from spoken import TEXTS, scene
from test_runtime import same

from gban_edge import EmotionRecognizer, words
from gban_edge.vad import EnergyGate

SAID = ["w2 w3", "w4"]


@pytest.fixture(scope="module")
def rec(tmp_path_factory):
    model = make_model(tmp_path_factory.mktemp("model") / "gban.safetensors", SMALL)
    return EmotionRecognizer.from_pretrained(model.path, "cpu")


@pytest.fixture(scope="module")
def scene16():
    """The scene as 16-bit integers, and its places."""
    pcm, places = scene()
    return np.round(pcm * 32767).astype(np.int16), places


def wav(pcm, rate=16000):
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(pcm.tobytes())
    file.seek(0)
    return file


@pytest.mark.parametrize("vad", ["silero", "energy", "auto", EnergyGate()])
def test_utterances_of_a_long_sound(rec, scene16, vad):
    pcm, places = scene16
    found = rec.recognize_long(pcm, SAID, vad=vad)
    for one, text, (start, end) in zip(found, SAID, places, strict=True):
        assert start - 0.35 <= one.start <= start
        assert end - 0.05 <= one.end <= end + 0.3
        assert one.words == text
        same(one.result, rec(pcm[round(one.start * 16000) : round(one.end * 16000)], text))
    back = json.loads(json.dumps([one.to_dict() for one in found]))
    assert [one["start"] for one in back] == [one.start for one in found]
    assert back[0]["result"] == found[0].result.to_dict()


def test_beyond_the_limit_of_one_utterance(rec):
    pcm, places = scene(TEXTS * 3)
    assert len(pcm) / 16000 > 20
    found = rec.recognize_long(pcm)
    assert [one.words for one in found] == [""] * 6
    for one, (start, end) in zip(found, places, strict=True):
        assert one.start <= start < end - 0.05 < one.end
        assert one.result.notes == ("no words",)


def test_ten_minutes(rec, tmp_path):
    """Every utterance where it was put; a file of them is held in memory as single floats."""
    pcm, places = scene()
    times = -(-600 * 16000 // len(pcm))
    path = tmp_path / "x.wav"
    whole = np.tile(np.round(pcm * 32767).astype(np.int16), times)
    path.write_bytes(wav(whole).getvalue())
    tracemalloc.start()
    try:
        found = rec.recognize_long(path, vad="energy")
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 3.5 * 4 * len(whole)
    assert len(found) == len(places) * times
    for i, one in enumerate(found):
        turn, which = divmod(i, len(places))
        start, end = (place + turn * len(pcm) / 16000 for place in places[which])
        assert start - 0.35 <= one.start <= start
        assert end - 0.05 <= one.end <= end + 0.3


def test_silero_hears_speech_in_music(rec):
    pcm, places = scene()
    time = np.arange(len(pcm)) / 16000
    chord = sum(
        np.sin(2 * np.pi * f * time) * (1 + 0.5 * np.sin(4 * time)) for f in (220, 330, 440)
    )
    found = rec.recognize_long(pcm + 0.008 * chord * (1 + 0.5 * np.sin(4 * time)), vad="silero")
    for one, (start, end) in zip(found, places, strict=True):
        assert start - 0.35 <= one.start <= start
        assert end - 0.05 <= one.end <= end + 0.4


def test_words_by_a_source(rec, scene16):
    found = rec.recognize_long(scene16[0], words.pocketsphinx())
    assert "wonderful" in found[0].words
    assert "music" in found[1].words
    heard = [a.word for a in found[1].result.alignment]
    assert heard == found[1].words.split()


def test_files_rates_and_open_files_are_the_same(rec, scene16, tmp_path):
    pcm, _ = scene16
    path = tmp_path / "x.wav"
    path.write_bytes(wav(pcm).getvalue())
    expected = rec.recognize_long(pcm, SAID, vad="energy")
    for sound in (path, str(path), wav(pcm)):
        for one, wanted in zip(
            rec.recognize_long(sound, SAID, vad="energy"), expected, strict=True
        ):
            assert (one.start, one.end) == (wanted.start, wanted.end)
            same(one.result, wanted.result)
    for sound, rate in ((wav(pcm[::2], 8000), None), (pcm[::2], 8000)):
        slow = rec.recognize_long(sound, SAID, rate, vad="energy")
        assert [one.start for one in slow] == pytest.approx([e.start for e in expected], abs=0.1)
        assert all(one.result.notes == ("resampled from 8000 Hz",) for one in slow)
        assert all(one.result.notes == () for one in expected)


def test_nobody_speaks(rec):
    assert rec.recognize_long(np.zeros(160000)) == rec.recognize_long(np.zeros(0)) == []


@pytest.mark.parametrize(
    ("said", "words_"),
    [
        (["w2"], "words must have one text an utterance, 2 were found, got 1"),
        ("w2 w3", "words must be None, a callable .* got str"),
        (7, "words must be None, a callable .* got int"),
        (["w2", None], "words must be texts, got NoneType for utterance 1"),
        (lambda pcm, rate: None, "words must be texts, got NoneType for utterance 0"),
    ],
)
def test_words_that_are_none(rec, scene16, said, words_):
    with pytest.raises(ValueError, match=words_):
        rec.recognize_long(scene16[0], said, vad="energy")


def test_sound_that_is_none(rec):
    spoilt = np.zeros(200000, np.float32)
    spoilt[180000] = np.nan  # beyond 7.5 s: of a long sound all is looked at
    with pytest.raises(ValueError, match="finite, got nan at sample 180000"):
        rec.recognize_long(spoilt)
    with pytest.raises(FileNotFoundError, match=r"no\.wav does not exist"):
        rec.recognize_long("no.wav")
    with pytest.raises(ValueError, match="vad must be one of"):
        rec.recognize_long(np.zeros(9), vad="loud")


class Pipe(io.RawIOBase):
    """Bytes that cannot be gone back in."""

    def __init__(self, data):
        self._data = io.BytesIO(data)

    def readable(self):
        return True

    def seekable(self):
        return False

    def readinto(self, target):
        return self._data.readinto(target)


def test_an_open_file_is_its_path(rec, scene16, tmp_path):
    pcm = scene16[0][:60000]
    expected = rec(pcm, "w2")
    same(rec(wav(pcm), "w2"), expected)
    path = tmp_path / "x.wav"
    path.write_bytes(wav(pcm).getvalue())
    with path.open("rb") as file:
        same(rec(file, "w2"), expected)
        assert not file.closed
    same(rec(io.BufferedReader(Pipe(wav(pcm).getvalue())), "w2"), expected)
    behind = io.BytesIO(b"head" + wav(pcm).getvalue())
    behind.seek(4)
    same(rec(behind, "w2"), expected)
    flac = io.BytesIO()
    soundfile.write(flac, pcm, 16000, format="FLAC")
    flac.seek(0)
    same(rec(flac, "w2"), expected)
    same(rec.recognize_batch([(wav(pcm), "w2")])[0], expected)


def test_open_files_that_are_none(rec, scene16, tmp_path):
    whole = wav(scene16[0][:5000]).getvalue()
    for data, said in (
        (whole[:2000], "BytesIO.*cut short, 8044 bytes of it are missing"),
        (b"no sound", "BytesIO.*not a readable sound file"),
        (b"", "BytesIO.*not a readable sound file"),
    ):
        with pytest.raises(ValueError, match=said):
            rec(io.BytesIO(data))
    with pytest.raises(ValueError, match="gives text; open it with mode 'rb'"):
        rec(io.StringIO("RIFF"))
    closed = io.BytesIO(whole)
    closed.close()
    with pytest.raises(ValueError, match="closed; give it while it is open"):
        rec(closed)
    path = tmp_path / "cut.wav"
    path.write_bytes(whole[:2000])
    with path.open("rb") as file, pytest.raises(ValueError, match=r"cut\.wav: cut short"):
        rec(file)
    with pytest.raises(ValueError, match="sample_rate must be 16000, that of sound file object"):
        rec(io.BytesIO(whole), sample_rate=8000)
