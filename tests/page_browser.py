"""A real Chromium with a microphone that plays a file, and the kiosk page in it.

A test file that needs them says ``pytest_plugins = ["page_browser"]``.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers import SMALL, speech_like
from page_server import PageServer, serving
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright
from runtime_models import RandomModel, make_model

from gban_edge import EmotionRecognizer
from gban_edge.labels import FULL_NAMES

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
NEEDS_CHROMIUM = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the PATH")
WORDS = "w2 w3 w4 w5 w6 w7 w8 w9 w10"
SECONDS = 3.0
SMALL_SCREEN = {"width": 1024, "height": 600}

expect.set_options(timeout=20_000)


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


def opened(browser: Browser, server: PageServer, **context) -> Iterator[Page]:
    """The page, which must raise no error and ask nothing of anyone but its server."""
    context = browser.new_context(viewport=SMALL_SCREEN, reduced_motion="reduce", **context)
    page = context.new_page()
    asked, errors = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda channel: asked.append(channel.url.replace("ws:", "http:")))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on(
        "console", lambda said: errors.append(said.text) if "Content Security" in said.text else 0
    )
    page.goto(server.url)
    expect(page.locator("#model")).to_contain_text(server.recognizer.backend)
    yield page
    context.close()
    server.busy, server.extra = False, {}
    assert [text for text in errors if "Content Security" in text or "rror: " in text] == []
    assert [url for url in asked if not url.startswith(server.url)] == []


@pytest.fixture
def page(browser: Browser, server: PageServer) -> Iterator[Page]:
    yield from opened(browser, server)


def send(page: Page, server: PageServer, clip: Path, words: str = WORDS) -> dict:
    """The answer to a file that is chosen, once it is shown."""
    page.fill("#words", words)
    before = page.locator("#timeline thead th").count()
    page.set_input_files("#file", clip)
    expect(page.locator("#timeline thead th")).to_have_count(before + 1)
    return server.results[-1]


def name(label: str) -> str:
    return FULL_NAMES[label]
