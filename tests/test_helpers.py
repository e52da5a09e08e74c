"""The helpers do what the tests that use them believe."""

import subprocess

import numpy as np
import pytest
from helpers import SMALL, assert_clean_error, first_wav, ragged_batch, speech_like, write_corpus


def test_speech_like_is_finite_in_range_and_not_silent():
    pcm = speech_like(np.random.default_rng(0), 16000)
    assert pcm.shape == (16000,)
    assert np.abs(pcm).max() <= 1.0
    assert np.sqrt(np.mean(pcm**2)) > 0.01


def test_ragged_batch_is_ragged():
    speech, frames, words, counts = ragged_batch(np.random.default_rng(1), SMALL, 8)
    assert speech.shape == (8, int(frames.max()), SMALL.features)
    assert len(set(frames.tolist())) > 3
    assert words.shape == (8, int(counts.max()))
    assert int(words.max()) < SMALL.vocabulary


def test_write_corpus_writes_what_it_says(tmp_path):
    root = write_corpus(tmp_path / "c", each=3)
    assert len(list(root.rglob("*.wav"))) == 5 * 12
    assert first_wav(root).name == "Ses01F_impro01_F000.wav"


@pytest.mark.parametrize(
    ("code", "stderr"), [(0, "error: no"), (2, "Traceback\nerror: no"), (2, "error: other")]
)
def test_assert_clean_error_notices(code, stderr):
    done = subprocess.CompletedProcess([], code, "", stderr)
    with pytest.raises(AssertionError):
        assert_clean_error(done, "no such")
