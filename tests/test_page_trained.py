"""The kiosk page with a trained GBAN: a sentence said to it is called what it was meant as.

It needs a model of the built-in corpus: GBAN_MODEL names its file, else the newest of runs/ is
taken.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers import ROOT
from page_browser import CHROMIUM, NEEDS_CHROMIUM, drop, name, opened
from playwright.sync_api import expect
from serve_server import Server

from tools.readme_figures import contrasts, speak

pytest_plugins = ["page_fixtures"]
pytestmark = NEEDS_CHROMIUM


@pytest.fixture(scope="module")
def trained() -> Path:
    """A model that never heard the speakers of session 5."""
    found = sorted(
        ROOT.glob("runs/*/tasks/gban-fold5-seed*/model.safetensors"), key=os.path.getmtime
    )
    named = os.environ.get("GBAN_MODEL")
    if not named and not found:
        pytest.skip("no trained model: `make run` leaves one in runs/, or GBAN_MODEL names one")
    return Path(named) if named else found[-1]


def test_a_sentence_is_called_what_it_was_meant_as(playwright, trained, tmp_path) -> None:
    turn = contrasts(5)[63]
    pcm, quiet = speak(turn), np.zeros(16000)
    clip, microphone = tmp_path / "clip.wav", tmp_path / "microphone.wav"
    soundfile.write(clip, pcm, 16000, subtype="PCM_16")
    sound = np.concatenate([quiet, pcm, quiet, quiet])
    soundfile.write(microphone, sound, 16000, subtype="PCM_16")
    arguments = [
        "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-audio-capture={microphone}",
    ]  # fmt: skip
    chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
    with Server(trained, tmp_path) as server, opened(chromium, server.address) as page:
        page.fill("#words", turn.sentence.text)
        assert drop(page, clip)["label"] == turn.label
        expect(page.locator("#label")).to_have_text(name(turn.label))
        page.get_by_role("button", name="Start listening").click()
        expect(page.locator("#timeline thead th")).to_have_count(2)
        expect(page.locator("#label")).to_have_text(name(turn.label))
        said = page.locator("#heat").get_attribute("aria-label") or ""
        assert f"Heat map of {(len(turn.sentence.text.split()) + 1) // 2} pairs" in said
        expect(page.locator("#map-table tbody tr").first).to_contain_text("i")
    chromium.close()
