"""Sound files of every kind: read, or refused with the reason."""

import numpy as np
import pytest
import soundfile
from helpers import speech_like

from train.wav import read_wav, sample_format

PCM = speech_like(np.random.default_rng(0), 3000)


@pytest.mark.parametrize(
    ("subtype", "step"), [("PCM_16", 2**-15), ("PCM_24", 2**-23), ("PCM_32", 2**-24), ("FLOAT", 0)]
)
def test_every_sample_format_gives_the_same_sound(tmp_path, subtype, step):
    path = tmp_path / "x.wav"
    soundfile.write(path, PCM, 16000, subtype=subtype)
    pcm = read_wav(path)
    assert sample_format(path) == subtype
    assert pcm.dtype == np.float32
    np.testing.assert_allclose(pcm, PCM, atol=step + 1e-7)


def write(path, pcm=PCM, rate=16000, subtype="PCM_16"):
    soundfile.write(path, pcm, rate, subtype=subtype)


def spoil(path, *, keep: int):
    path.write_bytes(path.read_bytes()[:keep])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda p: write(p, rate=8000), "sample rate must be 16000 Hz, got 8000"),
        (lambda p: write(p, rate=44100), "got 44100"),
        (lambda p: write(p, np.stack([PCM, PCM], axis=1)), "must be mono, got 2 channels"),
        (lambda p: write(p, PCM[:0]), "holds no samples"),
        (lambda p: p.touch(), "not a readable WAV"),
        (lambda p: p.write_text("RIFF, but not really"), "not a readable WAV"),
        (lambda p: p.write_bytes(b"RIFF\x10\x00\x00\x00WAVE"), "not a readable WAV"),
        (lambda p: p.mkdir(), "not a readable WAV"),
        (lambda p: None, "not a readable WAV"),
        (lambda p: write(p, np.where(np.arange(3000) == 9, np.nan, PCM), subtype="FLOAT"),
         "sample 9 is not finite"),
        (lambda p: (write(p), spoil(p, keep=30)), "not a readable WAV|cut short"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_named(tmp_path, make, words):
    path = tmp_path / "x.wav"
    make(path)
    with pytest.raises(ValueError, match=words) as caught:
        read_wav(path)
    assert str(path) in str(caught.value)


def test_a_file_cut_in_its_sound_is_refused(tmp_path):
    path = tmp_path / "x.wav"
    write(path)
    spoil(path, keep=2000)
    with pytest.raises(ValueError, match=r"cut short, 404[34] bytes"):
        read_wav(path)
