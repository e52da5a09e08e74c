"""The core's resampler against what a filter of its kind must do, and against scipy's."""

import math

import numpy as np
import pytest
from scipy.signal import resample_poly

from gban_edge import _core

RATES = [8000, 11025, 16001, 22050, 32000, 44100, 47999, 48000, 96000, 192000]


def sine(hertz, rate, seconds=0.5, phase=0.3):
    return np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate + phase)


def level(sound):
    """In dB of a full-scale sine, the ends left out, where the sound begins and stops suddenly."""
    middle = sound[len(sound) // 5 : -len(sound) // 5].astype(np.float64)
    return 10 * np.log10(2 * np.mean(middle**2) + 1e-30)


def resampled(sound, rate):
    return _core.resample(sound.astype(np.float32), rate)


@pytest.mark.parametrize("rate", RATES)
def test_what_lies_below_seven_eighths_of_nyquist_passes_as_it_is(rate):
    top = 7000 * min(1, rate / 16000)
    for hertz in (50, 440, 3000, 0.999 * top):
        if hertz <= top:
            ours, exact = resampled(sine(hertz, rate), rate), sine(hertz, 16000)
            inner = slice(400, -400)
            error = np.abs(ours - exact)[inner].max()
            assert error < 1e-4, (hertz, error)  # 0.01 dB are 1.15e-3 of the amplitude
            assert abs(level(ours) - level(exact)) < 0.001


@pytest.mark.parametrize("rate", [rate for rate in RATES if rate > 18000])
def test_tones_above_9_khz_are_gone(rate):
    for hertz in np.linspace(9000, rate / 2 - 100, 9):
        assert level(resampled(sine(hertz, rate), rate)) < -80, hertz


def test_images_of_8_khz_sound_are_gone():
    sound = resampled(sine(3000, 8000, seconds=1.0), 8000)
    spectrum = np.abs(np.fft.rfft(sound[2000:-2000] * np.blackman(12000)))
    hertz = np.fft.rfftfreq(12000, 1 / 16000)
    assert 20 * np.log10(spectrum[hertz > 4500].max() / spectrum.max()) < -80


@pytest.mark.parametrize("rate", RATES)
def test_length_and_place(rate):
    """A click at time t stays at time t, and the length is the sound's."""
    for samples in (0, 1, 2, 7, rate // 10, rate // 10 + 1):
        assert len(resampled(np.ones(samples), rate)) == math.ceil(samples * 16000 / rate)
    click = np.zeros(rate // 2)
    click[rate // 4] = 1.0
    sound = resampled(click, rate).astype(np.float64)
    turns = 2j * np.pi * 500  # the phase of what is left at 500 Hz tells the place
    phasor = np.sum(sound * np.exp(-turns * (np.arange(len(sound)) / 16000 - (rate // 4) / rate)))
    assert phasor.real > 0
    assert abs(np.angle(phasor)) / (2 * np.pi * 500) < 1e-8
    assert abs(np.argmax(sound) / 16000 - (rate // 4) / rate) <= 0.5 / 16000


@pytest.mark.parametrize("rate", [11025, 16001, 44100, 192000])
def test_pieces_give_the_same_bits(rate):
    rng = np.random.default_rng(5)
    sound = rng.uniform(-1, 1, 30000).astype(np.float32)
    whole = _core.resample(sound, rate)
    streaming = _core.Resampler(rate)
    for most in (3, 700, 9000):  # one object, one sound after the other
        pieces, at = [], 0
        while at < len(sound):
            count = int(rng.integers(0, most + 1))
            pieces.append(streaming.push(sound[at : at + count]))
            at += count
        pieces.append(streaming.finish())
        np.testing.assert_array_equal(np.concatenate(pieces), whole)


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000])
def test_scipy_agrees_where_both_pass(rate):
    """Its filter is another one, with a wider transition: what lies low both must pass."""
    rng = np.random.default_rng(1)
    top = 0.7 * min(rate, 16000) / 2
    sound = sum(sine(hz, rate, phase=rng.uniform(0, 6)) for hz in rng.uniform(50, top, 30)) / 30
    g = math.gcd(rate, 16000)
    theirs = resample_poly(sound, 16000 // g, rate // g, window=("kaiser", 12.0))
    ours = resampled(sound, rate)
    assert len(ours) == len(theirs)
    assert np.abs(ours - theirs)[300:-300].max() < 2e-4


def test_the_rate_16000_changes_nothing():
    sound = np.random.default_rng(2).uniform(-1, 1, 5000).astype(np.float32)
    np.testing.assert_allclose(_core.resample(sound, 16000), sound, atol=1e-7)


@pytest.mark.parametrize("rate", [0, -1, 7999, 192001])
def test_other_rates_are_refused(rate):
    for make in (_core.Resampler, lambda rate: _core.resample(np.zeros(3, np.float32), rate)):
        with pytest.raises(ValueError, match=rf"must lie in 8000\.\.192000, got {rate}$"):
            make(rate)


def test_sound_must_be_float32_and_mono():
    with pytest.raises(ValueError, match="shape"):
        _core.resample(np.zeros((3, 2), np.float32), 44100)
    with pytest.raises(TypeError):
        _core.resample(np.zeros(3), 44100)
