"""Fixtures of the kiosk page's tests: a model, its server, a sound, a Chromium and the page in it.

A test file that needs them says ``pytest_plugins = ["page_fixtures"]``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers import SMALL, speech_like
from page_browser import CHROMIUM, SECONDS, opened
from page_server import PageServer, serving
from playwright.sync_api import Browser, Page, Playwright, sync_playwright
from runtime_models import RandomModel, make_model

from gban_edge import EmotionRecognizer


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> RandomModel:
    return make_model(tmp_path_factory.mktemp("page") / "gban.safetensors", SMALL, temperature=1.0)


@pytest.fixture(scope="module")
def server(model: RandomModel) -> Iterator[PageServer]:
    with serving(EmotionRecognizer.from_pretrained(model.path)) as page:
        yield page


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """3 s of something like speech."""
    path = tmp_path_factory.mktemp("sound") / "clip.wav"
    pcm = speech_like(np.random.default_rng(4), int(SECONDS * 16000))
    soundfile.write(path, pcm, 16000, subtype="PCM_16")
    return path


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="module")
def browser(playwright: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Its microphone hears, again and again, a second of noise between silences."""
    path = tmp_path_factory.mktemp("sound") / "microphone.wav"
    noise = 0.2 * np.random.default_rng(1).standard_normal(16000)
    quiet = np.zeros(12000)
    soundfile.write(path, np.concatenate([quiet, noise, quiet]), 16000, subtype="PCM_16")
    arguments = [
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-audio-capture={path}",
    ]
    chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
    yield chromium
    chromium.close()


@pytest.fixture
def page(browser: Browser, server: PageServer) -> Iterator[Page]:
    yield from opened(browser, server)
