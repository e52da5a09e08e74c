"""The kiosk page for everyone: keyboard, screen reader, contrast, small screens, calm."""

from __future__ import annotations

import numpy as np
import pytest
from page_browser import NEEDS_CHROMIUM, opened, send
from playwright.sync_api import Page, expect

pytest_plugins = ["page_fixtures"]
pytestmark = NEEDS_CHROMIUM
# 22 words: more than most people say in 7.5 s.
MANY = " ".join(f"w{i}" for i in range(2, 24))


def test_everything_is_reached_by_keyboard_and_seen_to_be(page, clip) -> None:
    send(page, clip)
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
    assert reached == ["listen", "words", "choose", "map-switch", "past"]
    for start, end in (("Enter", "Space"), ("Space", "Escape")):
        page.locator("#listen").focus()
        page.keyboard.press(start)
        expect(page.locator("#state")).to_have_text("Listening")
        page.keyboard.press(end)
        expect(page.locator("#state")).to_have_text("Not listening")


def tree(page: Page) -> list[tuple[str, str, dict]]:
    """Role, name and properties of what Chromium tells a screen reader."""
    nodes = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    return [
        (node["role"]["value"], node.get("name", {}).get("value", ""),
         {each["name"]: each["value"].get("value") for each in node.get("properties", [])})
        for node in nodes if not node["ignored"]
    ]  # fmt: skip


def test_a_screen_reader_is_told_all_of_it(page, clip) -> None:
    result = send(page, clip)
    found = {(role, name): properties for role, name, properties in tree(page)}
    named = set(found)
    assert {
        ("button", "Start listening"), ("button", "End utterance"), ("button", "Open a sound file"),
        ("button", "As a table"), ("textbox", "Words"), ("meter", "Level"), ("banner", ""),
        ("main", ""), ("heading", "Emotion in speech"), ("region", "Input"), ("region", "Now"),
        ("region", "Where each word listened"), ("region", "What decided: sound or words"),
        ("region", "Over time"), ("table", "Probability of each emotion, one column a result, "
                                           "the newest last"),
    } <= named, named  # fmt: skip
    assert found["button", "Start listening"]["pressed"] == "false"
    assert found["button", "End utterance"]["disabled"]
    assert any(role == "image" and name.startswith("Heat map of 5") for role, name in named)
    live = [properties for role, _, properties in tree(page) if role == "status"]
    assert [properties["live"] for properties in live] == ["polite"]
    landmarks = [(role, name) for role, name, _ in tree(page) if role == "region"]
    assert len(landmarks) == len(set(landmarks))
    # No control is without a name, and nothing that is only for the eye is read out.
    assert all(name for role, name in named if role in ("button", "textbox", "meter", "image"))
    read = " ".join(name for role, name in named if role == "StaticText")
    assert "Emotion is being estimated" in read
    assert "nothing is stored" in read
    for share in (*result["probabilities"].values(), *result["contributions"].values()):
        assert f"{100 * share:.0f}%" in read
    page.set_input_files("#file", __file__)
    expect(page.locator("#problem")).to_be_visible()
    alerts = [properties for role, _, properties in tree(page) if role == "alert"]
    assert [properties["live"] for properties in alerts] == ["assertive"]


def test_the_same_answer_twice_is_said_twice(page, clip) -> None:
    send(page, clip)
    first = page.locator("#announce span").element_handle()
    send(page, clip)
    assert not first.evaluate("(node) => node.isConnected")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_the_contrast_of_wcag_aa(browser, server, clip, scheme) -> None:
    with opened(browser, server.address, color_scheme=scheme) as page:
        send(page, clip)
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


@pytest.mark.parametrize(("width", "height"), [(1024, 600), (800, 480)])
def test_a_seven_inch_screen_shows_everything_at_once(browser, server, clip, width, height) -> None:
    with opened(browser, server.address, viewport={"width": width, "height": height}) as page:
        send(page, clip)
        for _ in range(2):
            size = page.evaluate(
                "() => ['scrollWidth', 'scrollHeight'].map((one) => document.documentElement[one])"
            )
            assert size == [width, height]
            large = page.locator("#label").evaluate(
                "(at) => parseFloat(getComputedStyle(at).fontSize)"
            )
            assert large > 50
            if width == 800:
                break
            send(page, clip, MANY)


def test_on_a_phone_nothing_is_cut_off_at_the_side(browser, server, clip) -> None:
    phone = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
    with opened(browser, server.address, **phone) as page:
        send(page, clip, MANY)
        assert page.evaluate("() => document.documentElement.scrollWidth") == 390
        for panel in page.locator("#panels > section, #controls > *").all():
            if panel.is_visible():
                box = panel.bounding_box()
                assert box["x"] >= 0
                assert box["x"] + box["width"] <= 390
        # The table of results scrolls in itself; its emotions' names stay in sight.
        head, names = page.locator("#past").bounding_box(), page.locator("#timeline tbody th")
        assert names.first.bounding_box()["x"] == pytest.approx(head["x"], abs=1)


def test_nothing_moves_for_those_who_asked_for_it(page, clip) -> None:
    send(page, clip)
    bar = page.locator("#contributions .bar").first
    assert bar.evaluate("(at) => getComputedStyle(at).transitionDuration") == "0s"
