"""Opens the kiosk page in a real Chromium and waits for what it shows."""

from __future__ import annotations

import base64
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from gban_edge.labels import FULL_NAMES

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
# .ci/run sets GBAN_BROWSER: there a missing Chromium is a failure.
NEEDS_CHROMIUM = pytest.mark.skipif(
    CHROMIUM is None and not os.environ.get("GBAN_BROWSER"), reason="no Chromium on the PATH"
)
WORDS = "w2 w3 w4 w5 w6 w7 w8 w9 w10"
SECONDS = 3.0
SMALL_SCREEN = {"width": 1024, "height": 600}
# Keeps what the server answered: Chromium's inspector forgets bodies that must not be stored.
KEEP_ANSWERS = """
  const real = window.fetch;
  window.answers = [];
  window.fetch = async (...asked) => {
    const answer = await real(...asked);
    if (answer.url.includes("/v1/recognize")) window.answers.push(await answer.clone().json());
    return answer;
  };
"""

expect.set_options(timeout=20_000)


@contextmanager
def opened(browser: Browser, address: str, query: str = "", **context: Any) -> Iterator[Page]:
    """The page, which must raise no error and ask nothing of anyone but its server."""
    options = {"viewport": SMALL_SCREEN, "reduced_motion": "reduce", **context}
    opened = browser.new_context(**options)
    page = opened.new_page()
    page.add_init_script(KEEP_ANSWERS)
    asked: list[str] = []
    errors: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda channel: asked.append(channel.url.replace("ws", "http", 1)))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    page.goto(f"{address}/{query}")
    expect(page.locator("#model, #problem").filter(has_text="e").first).to_be_visible()
    yield page
    opened.close()
    # A refusal (429, 401, no server) is logged by the browser itself.
    assert [said for said in errors if not said.startswith(("Failed to load", "WebSocket"))] == []
    assert [url for url in asked if not url.startswith(f"{address}/")] == []


def send(page: Page, clip: Path, words: str = WORDS) -> dict[str, Any]:
    """The server's answer to a file that is chosen, once it is shown."""
    page.fill("#words", words)
    before = page.locator("#timeline thead th").count()
    page.set_input_files("#file", clip)
    return answered(page, before)


def answered(page: Page, before: int) -> dict[str, Any]:
    """The server's last answer to a file, once more than ``before`` results are shown."""
    expect(page.locator("#timeline thead th")).to_have_count(before + 1)
    return dict(page.evaluate("() => window.answers.at(-1)"))


def drop(page: Page, clip: Path) -> dict[str, Any]:
    """The answer to a file that is dropped on the page."""
    before = page.locator("#timeline thead th").count()
    page.evaluate(
        """(data) => {
          const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
          const transfer = new DataTransfer();
          transfer.items.add(new File([bytes], "clip.wav", { type: "audio/wav" }));
          const drop = { dataTransfer: transfer, bubbles: true, cancelable: true };
          document.body.dispatchEvent(new DragEvent("dragenter", drop));
          document.body.dispatchEvent(new DragEvent("drop", drop));
        }""",
        base64.b64encode(clip.read_bytes()).decode(),
    )
    return answered(page, before)


def name(label: str) -> str:
    return FULL_NAMES[label]
