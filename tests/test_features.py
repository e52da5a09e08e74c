"""The frontend: librosa, in float64 here, is the oracle of both forms, and the NumPy form that of
the native one on every instruction set of this machine."""

import sys
from concurrent.futures import ThreadPoolExecutor

import librosa
import numpy as np
import pytest
import soundfile
from helpers import speech_like

from gban_edge import features
from gban_edge.core import native

TOLERANCE = 1e-4
ISAS = native().available_isas()


@pytest.fixture
def set_isa():
    """``gban_edge._core.set_isa``; the one that was in use is put back."""
    before = native().current_isa()
    yield native().set_isa
    native().set_isa(before)


def oracle(pcm: np.ndarray) -> np.ndarray:
    """DESIGN's features out of librosa's own pieces, [N, 52]."""
    pcm = np.asarray(pcm, np.float64)[:120000]
    if len(pcm) < 512:
        return np.zeros((0, 52))
    power = np.abs(librosa.stft(
        pcm, n_fft=512, hop_length=160, win_length=400, window="hamming", center=False
    )) ** 2  # fmt: skip
    mel = librosa.feature.melspectrogram(
        S=power, sr=16000, n_fft=512, n_mels=26, fmin=0.0, fmax=6500.0, htk=False, norm="slaney"
    )
    mfcc = librosa.feature.mfcc(S=10 * np.log10(mel + 1e-10), n_mfcc=13, dct_type=2, norm="ortho")
    delta = librosa.feature.delta(mfcc, width=9, order=1, mode="nearest")
    return np.concatenate([np.log(mel + 1e-10), mfcc, delta]).T


def error(pcm: np.ndarray) -> float:
    """Largest difference from librosa, relative to values above 1 and absolute below."""
    gold = oracle(pcm)
    return max(difference(form(pcm), gold) for form in (features.extract, features.extract_ref))


def difference(got: np.ndarray, gold: np.ndarray) -> float:
    assert got.dtype == np.float32
    assert got.shape == gold.shape
    return float(np.max(np.abs(got - gold) / np.maximum(1.0, np.abs(gold)), initial=0.0))


def test_every_length_from_0_to_2_s_in_steps_of_23():
    pcm = speech_like(np.random.default_rng(0), 32000)
    assert max(error(pcm[:n]) for n in range(0, 32001, 23)) < TOLERANCE


@pytest.mark.parametrize("samples", [119999, 120000, 120001, 200000])
def test_the_cut_at_seven_and_a_half_seconds(samples):
    pcm = speech_like(np.random.default_rng(1), samples)
    assert error(pcm) < TOLERANCE
    assert len(features.extract(pcm)) == features.frame_count(samples) == 747


def test_real_synthesised_speech(smoke_corpus):
    paths = sorted(p for p in smoke_corpus.rglob("*.wav") if not p.name.startswith("._"))[::10]
    assert len(paths) > 10
    assert max(error(soundfile.read(path)[0]) for path in paths) < TOLERANCE


@pytest.mark.parametrize(
    "pcm",
    [
        np.zeros(8000),
        np.full(8000, 1e-7),
        np.concatenate([np.zeros(4000), speech_like(np.random.default_rng(2), 4000)]),
        np.sign(speech_like(np.random.default_rng(3), 8000)),  # clipped flat
        np.clip(9 * speech_like(np.random.default_rng(4), 8000), -1, 1),
        np.where(np.arange(8000) == 777, 1.0, 0.0),  # one click
    ],
    ids=["silence", "offset", "half silent", "square", "clipping", "click"],
)
def test_silence_and_clipping(pcm):
    assert error(pcm) < TOLERANCE


def test_silence_is_exactly_the_floor():
    frames = features.extract(np.zeros(1000))
    # ln(1e-10); the DCT of a constant is its first coefficient alone, sqrt(26) * 10 * log10(1e-10).
    np.testing.assert_allclose(frames[:, :26], np.log(1e-10), rtol=1e-6)
    np.testing.assert_allclose(frames[:, 26], -100 * np.sqrt(26), rtol=1e-6)
    np.testing.assert_allclose(frames[:, 27:], 0.0, atol=1e-4)


def test_float32_and_float64_sound_give_the_same():
    pcm = speech_like(np.random.default_rng(5), 9000).astype(np.float32)
    np.testing.assert_array_equal(features.extract(pcm), features.extract(pcm.astype(np.float64)))


def test_frame_count():
    assert [features.frame_count(n) for n in (0, 511, 512, 671, 672)] == [0, 0, 1, 1, 2]
    assert features.frame_count(10**9) == 747


def random_sound(rng: np.random.Generator) -> np.ndarray:
    """float64 [0 to 24000 samples], of one of ten characters."""
    samples = int(rng.integers(0, 24000)) if rng.random() < 0.9 else int(rng.integers(0, 1000))
    noise = rng.standard_normal(samples)
    tone = np.sin(2 * np.pi * rng.uniform(20, 7900) / 16000 * np.arange(samples))
    speech = speech_like(rng, samples)
    click = np.zeros(samples)
    click[samples // 2 : samples // 2 + 1] = 1.0
    return [
        np.zeros(samples),
        np.full(samples, 1e-7),
        1e-7 * noise,
        tone,  # alone: its far bands hold nothing but rounding
        tone + 1e-6 * noise,
        np.sign(speech),
        np.clip(9 * speech, -1, 1),
        click,
        np.clip(0.3 * noise, -1, 1),
        speech,
    ][rng.integers(10)]


def random_pieces(rng: np.random.Generator, pcm: np.ndarray, most: int) -> list[np.ndarray]:
    """``pcm`` in pieces of 0 to ``most`` samples."""
    cuts = np.cumsum(rng.integers(0, most + 1, 2 + 3 * len(pcm) // most))
    return np.split(pcm, cuts[cuts < len(pcm)])


def pushed(frontend: features.Frontend, pieces: list[np.ndarray]) -> np.ndarray:
    for piece in pieces:
        frontend.push(piece)
    return frontend.finish()


@pytest.mark.parametrize("isa", ISAS)
def test_native_equals_numpy_on_random_sounds(isa, set_isa):
    set_isa(isa)
    rng = np.random.default_rng(10)
    for _ in range(200):
        pcm = random_sound(rng)
        got, gold = features.extract(pcm), features.extract_ref(pcm)
        assert got.dtype == gold.dtype == np.float32
        assert got.shape == gold.shape
        # Absolute: one unit of float32's last place is 3e-5 where MFCC are largest.
        np.testing.assert_allclose(got, gold, rtol=0, atol=TOLERANCE)


def test_instruction_sets_agree(set_isa):
    rng = np.random.default_rng(11)
    sounds = [random_sound(rng) for _ in range(40)]
    results = []
    for isa in ISAS:
        set_isa(isa)
        results.append([features.extract(pcm) for pcm in sounds])
    for result in results[1:]:
        assert max(map(difference, result, results[0])) < 1e-5


@pytest.mark.parametrize("isa", ISAS)
def test_any_cut_gives_the_same_bits(isa, set_isa):
    set_isa(isa)
    rng = np.random.default_rng(12)
    frontend = features.Frontend()  # one for all: finish() leaves it ready for the next utterance
    for _ in range(100):
        pcm = random_sound(rng)
        pieces = random_pieces(rng, pcm, int(rng.choice([37, 320, 4000])))
        np.testing.assert_array_equal(pushed(frontend, pieces), features.extract(pcm))


def test_one_sample_at_a_time_with_empty_pushes_between():
    pcm = speech_like(np.random.default_rng(13), 3100)
    pieces = [piece for sample in pcm for piece in (np.array([sample]), np.empty(0))]
    np.testing.assert_array_equal(pushed(features.Frontend(), pieces), features.extract(pcm))


def test_pushes_beyond_the_cut_are_not_looked_at():
    pcm = speech_like(np.random.default_rng(14), 120000)
    frontend = features.Frontend().push(pcm[:119000]).push(np.append(pcm[119000:], [np.nan]))
    assert (frontend.seconds, frontend.frames) == (7.5, 747)
    frontend.push(np.full(700, np.inf))
    np.testing.assert_array_equal(frontend.finish(), features.extract(np.append(pcm, np.nan)))


def test_seconds_and_frames_while_it_listens():
    frontend = features.Frontend()
    assert (frontend.seconds, frontend.frames) == (0.0, 0)
    assert frontend.finish().shape == (0, 52)
    assert frontend.push(np.zeros(511)).frames == 0
    frontend.push(np.zeros(161))
    assert (frontend.seconds, frontend.frames) == (672 / 16000, 2)
    assert frontend.finish().shape == (2, 52)
    assert (frontend.seconds, frontend.frames) == (0.0, 0)


def test_a_refused_push_loses_nothing():
    pcm = speech_like(np.random.default_rng(15), 5000)
    bad = pcm[2000:].copy()
    bad[[1700, 1800]] = [-np.inf, np.nan]
    frontend = features.Frontend().push(pcm[:2000])
    with pytest.raises(ValueError, match=r"^pcm must be finite, got -inf at sample 3700$"):
        frontend.push(bad)
    with pytest.raises(ValueError, match="divide 16-bit integers by 32768"):
        frontend.push(np.zeros(3, np.int16))
    assert frontend.seconds == 2000 / 16000
    np.testing.assert_array_equal(frontend.push(pcm[2000:]).finish(), features.extract(pcm))


def test_results_are_the_callers_own():
    frontend = features.Frontend().push(np.zeros(1000))
    first = frontend.finish()
    kept = first.copy()
    frontend.push(np.ones(9000)).finish()
    np.testing.assert_array_equal(first, kept)
    first[:] = 0.0  # writable


def test_any_float_type_and_layout():
    pcm = np.clip(speech_like(np.random.default_rng(16), 4000), -1, 1).astype(np.float16)
    gold = features.extract(pcm.astype(np.float64))
    strided = np.zeros((4000, 2), np.float32)
    strided[:, 1] = pcm
    frozen = pcm.astype(np.float64)
    frozen.flags.writeable = False
    swapped = pcm.astype(np.dtype(np.float32).newbyteorder())
    for form in (pcm, strided[:, 1], frozen, swapped, pcm.astype(np.longdouble), frozen.tolist()):
        np.testing.assert_array_equal(features.extract(form), gold)
        np.testing.assert_array_equal(features.Frontend().push(form).finish(), gold)


def test_two_threads_may_share_one():
    frontend = features.Frontend()
    pieces = [np.full(100, 0.5)] * 1000
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(frontend.push, pieces))
    np.testing.assert_array_equal(frontend.finish(), features.extract(np.concatenate(pieces)))


def test_a_core_that_is_not_built_names_the_cure(monkeypatch):
    native.cache_clear()
    monkeypatch.setitem(sys.modules, "gban_edge._core", None)
    with pytest.raises(RuntimeError, match=r"pip install \."):
        features.extract(np.zeros(600))
    with pytest.raises(RuntimeError, match=r"pip install \."):
        features.Frontend()
    assert features.extract_ref(np.zeros(600)).shape == (1, 52)


@pytest.mark.parametrize(
    ("pcm", "rate", "words"),
    [
        (np.zeros(600), 8000, "sample_rate must be 16000, got 8000"),
        (np.zeros((2, 600)), 16000, r"shape \[samples\], got \[2, 600\]"),
        (np.zeros(600, np.int16), 16000, "divide 16-bit integers by 32768"),
        (np.array([0.0, np.nan]), 16000, "finite, got nan at sample 1"),
        (np.array([np.inf, 0.0]), 16000, "finite, got inf at sample 0"),
        (np.full(300, -np.inf, np.float32), 16000, "finite, got -inf at sample 0"),
    ],
)
def test_bad_sound_is_named(pcm, rate, words):
    for form in (features.extract, features.extract_ref):
        with pytest.raises(ValueError, match=words):
            form(pcm, rate)
    with pytest.raises(ValueError, match=words):
        features.Frontend(rate).push(pcm)


def test_an_empty_list_is_no_frames():
    assert features.extract([]).shape == features.extract_ref([]).shape == (0, 52)
