"""The kiosk page in a real Chromium: listening, what goes wrong, and who can use it."""

from __future__ import annotations

import numpy as np
import pytest
from page_browser import CHROMIUM, NEEDS_CHROMIUM, SMALL_SCREEN, name, opened, send
from playwright.sync_api import expect

pytest_plugins = ["page_fixtures"]
pytestmark = NEEDS_CHROMIUM


def listen(page) -> None:
    page.get_by_role("button", name="Start listening").click()
    expect(page.locator("#state")).to_have_text("Listening")


def test_an_utterance_at_the_microphone_is_answered(page, server) -> None:
    page.fill("#words", "w2 w3 w4")
    before = len(server.results)
    listen(page)
    expect(page.locator("#state")).to_have_text("Hearing speech")
    expect(page.locator("#timeline thead th")).to_have_count(1)
    result = server.results[before]
    assert 0.9 < result["seconds"] < 2.5  # 1 s of noise, and the pause that ends it
    assert [word["word"] for word in result["alignment"]] == ["w2", "w3", "w4"]
    expect(page.locator("#label")).to_have_text(name(result["label"]))
    expect(page.locator("#facts")).to_contain_text("answered in 1.0 ms")  # the server's latency
    levels = set()
    while not (min(levels, default=0) <= -55 and max(levels) > -30):  # silence, noise of -14 dB
        levels.add(int(page.locator("#level").get_attribute("aria-valuenow")))
    page.get_by_role("button", name="Stop listening").click()
    expect(page.locator("#state")).to_have_text("Not listening")
    expect(page.locator("#level")).to_have_attribute("aria-valuetext", "silence")


def test_what_is_sent_is_the_microphones_sound_at_16_khz(page, server) -> None:
    before, blocks = len(server.sent), []
    page.on("websocket", lambda channel: channel.on("framesent", lambda data: blocks.append(data)))
    listen(page)
    expect(page.locator("#timeline thead th")).to_have_count(1)
    assert server.sent[before] == {"type": "start", "sample_rate": 16000, "words": None}
    sound = [block for block in blocks if isinstance(block, bytes)]
    pcm = np.frombuffer(b"".join(sound), "<i2") / 32768
    assert np.abs(pcm).max() > 0.3
    assert np.sqrt(np.mean(pcm**2)) < 0.2  # the noise's own: there is silence about it


def test_an_utterance_is_ended_by_hand(page, server) -> None:
    before = len(server.results)
    listen(page)
    expect(page.locator("#state")).to_have_text("Hearing speech")
    page.get_by_role("button", name="End utterance").click()
    expect(page.locator("#timeline thead th")).to_have_count(1)
    assert server.results[before]["seconds"] < 1.5


def test_a_lost_connection_comes_back_by_itself(page, server) -> None:
    listen(page)
    expect(page.locator("#timeline thead th")).to_have_count(1)
    server.busy = True  # so that it stays away for a while
    server.cut_off()
    problem = page.get_by_role("alert")
    expect(problem).to_contain_text("The connection to the server was lost. Trying again in 1 s.")
    expect(problem).to_contain_text("The device is busy with other listeners. Trying again")
    expect(page.locator("#state")).to_have_text("Not connected")
    server.busy = False
    expect(page.locator("#problem")).to_be_hidden()
    expect(page.locator("#timeline thead th")).to_have_count(2)


def test_a_stream_that_is_refused_for_its_token_says_so(page, server) -> None:
    server.token = True
    page.get_by_role("button", name="Start listening").click()
    expect(page.get_by_role("alert")).to_contain_text("This server wants a token")


def test_a_busy_server_is_named_in_plain_words(page, server, clip) -> None:
    server.busy = True
    page.set_input_files("#file", clip)
    expect(page.get_by_role("alert")).to_have_text(
        "The device is busy with other listeners. Wait a moment, then try again."
    )
    server.busy = False
    send(page, server, clip)
    expect(page.locator("#problem")).to_be_hidden()


def test_a_file_that_is_no_sound_is_refused_in_plain_words(page, tmp_path) -> None:
    path = tmp_path / "letter.wav"
    path.write_text("not a sound")
    page.set_input_files("#file", path)
    expect(page.get_by_role("alert")).to_contain_text("Save it as WAV.")


def test_a_refused_microphone_is_explained(playwright, server) -> None:
    chromium = playwright.chromium.launch(
        executable_path=CHROMIUM, args=["--use-fake-device-for-media-stream"]
    )
    for page in opened(chromium, server, permissions=[]):
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


def test_everything_is_reached_by_keyboard_and_seen_to_be(page, server, clip) -> None:
    send(page, server, clip)
    page.locator("#notice").click()
    reached = []
    for _ in range(12):
        page.keyboard.press("Tab")
        place, outline = page.evaluate(
            """() => {
              const at = document.activeElement, style = getComputedStyle(at);
              return [at.id || at.tagName, style.outlineStyle === "solid" && style.outlineWidth];
            }"""
        )
        if place in ("BODY", *reached):
            break
        assert outline == "3px", place
        reached.append(place)
    assert reached == ["listen", "words", "choose", "SUMMARY", "past"]
    page.locator("#listen").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#state")).to_have_text("Listening")
    page.keyboard.press("Space")
    expect(page.locator("#state")).to_have_text("Not listening")


def test_results_are_told_to_screen_readers(page, server, clip) -> None:
    send(page, server, clip)
    live = page.locator("#announce")
    expect(live).to_have_attribute("aria-live", "polite")
    first = live.locator("span").element_handle()
    send(page, server, clip)
    assert not first.evaluate("(node) => node.isConnected")  # the same words are said once more
    tree = page.locator("body").aria_snapshot()
    for part in ('textbox "Words"', 'meter "Level"', "Heat map of 5 pairs", 'region "Over time"'):
        assert part in tree, tree
    assert page.get_by_text("Emotion is being estimated").is_visible()
    assert "nothing is stored" in page.locator("#notice").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_the_contrast_of_wcag_aa(browser, server, clip, scheme) -> None:
    for page in opened(browser, server, color_scheme=scheme):
        send(page, server, clip)
        page.set_input_files("#file", __file__)  # a problem, to be seen too
        expect(page.locator("#problem")).to_be_visible()
        found = page.evaluate(
            """() => [...document.querySelectorAll("body *")]
              .filter((at) => at.checkVisibility() && !at.disabled && !at.closest(".hidden"))
              .filter((at) => [...at.childNodes].some((n) => n.nodeType === 3 && n.data.trim()))
              .map((at) => {
                let behind = at;
                const solid = () => getComputedStyle(behind).backgroundColor;
                while (solid() === "rgba(0, 0, 0, 0)") behind = behind.parentElement;
                return [at.textContent, getComputedStyle(at).color, solid()];
              })"""
        )
        assert len(found) > 30
        for text, ink, ground in found:
            assert contrast(ink, ground) >= 4.5, (text, ink, ground)


def contrast(one: str, other: str) -> float:
    """WCAG 2.1's ratio of two colours "rgb(r, g, b)"."""
    lights = []
    for colour in (one, other):
        parts = np.array([int(c) for c in colour[4:-1].split(",")]) / 255
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        lights.append(float(linear @ [0.2126, 0.7152, 0.0722]) + 0.05)
    return max(lights) / min(lights)


def test_a_seven_inch_screen_shows_everything_at_once(page, server, clip) -> None:
    send(page, server, clip)
    size = page.evaluate(
        "() => [document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
    )
    assert size == [SMALL_SCREEN["width"], SMALL_SCREEN["height"]]
    assert page.locator("#label").evaluate("(at) => parseFloat(getComputedStyle(at).fontSize)") > 60


def test_nothing_moves_for_those_who_asked_for_it(page, server, clip) -> None:
    send(page, server, clip)
    bar = page.locator("#contributions .bar").first
    assert bar.evaluate("(at) => getComputedStyle(at).transitionDuration") == "0s"
