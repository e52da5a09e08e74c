"""Fixtures of the kiosk page's tests: a model, its server, a sound, a Chromium and the page in it.

A test file that needs them says ``pytest_plugins = ["page_fixtures"]``. They live for the whole
run: a browser and a server take a second each to start.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers import SMALL, speech_like
from page_browser import CHROMIUM, SECONDS, opened
from playwright.sync_api import Browser, Page, Playwright, sync_playwright
from runtime_models import RandomModel, make_model
from serve_server import Server
from spoken import speech

LIMITS = {"workers": 1, "recognitions": 1, "streams": 3}  # few enough for a test to use up


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> RandomModel:
    return make_model(tmp_path_factory.mktemp("page") / "gban.safetensors", SMALL, temperature=1.0)


@pytest.fixture(scope="session")
def server(model: RandomModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """``gban_edge.serve`` in a process of its own."""
    with Server(model.path, tmp_path_factory.mktemp("server"), limits=LIMITS) as running:
        yield running


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """3 s of something like speech."""
    path = tmp_path_factory.mktemp("sound") / "clip.wav"
    pcm = speech_like(np.random.default_rng(4), int(SECONDS * 16000))
    soundfile.write(path, pcm, 16000, subtype="PCM_16")
    return path


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="session")
def browser(playwright: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Its microphone hears, again and again, a sentence between silences."""
    path = tmp_path_factory.mktemp("sound") / "microphone.wav"
    quiet = np.zeros(16000, np.float32)
    sound = np.concatenate([quiet[:8000], speech("that is incredible"), quiet])
    soundfile.write(path, sound, 16000, subtype="PCM_16")
    arguments = [
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-audio-capture={path}",
    ]
    chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
    yield chromium
    chromium.close()


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    with opened(browser, server.address) as found:
        yield found
