"""The frontend against librosa, which computes in float64 here too."""

import librosa
import numpy as np
import pytest
import soundfile
from helpers import speech_like

from gban_edge import features

TOLERANCE = 1e-4


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
    got, gold = features.extract(pcm), oracle(pcm)
    assert got.dtype == np.float32
    assert got.shape == gold.shape == (features.frame_count(len(pcm)), 52)
    if not len(gold):
        return 0.0
    return float(np.max(np.abs(got - gold) / np.maximum(1.0, np.abs(gold))))


def test_every_length_from_0_to_2_s_in_steps_of_7():
    pcm = speech_like(np.random.default_rng(0), 32000)
    assert max(error(pcm[:n]) for n in range(0, 32001, 7)) < TOLERANCE


@pytest.mark.parametrize("samples", [119999, 120000, 120001, 200000])
def test_the_cut_at_seven_and_a_half_seconds(samples):
    pcm = speech_like(np.random.default_rng(1), samples)
    assert error(pcm) < TOLERANCE
    assert len(features.extract(pcm)) == 747


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


@pytest.mark.parametrize(
    ("pcm", "rate", "words"),
    [
        (np.zeros(600), 8000, "sample_rate must be 16000, got 8000"),
        (np.zeros((2, 600)), 16000, r"shape \[samples\], got \[2, 600\]"),
        (np.zeros(600, np.int16), 16000, "divide 16-bit integers by 32768"),
        (np.array([0.0, np.nan]), 16000, "finite, got nan at sample 1"),
        (np.array([np.inf, 0.0]), 16000, "finite, got inf at sample 0"),
    ],
)
def test_bad_sound_is_named(pcm, rate, words):
    with pytest.raises(ValueError, match=words):
        features.extract(pcm, rate)


def test_an_empty_list_is_no_frames():
    assert features.extract([]).shape == (0, 52)
