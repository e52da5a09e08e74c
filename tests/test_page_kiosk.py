"""The kiosk page in a real Chromium: what it shows of a real recogniser's results."""

from __future__ import annotations

import base64

import numpy as np
import pytest
import soundfile
from page_browser import NEEDS_CHROMIUM, SECONDS, name, opened, send
from page_server import serving
from playwright.sync_api import Page, expect

from gban_edge import EmotionRecognizer, features
from gban_edge.runtime.result import heard_by

pytest_plugins = ["page_fixtures"]
pytestmark = NEEDS_CHROMIUM


def test_a_file_is_answered_with_label_and_probabilities(page, server, clip) -> None:
    result = send(page, server, clip)
    expect(page.locator("#label")).to_have_text(name(result["label"]))
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


def test_the_bars_are_as_long_as_the_gates_contributions(page, server, clip) -> None:
    result = send(page, server, clip)
    assert set(result["contributions"]) == {"a_s", "a_t", "h_s", "h_t"}
    for key, share in result["contributions"].items():
        assert bar_share(page, key) == pytest.approx(share, abs=0.01)
        row = page.locator("#contributions dt", has_text=key)
        expect(row.locator("xpath=following-sibling::dd[1]")).to_contain_text(f"{100 * share:.0f}%")


def strongest(page: Page) -> tuple[int, float]:
    """The heat map's row and time whose colour is furthest from the panel's, seen in its pixels."""
    x, y, plot = page.evaluate(
        """() => {
          const canvas = document.getElementById("heat"), plot = JSON.parse(canvas.dataset.plot);
          const words = document.querySelectorAll("#map-table tbody tr").length;
          const wide = Math.round(plot.width);
          const pen = canvas.getContext("2d");
          let best = [-1, 0, 0];
          for (let row = 0; row < words / 2; row++) {
            const line = plot.top + (row + 0.5) * plot.row;
            const pixels = pen.getImageData(Math.round(plot.left), Math.round(line), wide, 1).data;
            for (let x = 3; x < wide - 3; x++)
              if (pixels[4 * x + 3] > best[0] && inside(pixels, x))
                best = [pixels[4 * x + 3], x, row];
          }
          // An outline is a line: a cell's neighbours to both sides are as strong as it is.
          function inside(pixels, x) {
            const at = (i) => pixels[4 * (x + i) + 3];
            return Math.abs(at(-2) - at(0)) < 2 && Math.abs(at(2) - at(0)) < 2;
          }
          return [best[1], best[2], plot];
        }"""
    )
    return y, SECONDS * x / plot["width"]


def test_the_heat_map_is_strongest_where_most_was_counted(page, server, clip) -> None:
    result = send(page, server, clip)
    row, time = strongest(page)
    weights = [sum(w["weight"] for w in result["alignment"][i : i + 2]) for i in range(0, 9, 2)]
    assert row == int(np.argmax(weights))
    word = result["alignment"][2 * row]
    assert word["start"] - 0.02 <= time <= word["end"] + 0.02
    said = page.locator("#heat").get_attribute("aria-label")
    assert f"Counted most: “w{2 * row + 2}" in said


def test_the_heat_map_is_strongest_where_alpha_is_greatest(page, server, model, clip) -> None:
    pcm, _ = soundfile.read(clip, dtype="float32")
    alpha = model.alpha(features.extract(pcm), list(range(2, 11)))
    alpha[3, 6] = 0.9  # so that one cell stands out, of which nothing else of the result tells
    server.extra = {"alpha": alpha.tolist()}
    result = send(page, server, clip)
    weights = np.array(result["text_weights"])
    row, step = np.unravel_index((weights[:, None] * alpha).argmax(), alpha.shape)
    seen, time = strongest(page)
    assert seen == row
    assert (row, step) == (3, 6)
    assert time == pytest.approx(sum(heard_by(model.config, 6)) / 2, abs=0.15)


def test_the_waveform_is_that_of_the_sound(page, server, clip) -> None:
    send(page, server, clip)
    ink = page.evaluate(
        """() => {
          const canvas = document.getElementById("heat"), plot = JSON.parse(canvas.dataset.plot);
          const pen = canvas.getContext("2d"), wide = Math.round(plot.width);
          const y = Math.round(canvas.height * 0.66), high = Math.round(canvas.height * 0.88) - y;
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


def test_the_table_says_what_the_heat_map_shows(page, server, clip) -> None:
    result = send(page, server, clip)
    page.locator("#map-text summary").press("Enter")
    rows = page.locator("#map-table tbody tr")
    expect(rows).to_have_count(9)
    for i, word in enumerate(result["alignment"]):
        figures = f"{word['start']:.2f}{word['end']:.2f}{100 * word['weight']:.0f}%"
        expect(rows.nth(i)).to_have_text(word["word"] + figures)


def test_without_words_it_says_that_nothing_is_aligned(page, server, clip) -> None:
    send(page, server, clip, "")
    expect(page.locator("#map-said")).to_contain_text("No words were given")
    expect(page.locator("#map-text")).to_be_hidden()


def test_results_over_time_stand_in_order(page, server, clip) -> None:
    results = [send(page, server, clip, words) for words in ("w2", "w3 w4", "w5 w6 w7")]
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


def test_a_dropped_file_is_answered(page, server, clip) -> None:
    data = base64.b64encode(clip.read_bytes()).decode()
    page.evaluate(
        """(data) => {
          const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
          const transfer = new DataTransfer();
          transfer.items.add(new File([bytes], "clip.wav", { type: "audio/wav" }));
          const drop = { dataTransfer: transfer, bubbles: true, cancelable: true };
          document.body.dispatchEvent(new DragEvent("dragenter", drop));
          document.body.dispatchEvent(new DragEvent("drop", drop));
        }""",
        data,
    )
    expect(page.locator("#label")).to_have_text(name(server.results[-1]["label"]))
    expect(page.locator("#drop")).to_be_hidden()


def test_an_abstention_is_called_not_sure(browser, model, clip) -> None:
    unsure = EmotionRecognizer.from_pretrained(model.path, abstain_below=1.0)
    with serving(unsure) as server:
        for page in opened(browser, server):
            result = send(page, server, clip)
            best = name(max(result["probabilities"], key=result["probabilities"].get))
            expect(page.locator("#label")).to_have_text("not sure")
            expect(page.locator("#announce")).to_contain_text(f"Not sure. Most likely {best}")
            expect(page.locator("#probabilities .best")).to_have_count(0)
