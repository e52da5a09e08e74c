"""The kiosk page in a real Chromium, at real servers: listening, and what goes wrong."""

from __future__ import annotations

import json
import subprocess
import threading
from contextlib import ExitStack
from urllib.parse import urlsplit

import numpy as np
import pytest
from page_browser import CHROMIUM, NEEDS_CHROMIUM, drop, name, opened, send
from playwright.sync_api import Page, expect
from serve_server import Server, until
from spoken import speech
from websockets.sync.client import connect

pytest_plugins = ["page_fixtures"]
pytestmark = NEEDS_CHROMIUM
TOKEN = "a-token-for-the-kiosk"


def listen(page: Page) -> None:
    page.get_by_role("button", name="Start listening").click()
    expect(page.locator("#state")).to_have_text("Listening")


class Frames:
    """What goes over the page's WebSockets."""

    def __init__(self, page: Page) -> None:
        self.sent: list[str | bytes] = []
        self.received: list[dict] = []
        page.on("websocket", self._follow)

    def _follow(self, channel) -> None:
        channel.on("framesent", lambda frame: self.sent.append(frame))
        channel.on("framereceived", lambda text: self.received.append(json.loads(text)))

    @property
    def result(self) -> dict:
        """The first one."""
        return next(event["result"] for event in self.received if event["type"] == "result")


def test_an_utterance_at_the_microphone_is_answered(page) -> None:
    frames = Frames(page)
    page.fill("#words", "w2 w3 w4")
    listen(page)
    expect(page.locator("#state")).to_have_text("Hearing speech")
    expect(page.locator("#timeline thead th")).to_have_count(1)
    assert json.loads(frames.sent[0]) == {"type": "start", "sample_rate": 16000, "words": None}
    sound = [frame for frame in frames.sent if isinstance(frame, bytes)]
    pcm = np.frombuffer(b"".join(sound), "<i2") / 32768
    spoken = speech("that is incredible")
    assert np.abs(pcm).max() == pytest.approx(np.abs(spoken).max(), rel=0.1)
    result = frames.result
    assert abs(result["seconds"] - len(spoken) / 16000) < 0.7
    assert [word["word"] for word in result["alignment"]] == ["w2", "w3", "w4"]
    assert_shown(page, result)
    page.get_by_role("button", name="Stop listening").click()
    expect(page.locator("#state")).to_have_text("Not listening")
    expect(page.locator("#level")).to_have_attribute("aria-valuetext", "silence")


def assert_shown(page: Page, result: dict) -> None:
    """The label, the gates' bars and the heat map are those of ``result``."""
    expect(page.locator("#label")).to_have_text(name(result["label"]))
    for key, share in result["contributions"].items():
        width = page.locator(f'[data-key="{key}"]').evaluate("(at) => at.style.width")
        assert float(width.removesuffix("%")) == pytest.approx(100 * share, abs=1e-3)  # six digits
    pairs = (len(result["alignment"]) + 1) // 2
    heat = page.get_by_role("img", name=f"Heat map of {pairs} pairs of words")
    expect(heat).to_be_visible()
    assert heat.bounding_box()["height"] > 100
    help_text = f"up to {100 * np.max(result['alpha']):.0f}%"
    expect(page.locator("#map-help")).to_contain_text(help_text)


def test_an_utterance_is_ended_by_hand(page) -> None:
    frames = Frames(page)
    listen(page)
    expect(page.locator("#confidence")).to_contain_text("speak")
    expect(page.locator("#state")).to_have_text("Hearing speech")
    page.get_by_role("button", name="End utterance").click()
    expect(page.locator("#timeline thead th")).to_have_count(1)
    assert frames.result["seconds"] < len(speech("that is incredible")) / 16000 + 0.3
    page.keyboard.press("Escape")
    expect(page.locator("#state")).to_have_text("Not listening")


@pytest.fixture(scope="module")
def guarded(model, tmp_path_factory):
    """A server with a token, over https with a certificate that it signed itself."""
    folder = tmp_path_factory.mktemp("guarded")
    files = {"certificate": folder / "certificate.pem", "key": folder / "key.pem"}
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "2", "-subj", "/CN=localhost", "-out", files["certificate"]]
    try:
        subprocess.run([*command, "-keyout", files["key"]], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("no openssl on the PATH")
    options = {key: str(path) for key, path in files.items()}
    with Server(model.path, folder, token=TOKEN, hosts=["kiosk.test"], **options) as server:
        yield server


def test_over_https_with_its_token_everything_works(browser, guarded, clip) -> None:
    assert urlsplit(guarded.address).scheme == "https"
    query = f"?token={TOKEN}"
    with opened(browser, guarded.address, query, ignore_https_errors=True) as page:
        frames = Frames(page)
        assert page.evaluate("() => isSecureContext")
        assert_shown(page, send(page, clip))
        assert_shown(page, drop(page, clip))
        page.fill("#words", "w5 w6 w7 w8 w9")
        listen(page)
        expect(page.locator("#timeline thead th")).to_have_count(3)
        assert_shown(page, frames.result)
        assert TOKEN not in page.locator("body").inner_text()


def test_without_its_token_the_page_says_what_it_lacks(browser, guarded) -> None:
    with opened(browser, guarded.address, ignore_https_errors=True) as page:
        alert = page.get_by_role("alert")
        expect(alert).to_contain_text("This server wants a token: open the page with ?token=")
        page.get_by_role("button", name="Start listening").click()
        expect(page.locator("#state")).to_have_text("Not connected")
        expect(alert).to_contain_text("This server wants a token")


def test_on_another_device_it_says_where_the_sound_goes(playwright, guarded, server) -> None:
    rules = "--host-resolver-rules=MAP kiosk.test 127.0.0.1"
    chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=[rules])
    there = guarded.address.replace("127.0.0.1", "kiosk.test")
    with opened(chromium, there, f"?token={TOKEN}", ignore_https_errors=True) as page:
        expect(page.locator("#notice")).to_contain_text(
            "It happens on kiosk.test, where this page sends the sound, and nothing is stored."
        )
    with opened(chromium, server.address) as page:
        expect(page.locator("#notice")).to_contain_text("It happens on this device alone, and")
    chromium.close()


def test_a_server_that_is_started_again_is_found_again(browser, model, tmp_path) -> None:
    with Server(model.path, tmp_path) as first, opened(browser, first.address) as page:
        listen(page)
        assert first.stop() == 0
        expect(page.get_by_role("alert")).to_contain_text("The server does not answer.")
        expect(page.locator("#state")).to_have_text("Not connected")
        with Server(model.path, tmp_path, port=first.port):
            expect(page.locator("#problem")).to_be_hidden()
            expect(page.locator("#timeline thead th")).to_have_count(1)
            page.get_by_role("button", name="Stop listening").click()


def test_a_busy_server_is_named_in_plain_words(page, server, clip) -> None:
    other = threading.Thread(target=server.recognize, args=("hold",))
    other.start()
    until(server.held)
    page.set_input_files("#file", clip)
    expect(page.get_by_role("alert")).to_have_text(
        "The device is busy with other listeners. Wait a moment, then try again."
    )
    server.release()
    other.join()
    send(page, clip)
    expect(page.locator("#problem")).to_be_hidden()


def test_a_stream_finds_its_place_once_another_ends(page, server) -> None:
    address = server.address.replace("http", "ws") + "/v1/stream"
    with ExitStack() as others:
        for _ in range(3):
            other = others.enter_context(connect(address))
            other.send('{"type": "start"}')
            assert json.loads(other.recv()) == {"type": "ready"}
        page.get_by_role("button", name="Start listening").click()
        alert = page.get_by_role("alert")
        expect(alert).to_contain_text("The device is busy with other listeners.")
        other.close()
        expect(page.locator("#problem")).to_be_hidden()
        expect(page.locator("#state")).to_have_text("Listening")


def test_a_file_that_is_no_sound_is_refused_in_plain_words(page, tmp_path) -> None:
    path = tmp_path / "letter.wav"
    path.write_text("not a sound")
    page.set_input_files("#file", path)
    expect(page.get_by_role("alert")).to_contain_text("That sound could not be used.")


def test_a_microphone_that_is_still_opening_can_be_stopped(page) -> None:
    page.evaluate(
        """() => {
          const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
          navigator.mediaDevices.getUserMedia = async (asked) => {
            await new Promise((resolve) => { window.allow = resolve; });
            window.media = await real(asked);
            return window.media;
          };
        }"""
    )
    for stop in (lambda: page.keyboard.press("Escape"), lambda: page.click("#listen")):
        page.click("#listen")
        expect(page.locator("#state")).to_have_text("Opening the microphone")
        stop()
        expect(page.locator("#state")).to_have_text("Not listening")
        page.evaluate("() => window.allow()")
        page.wait_for_function("() => window.media?.getTracks()[0].readyState === 'ended'")
        expect(page.locator("#state")).to_have_text("Not listening")
        expect(page.locator("#listen")).to_have_text("Start listening")
        page.evaluate("() => { window.media = undefined; }")


def test_a_file_of_an_unknown_type_is_looked_into(page, clip, tmp_path) -> None:
    whole = tmp_path / "sound.raw"  # a WAV under another name
    whole.write_bytes(clip.read_bytes())
    page.set_input_files("#file", whole)
    expect(page.locator("#facts")).to_contain_text("3.0 s of sound")
    noise = tmp_path / "noise.bin"
    noise.write_bytes(np.random.default_rng(0).bytes(20000))
    page.set_input_files("#file", noise)
    expect(page.get_by_role("alert")).to_contain_text("That sound could not be used.")


def test_a_refused_microphone_is_explained(playwright, server) -> None:
    arguments = ["--use-fake-device-for-media-stream"]
    chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
    with opened(chromium, server.address, permissions=[]) as page:
        page.get_by_role("button", name="Start listening").click()
        expect(page.get_by_role("alert")).to_contain_text("not allowed to use the microphone")
        expect(page.get_by_role("button", name="Start listening")).to_be_enabled()
    chromium.close()


def test_a_missing_microphone_is_explained(page) -> None:
    page.evaluate(
        """() => {
          navigator.mediaDevices.getUserMedia = async () => {
            throw new DOMException("Requested device not found", "NotFoundError");
          };
        }"""
    )
    page.get_by_role("button", name="Start listening").click()
    expect(page.get_by_role("alert")).to_contain_text("No microphone was found.")
