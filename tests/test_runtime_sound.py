"""What EmotionRecognizer takes as sound and as words, and what it refuses."""

import doctest
import tracemalloc

import numpy as np
import pytest
from helpers import SMALL, speech_like
from runtime_models import make_model
from test_imports import run_without
from test_runtime import same

from gban_edge import EmotionRecognizer, features, runtime
from gban_edge.core import native

PCM = speech_like(np.random.default_rng(0), 30000).astype(np.float32)
INT16 = np.round(PCM * 32767).astype(np.int16)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("model") / "gban.safetensors", SMALL)


@pytest.fixture(scope="module")
def rec(model):
    return EmotionRecognizer.from_pretrained(model.path, "cpu")


def pieces(rng, sound):
    """``sound`` cut at random places, empty pieces included."""
    cuts = np.sort(rng.integers(0, len(sound) + 1, 9))
    return np.split(sound, cuts)


@pytest.mark.parametrize("sound", [PCM, PCM.astype(np.float64), INT16, PCM[:0], PCM[:400]])
@pytest.mark.parametrize("rate", [16000, 8000, 44100])
def test_a_stream_is_its_sound_at_once(rec, sound, rate):
    stream = rec.stream(rate)
    for seed in range(3):
        for piece in pieces(np.random.default_rng(seed), sound):
            assert stream.push(piece) is stream
        assert stream.seconds == len(sound) / rate
        same(stream.finish("w2 w3 w4"), rec(sound, "w2 w3 w4", rate))
    assert stream.seconds == 0


def test_a_long_stream_is_cut_like_a_long_sound(rec):
    sound = np.tile(PCM, 6)
    stream = rec.stream()
    for piece in pieces(np.random.default_rng(0), sound):
        stream.push(piece)
    assert stream.seconds == 7.5
    same(stream.finish("w2"), rec(sound, "w2"))
    # Nothing is left of it, nor of what was discarded.
    stream.push(PCM).discard()
    same(stream.push(PCM[:5000]).finish(), rec(PCM[:5000]))


def test_a_stream_refuses_a_piece_and_keeps_the_others(rec):
    stream = rec.stream().push(PCM[:1000])
    spoilt = PCM[1000:2000].copy()
    for bad, words in ((np.nan, "finite, got nan"), (9.0, r"in \[-1, 1\], got 9\.0")):
        spoilt[17] = bad
        with pytest.raises(ValueError, match=f"pcm must be {words} at sample 1017"):
            stream.push(spoilt)
    with pytest.raises(ValueError, match="text must be UTF-8, got byte 0xff at offset 1"):
        stream.finish(b"a\xff")
    same(stream.push(PCM[1000:]).finish("w2"), rec(PCM, "w2"))
    with pytest.raises(ValueError, match=r"sample_rate must lie in 8000\.\.192000, got 7999"):
        rec.stream(7999)


def test_sixteen_bit_integers_are_floats_divided_by_32768(rec):
    for form in (INT16, INT16.astype(">i2"), INT16.repeat(2)[::2]):
        same(rec(form, "w2"), rec(INT16 / 32768, "w2"))
    as_single = (INT16 / 32768).astype(np.float32)
    for form in (as_single, list(as_single), as_single.astype(">f8")):
        same(rec(form, "w2"), rec(as_single, "w2"))
    half = as_single.astype(np.float16)
    same(rec(half), rec(half.astype(np.float32)))
    extreme = np.array([-32768, 32767] * 1000, np.int16)
    assert rec(extreme).seconds == 0.125


def changed(at, value):
    spoilt = PCM.copy()
    spoilt[at] = value
    return spoilt


@pytest.mark.parametrize(
    ("sound", "words"),
    [
        (changed(17, np.nan), r"pcm must be finite, got nan at sample 17$"),
        (changed(29999, -np.inf), r"pcm must be finite, got -inf at sample 29999$"),
        (changed(17, 12345), r"pcm must be in \[-1, 1\], got 12345\.0 at sample 17; divide 16-bit"),
        (changed(3, -8.5), r"pcm must be in \[-1, 1\], got -8\.5 at sample 3; divide 16-bit"),
        (np.stack([PCM, PCM], axis=1), r"got \[30000, 2\]; axis 1 seems .*pcm\.mean\(axis=1\)"),
        (np.stack([PCM, PCM]), r"got \[2, 30000\]; axis 0 seems .*pcm\.mean\(axis=0\)"),
        (PCM.reshape(2, 3, -1), r"pcm must be mono with shape \[samples\], got \[2, 3, 5000\]"),
        (0.5, r"sound must be an array \[samples\] or, .* a path or a file opened .* got float"),
        (None, "a file opened for reading bytes, got NoneType"),
        ([[0.0], [0.0, 0.0]], r"pcm must be mono with shape \[samples\]: .*inhomogeneous"),
        (INT16.astype(np.int32), "must be floating point in .* or int16, got int32; divide other"),
        (INT16.astype(np.uint16), "or int16, got uint16"),
        (PCM > 0, "or int16, got bool"),
        (PCM.astype(complex), "or int16, got complex128"),
        (np.array([None] * 9), "or int16, got object"),
        (INT16.tobytes(), "must be an array or a path, got bytes; 16-bit integers: numpy.frombuff"),
    ],
)
def test_sound_that_is_none(rec, sound, words):
    with pytest.raises(ValueError, match=words):
        rec(sound, "w2")


def test_loud_sound_is_no_mistake(rec):
    assert rec(changed(3, 8.0), "w2").notes == rec(changed(3, -8.0), "w2").notes == ()


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000, 96000, 192000])
def test_other_rates_are_resampled(model, rec, rate):
    time = np.arange(2 * rate) / rate
    sound = (0.3 * np.sin(2 * np.pi * 440 * time)).astype(np.float32)
    result = rec(sound, "w2", rate)
    assert result.notes == (f"resampled from {rate} Hz",)
    assert result.seconds == 2.0
    resampled = native().resample(sound, rate)
    assert len(resampled) == 32000
    gold = model.gold(features.extract(resampled), [2])
    np.testing.assert_allclose(list(result.probabilities.values()), gold.probabilities, atol=1e-5)
    same(rec(sound, "w2", np.int64(rate)), result)


@pytest.mark.parametrize(
    ("rate", "words"),
    [
        (0, "must lie in 8000..192000, got 0"),
        (-16000, "must lie in 8000..192000, got -16000"),
        (7999, "must lie in 8000..192000, got 7999"),
        (192001, "must lie in 8000..192000, got 192001"),
        (44100.5, "must be an integer, got 44100.5"),
        ("16k", "must be an integer, got '16k'"),
        (True, "must be an integer, got True"),
    ],
)
def test_rates_that_are_none(rec, rate, words):
    with pytest.raises(ValueError, match=f"^sample_rate {words}$"):
        rec(PCM, "w2", rate)


def test_no_sound_and_little_sound(rec):
    for nothing in ([], PCM[:0], INT16[:0]):
        result = rec(nothing, "w2")
        assert (result.seconds, result.notes) == (0.0, ("no sound",))
        same(result, rec(PCM[:0], "w2", 16000))
        assert rec(nothing, "w2", 48000).notes == ("no sound",)
    assert rec(PCM[:1], "w2").notes == ()
    assert sum(rec(PCM[:1], "").probabilities.values()) == pytest.approx(1)


def test_an_hour_is_cut_and_the_rest_is_not_looked_at(rec):
    hour = np.zeros(16000 * 3600, np.int16)
    hour[:120000] = np.tile(INT16, 4)
    first = rec(hour[:120000], "w2")
    tracemalloc.start()
    result = rec(hour, "w2")
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 8e6  # 120,000 samples as float32 and their features are 0.6 MB; an hour is 115
    assert result.notes == ("sound cut at 7.5 s of 3600.0 s",)
    assert result.seconds == 7.5
    assert result.probabilities == first.probabilities
    assert first.notes == ()
    at_44100 = rec(hour, "w2", 44100)
    assert at_44100.notes == (
        "resampled from 44100 Hz", f"sound cut at 7.5 s of {len(hour) / 44100:.1f} s",
    )  # fmt: skip
    # What lies behind may be anything.
    behind = np.concatenate([np.tile(PCM, 4), [np.nan, 1e9]])
    assert rec(behind, "w2").notes == ("sound cut at 7.5 s of 7.5 s",)


def test_words_in_every_form(rec):
    result = rec(PCM, "W2 w3, w4")
    said = ["w2", "w3 w4"]
    for words in (
        b"w2 w3 w4",
        bytearray(b"w2 w3 w4"),
        said,
        tuple(said),
        iter(said),
        np.array(said),
    ):
        same(rec(PCM, words), result)
    none = rec(PCM)
    for words in (None, "", b"", [], " ...! ", [""]):
        same(rec(PCM, words), none)
    assert none.alignment == ()
    assert rec(PCM, "caf\u00e9 w2".encode()).alignment[0].word == "café"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (b"w2 \xff\xfe", "text must be UTF-8, got byte 0xff at offset 3"),
        ("w2 \ud800", r"valid Unicode, got the lone surrogate U\+D800 at character 3"),
        (["w2", "\udfff"], r"valid Unicode, got the lone surrogate U\+DFFF at character 3"),
        (["w2", 3], "words must be texts, got int at position 1"),
        ([b"w2"], "words must be texts, got bytes at position 0"),
        (7, "words must be text, UTF-8 bytes or several texts, got int"),
    ],
)
def test_words_that_are_no_text(rec, words, message):
    with pytest.raises(ValueError, match=message):
        rec(PCM, words)


def test_more_than_512_words_are_cut(rec):
    words = [f"w{2 + i % 28}" for i in range(600)]
    result = rec(PCM, words)
    assert result.notes == ("words cut at 512 of 600",)
    assert len(result.alignment) == 512
    assert result.probabilities == rec(PCM, words[:512]).probabilities
    assert rec(PCM, words[:512]).notes == ()
    both = rec(np.zeros(16000 * 8), words)
    assert both.notes == ("sound cut at 7.5 s of 8.0 s", "words cut at 512 of 600")


def test_importing_the_package_alone_loads_nothing():
    run_without((), "import gban_edge, sys\nassert 'numpy' not in sys.modules, 'numpy'\n")


def test_the_examples_in_docstrings():
    modules = [runtime.cuda, runtime.result, runtime.sound, runtime.words]
    tried = [doctest.testmod(module) for module in modules]
    assert all(one.attempted and not one.failed for one in tried), tried
