"""The alignment's picture: what is drawn is what the result says, in every case that there is."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from helpers import SMALL, speech_like
from plot_parts import (
    AUTHORS,
    WORDS,
    assert_nothing_overlaps,
    drawn,
    panels,
    recognizer_of,
    texts,
    ticks,
)

from gban_edge import plot, plot_heat
from gban_edge.runtime.result import heard_by

pytest_plugins = ["plot_fixtures"]


def cell(heat, row, step, steps):
    """A row is its cells, then its outline in white and in black."""
    return heat.patches[row * (steps + 2) + step]


def spread(values):
    """Speech steps at their middles; borders half-way; the first and last as far as they hear."""
    middles = [(a + b) / 2 for a, b in values]
    between = [(a + b) / 2 for a, b in itertools.pairwise(middles)]
    return list(itertools.pairwise([values[0][0], *between, values[-1][1]]))


def test_a_cell_is_a_pair_of_words_and_a_speech_step(result):
    figure = plot.alignment(result)
    heat, _, speech, scale = panels(figure)
    assert ticks(heat) == ["w2 w3", "w4 w5", "w6"]
    steps = len(result.speech_weights)
    assert result.alpha.shape == (3, steps)
    assert len(heat.patches) == 3 * (steps + 2)
    heard = [tuple(np.minimum(heard_by(AUTHORS, k), result.seconds)) for k in range(steps)]
    for row, step in itertools.product(range(3), range(steps)):
        box = cell(heat, row, step, steps)
        expected = spread(heard)[step]
        assert (box.get_x(), box.get_x() + box.get_width()) == pytest.approx(expected)
        assert box.get_y() + box.get_height() / 2 == pytest.approx(row)
    low, high = heat.get_ylim()
    assert low > 2.4 > -0.5 > high  # the first pair on top, none cut off
    assert speech.get_xlim() == heat.get_xlim() == (0, result.seconds)
    (bar,) = scale.child_axes
    assert [text.get_text() for text in bar.get_xticklabels()] == [
        "0%", f"{100 * result.alpha.max():.0f}%"
    ]  # fmt: skip
    assert texts(scale) == [f"even: {100 / steps:.0f}%"]


def lightness(colour):
    """CIE L*, by which the eye and a grey print tell colours apart."""
    parts = np.asarray(colour[:3])
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return 116 * np.cbrt(linear @ [0.2126, 0.7152, 0.0722]) - 16


def test_a_cell_is_darker_the_more_its_row_attended_to_the_step(result):
    rng = np.random.default_rng(2)
    alpha = rng.dirichlet(np.ones(result.alpha.shape[1]), 3).astype(np.float32)
    heat, *_ = panels(plot.alignment(replace(result, alpha=alpha)))
    seen = [lightness(cell(heat, *at, alpha.shape[1]).get_facecolor())
            for at in np.ndindex(alpha.shape)]  # fmt: skip
    order = np.argsort(alpha.ravel())
    assert (np.diff(np.array(seen)[order]) < 0).all()
    assert min(seen) < 25
    assert lightness(plot_heat.shade(0.0)) > 90
    # Evenly: to the eye, half of the attention is about half-way.
    assert 40 < lightness(plot_heat.shade(0.5)) < 65


def test_the_sound_that_a_row_attended_to_most_is_outlined(result):
    heat, *_ = panels(plot.alignment(result))
    steps = result.alpha.shape[1]
    for row in range(3):
        most = int(result.alpha[row].argmax())
        word = result.alignment[2 * row]
        for box in heat.patches[row * (steps + 2) + steps :][:2]:
            assert box.get_facecolor()[3] == 0
            span = box.get_x(), box.get_x() + box.get_width()
            assert span == pytest.approx((word.start, word.end))
            inside = cell(heat, row, most, steps)
            assert span[0] <= inside.get_x() + inside.get_width() / 2 <= span[1]


def test_what_a_row_counted_stands_at_its_right(result):
    _, counted, *_ = panels(plot.alignment(result))
    weights = result.text_weights
    assert texts(counted) == [f"{100 * weight:.0f}%" for weight in weights]
    widths = [bar.get_width() for bar in counted.patches]
    assert widths == pytest.approx(list(weights / weights.max()), rel=1e-5)
    assert counted.get_ylim() == panels(plot.alignment(result))[0].get_ylim()


def test_a_bar_a_speech_step_stands_at_the_middle_of_what_it_hears(result):
    speech = panels(plot.alignment(result))[2]
    heights = [bar.get_height() for bar in speech.patches]
    assert heights == pytest.approx([100 * w for w in result.speech_weights], rel=1e-5)
    assert sum(heights) == pytest.approx(100, abs=1e-3)
    for step, bar in enumerate(speech.patches):
        assert bar.get_x() + bar.get_width() / 2 == pytest.approx(sum(heard_by(AUTHORS, step)) / 2)
        assert bar.get_width() == pytest.approx(0.16)


def test_steps_lie_where_a_network_of_other_sizes_hears(tmp_path, pcm):
    result = recognizer_of(tmp_path, SMALL)(pcm, WORDS)
    heat, _, speech, _ = panels(plot.alignment(result))
    steps = len(result.speech_weights)
    heard = [tuple(np.minimum(heard_by(SMALL, k), result.seconds)) for k in range(steps)]
    assert len(speech.patches) == steps
    for step in range(steps):
        box = cell(heat, 1, step, steps)
        assert box.get_x() == pytest.approx(spread(heard)[step][0])


@pytest.mark.parametrize("rate", [16000, 48000])
def test_the_waveform_is_that_of_the_sound(recognizer, rate):
    pcm = np.zeros(2 * rate)
    pcm[rate // 2 : rate] = 0.5 * np.sin(np.arange(rate // 2) * 2 * np.pi * 440 / rate)
    result = recognizer(pcm, WORDS, sample_rate=rate)
    wave = plot.alignment(result, pcm, rate).axes[0]
    points = wave.collections[0].get_paths()[0].vertices
    loud = points[np.abs(points[:, 1]) > 0.25]
    assert loud[:, 0].min() == pytest.approx(0.5, abs=0.01)
    assert loud[:, 0].max() == pytest.approx(1.0, abs=0.01)
    assert np.abs(points[:, 1]).max() == pytest.approx(0.5, abs=0.02)
    assert wave.get_xlim() == (0, 2.0)


def test_the_sound_may_be_a_file_and_must_be_the_results_own(recognizer, result, pcm, tmp_path):
    path = tmp_path / "speech.wav"
    soundfile.write(path, pcm, 16000, subtype="PCM_16")
    assert len(plot.alignment(result, path).axes) == 6
    with pytest.raises(ValueError, match=r"of, 2\.75 s, got 1\.38 s; is sample_rate its own\?"):
        plot.alignment(result, pcm, 32000)
    with pytest.raises(ValueError, match="finite"):
        plot.alignment(result, np.where(np.arange(44000) == 7, np.nan, pcm))


@pytest.mark.parametrize("words", [0, 1, 2, 40, 61, 512])
def test_any_number_of_words(recognizer, pcm, words):
    result = recognizer(pcm, " ".join(f"w{i}" for i in range(words)))
    figure = plot.alignment(result, pcm)
    heat, counted, _, scale = panels(figure)
    rows = (words + 1) // 2
    assert len(counted.patches) == len(ticks(heat)) == min(rows, 30)
    assert ("no words were given" in texts(heat)) == (words == 0) == (not scale.child_axes)
    assert (f"30 of {rows}" in heat.get_title(loc="left")) == (rows > 30)
    assert drawn(figure).shape[0] < 60 * 13
    assert_nothing_overlaps(figure)
    # Those that counted most, in the order of speech.
    most = sorted(np.argsort(-result.text_weights[:rows], kind="stable")[:30])
    assert ticks(heat) == [
        " ".join(f"w{i}" for i in range(2 * row, min(2 * row + 2, words))) for row in most
    ]


@pytest.mark.parametrize("samples", [0, 100, 3000, 9000, 200000])
def test_any_length_of_sound(recognizer, samples):
    pcm = speech_like(np.random.default_rng(1), samples)
    result = recognizer(pcm, WORDS)
    figure = plot.alignment(result, pcm)
    heat, _, speech, _ = panels(figure)
    assert len(heat.patches) == (3 * (result.alpha.shape[1] + 2) if samples else 0)
    assert ("there was no sound" in texts(speech)) == (samples == 0)
    assert len(speech.patches) == (len(result.speech_weights) if samples else 0)
    assert speech.get_xlim()[1] == max(result.seconds, 0.1)
    if samples and len(result.speech_weights) == 1:  # all that it hears, and no more than there is
        assert speech.patches[0].get_width() == pytest.approx(result.seconds)
    drawn(figure)


def test_rows_do_not_overlap_and_nothing_is_cut_off(result, pcm):
    long = tuple(replace(word, word="supercalifragilisticexpialidocious")
                 for word in result.alignment) * 13  # fmt: skip
    alpha = np.tile(result.alpha, (13, 1))
    figure = plot.alignment(replace(result, alignment=long, alpha=alpha), pcm)
    assert_nothing_overlaps(figure)
    assert ticks(panels(figure)[0])[0] == "supercalifra… supercalifra…"


def test_words_of_any_script_are_shown_or_spelt_as_code_points(result):
    words = ["привет", "你好", "مرحبا", "$x^{2}", "\U0001f600", "a\nb"]
    aligned = tuple(replace(result.alignment[0], word=word) for word in words for _ in range(2))
    alpha = result.alpha[[0] * 6]
    figure = plot.alignment(replace(result, alignment=aligned, alpha=alpha), title="你好 $5")
    twice = [label.split(" ") for label in ticks(figure.axes[0])]
    assert all(label[: len(label) // 2] == label[len(label) // 2 :] for label in twice)
    shown = [" ".join(label[: len(label) // 2]) for label in twice]
    escaped = [word.encode("unicode_escape").decode() for word in words]
    assert shown[0] == "привет"
    assert shown[3] == "$x^{2}"  # not a formula
    assert shown[5] == "a b"
    assert all(s in (word, code) for s, word, code in zip(shown[:5], words, escaped, strict=False))
    explained = "code point" in figure.axes[-2].get_xlabel()
    assert explained == any("\\" in s for s in shown)
    drawn(figure)
