"""The kiosk page in a real Chromium, at a real server: what it shows of its results."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import soundfile
from page_browser import NEEDS_CHROMIUM, WORDS, drop, name, send
from playwright.sync_api import Page, expect

from gban_edge import EmotionRecognizer

pytest_plugins = ["page_fixtures"]
pytestmark = NEEDS_CHROMIUM


def test_a_file_is_answered_with_label_and_probabilities(page, model, clip) -> None:
    result = send(page, clip)
    own = EmotionRecognizer.from_pretrained(model.path, "cpu")(clip, WORDS)
    assert result["probabilities"] == pytest.approx(own.probabilities, abs=1e-5)
    expect(page.locator("#label")).to_have_text(name(own.label))
    share = f"{100 * result['confidence']:.0f}%"
    expect(page.locator("#confidence")).to_have_text(f"Probability {share}")
    expect(page.locator("#announce")).to_have_text(f"{name(result['label'])}, {share}.")
    for label, probability in result["probabilities"].items():
        assert bar_share(page, label) == pytest.approx(probability, abs=0.01)
    best = page.locator("#probabilities dt.best")
    expect(best).to_have_text(name(result["label"]))


def bar_share(page: Page, key: str) -> float:
    """How much of its track a bar fills, as laid out."""
    bar = page.locator(f'[data-key="{key}"]')
    return bar.bounding_box()["width"] / bar.locator("..").bounding_box()["width"]


def test_the_bars_are_as_long_as_the_gates_contributions(page, clip) -> None:
    result = send(page, clip)
    assert set(result["contributions"]) == {"a_s", "a_t", "h_s", "h_t"}
    for key, share in result["contributions"].items():
        assert bar_share(page, key) == pytest.approx(share, abs=0.01)
        row = page.locator("#contributions dt", has_text=key)
        expect(row.locator("xpath=following-sibling::dd[1]")).to_contain_text(f"{100 * share:.0f}%")


def lines(page: Page, rows: int) -> tuple[dict, list[np.ndarray]]:
    """The heat map's place, and the RGBA [width, 4] along the middle of each of its rows."""
    plot, seen = page.evaluate(
        """(rows) => {
          const canvas = document.getElementById("heat"), plot = JSON.parse(canvas.dataset.plot);
          const pen = canvas.getContext("2d");
          return [plot, Array.from({ length: rows }, (_, row) => {
            const y = Math.round(plot.top + (row + 0.5) * plot.row);
            return [...pen.getImageData(0, y, canvas.width, 1).data];
          })];
        }""",
        rows,
    )
    return plot, [np.array(line).reshape(-1, 4) for line in seen]


def columns(times: list[list[float]]) -> list[tuple[float, float]]:
    """Where speech steps are drawn: borders half-way between the middles of what they hear."""
    middles = [sum(span) / 2 for span in times]
    between = [sum(pair) / 2 for pair in itertools.pairwise(middles)]
    return list(itertools.pairwise([times[0][0], *between, times[-1][1]]))


def test_the_heat_map_is_alpha_and_outlines_the_alignment(page, clip) -> None:
    result = send(page, clip)
    alpha = np.array(result["alpha"])
    assert alpha.shape == (5, len(result["speech_times"]))
    plot, seen = lines(page, 5)
    compared = 0
    for row, line in enumerate(seen):
        word = result["alignment"][2 * row]
        edges = [
            plot["left"] + word[k] / result["seconds"] * plot["width"] for k in ("start", "end")
        ]
        for share, (start, end) in zip(alpha[row], columns(result["speech_times"]), strict=True):
            x = plot["left"] + (start + end) / 2 / result["seconds"] * plot["width"]
            if min(abs(x - edge) for edge in edges) > 6:
                opacity = 255 * (0.06 + 0.94 * share / alpha.max())
                assert line[round(x), 3] == pytest.approx(opacity, abs=3)
                compared += 1
        # The outline is opaque, and dark on light: where alignment says that the sound lies.
        for edge, inward in zip(edges, (1, -1), strict=True):
            around = line[round(edge + inward) - 2 : round(edge + inward) + 3]
            assert any(pixel[3] > 200 and pixel[:3].max() < 140 for pixel in around)
    assert compared > 0.7 * alpha.size
    weights = [sum(w["weight"] for w in result["alignment"][i : i + 2]) for i in range(0, 9, 2)]
    said = page.locator("#heat").get_attribute("aria-label")
    assert f"Counted most: “w{2 * int(np.argmax(weights)) + 2}" in said
    help_text = f"Colour: attention, up to {100 * alpha.max():.0f}%"
    expect(page.locator("#map-help")).to_contain_text(help_text)


def changed(page: Page, change) -> None:
    """From now on answers are the server's with ``change`` made to them."""

    def answer(route) -> None:
        response = route.fetch()
        result = response.json()
        change(result)
        route.fulfill(response=response, json=result)

    page.route("**/v1/recognize*", answer)


def test_without_alpha_it_says_so_and_outlines_alone(page, clip) -> None:
    changed(page, lambda result: result.update(alpha=None, speech_times=None))
    result = send(page, clip)
    expect(page.locator("#map-help")).to_contain_text("does not tell how attention was spread")
    plot, seen = lines(page, 5)
    for row, line in enumerate(seen):
        word = result["alignment"][2 * row]
        middle = (word["start"] + word["end"]) / 2 / result["seconds"]
        assert line[round(plot["left"] + middle * plot["width"]), 3] == 0


def test_a_network_without_alignment_or_gates_is_said_to_be_one(page, clip) -> None:
    lacks = ("alignment", "alpha", "speech_times", "speech_weights", "text_weights")
    changed(page, lambda result: result.update(dict.fromkeys((*lacks, "contributions"))))
    send(page, clip)
    expect(page.locator("#map-said")).to_have_text("This model does not align words with sound.")
    expect(page.locator("#no-gates")).to_have_text("This model has no gates.")


def test_the_waveform_is_that_of_the_sound(page, clip) -> None:
    send(page, clip)
    ink = page.evaluate(
        """() => {
          const canvas = document.getElementById("heat"), plot = JSON.parse(canvas.dataset.plot);
          const pen = canvas.getContext("2d"), wide = Math.round(plot.width);
          const y = Math.round(plot.wave.top), high = Math.round(plot.wave.height);
          const pixels = pen.getImageData(Math.round(plot.left), y, wide, high).data;
          return Array.from({ length: wide }, (_, x) => {
            let count = 0;
            for (let row = 0; row < high; row++) count += pixels[4 * (row * wide + x) + 3] > 200;
            return count;
          });
        }"""
    )
    pcm, _ = soundfile.read(clip)
    loud = [float(np.abs(part).max()) for part in np.array_split(pcm, len(ink))]
    assert np.corrcoef(ink, loud)[0, 1] > 0.9


def test_the_table_says_what_the_heat_map_shows(page, clip) -> None:
    result = send(page, clip)
    page.get_by_role("button", name="As a table").press("Enter")
    rows = page.locator("#map-table tbody tr")
    expect(rows).to_have_count(9)
    for i, word in enumerate(result["alignment"]):
        figures = f"{word['start']:.2f}{word['end']:.2f}{100 * word['weight']:.0f}%"
        expect(rows.nth(i)).to_have_text(word["word"] + figures)
    expect(page.locator("#heat")).to_be_hidden()
    page.get_by_role("button", name="As a table").press("Space")
    expect(page.locator("#heat")).to_be_visible()
    expect(page.locator("#map-text")).to_be_hidden()


def test_without_words_it_says_that_nothing_is_aligned(page, clip) -> None:
    assert send(page, clip, "")["alignment"] == []
    expect(page.locator("#map-said")).to_contain_text("No words were given")
    expect(page.locator("#map-said")).to_contain_text("worth less")
    expect(page.locator("#facts")).to_contain_text("no words")
    expect(page.get_by_role("button", name="As a table")).to_be_hidden()


def test_results_over_time_stand_in_order(page, clip) -> None:
    results = [send(page, clip, words) for words in ("w2", "w3 w4", "w5 w6 w7")]
    for row, label in enumerate(results[0]["probabilities"]):
        cells = page.locator("#timeline tbody tr").nth(row).locator("td .hidden")
        shares = [f"{100 * result['probabilities'][label]:.0f}%" for result in results]
        expect(cells).to_have_text(shares)
        head = page.locator("#timeline tbody th").nth(row).bounding_box()
        bars = [
            bar.bounding_box() for bar in page.locator("#timeline .column").all()[3 * row :][:3]
        ]
        places = [head["x"], *(bar["x"] for bar in bars), 1024]
        assert places == sorted(places)
        assert places[0] > page.locator("#history").bounding_box()["x"]
        tallest = page.locator("#timeline tbody td").first.bounding_box()["height"]
        for bar, result in zip(bars, results, strict=True):
            assert bar["width"] > 25
            assert bar["height"] == pytest.approx(
                tallest * 0.9 * result["probabilities"][label], abs=1
            )


def test_a_dropped_file_is_answered(page, clip) -> None:
    result = drop(page, clip)
    expect(page.locator("#label")).to_have_text(name(result["label"]))
    expect(page.locator("#drop")).to_be_hidden()


def test_an_abstention_is_called_not_sure(page, clip) -> None:
    changed(page, lambda result: result.update(label="", abstained=True))
    result = send(page, clip)
    best = name(max(result["probabilities"], key=result["probabilities"].get))
    expect(page.locator("#label")).to_have_text("not sure")
    expect(page.locator("#announce")).to_contain_text(f"Not sure. Most likely {best}")
    expect(page.locator("#probabilities .best")).to_have_count(0)
