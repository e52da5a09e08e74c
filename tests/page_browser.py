"""Opens the kiosk page in a real Chromium and waits for what it shows."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from page_server import PageServer
from playwright.sync_api import Browser, Page, expect

from gban_edge.labels import FULL_NAMES

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
NEEDS_CHROMIUM = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the PATH")
WORDS = "w2 w3 w4 w5 w6 w7 w8 w9 w10"
SECONDS = 3.0
SMALL_SCREEN = {"width": 1024, "height": 600}

expect.set_options(timeout=20_000)


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
    server.busy, server.token, server.extra = False, False, {}
    assert [text for text in errors if "Content Security" in text or "rror: " in text] == []
    assert [url for url in asked if not url.startswith(server.url)] == []


def send(page: Page, server: PageServer, clip: Path, words: str = WORDS) -> dict:
    """The answer to a file that is chosen, once it is shown."""
    page.fill("#words", words)
    before = page.locator("#timeline thead th").count()
    page.set_input_files("#file", clip)
    expect(page.locator("#timeline thead th")).to_have_count(before + 1)
    return server.results[-1]


def name(label: str) -> str:
    return FULL_NAMES[label]
