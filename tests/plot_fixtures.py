"""Fixtures of the pictures' tests: a small random network, a sound and its answer.

A test file that needs them says ``pytest_plugins = ["plot_fixtures"]``.
"""

from __future__ import annotations

import numpy as np
import pytest
from helpers import speech_like
from plot_parts import AUTHORS, WORDS, recognizer_of


@pytest.fixture(scope="module")
def recognizer(tmp_path_factory):
    return recognizer_of(tmp_path_factory.mktemp("plot"), AUTHORS)


@pytest.fixture(scope="module")
def pcm():
    return speech_like(np.random.default_rng(5), 44000).astype(np.float32)


@pytest.fixture(scope="module")
def result(recognizer, pcm):
    return recognizer(pcm, WORDS)
