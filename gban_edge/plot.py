"""Pictures of a result: its words against time, and how much sound and words counted.

    from gban_edge import plot

    plot.alignment(result, "speech.wav").savefig("alignment.png")
    plot.gates(result).savefig("gates.png")

They need matplotlib (extra ``[plot]``), which is imported on the first call, and without pyplot: no
window opens, and no setting of matplotlib is changed.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gban_edge.labels import FULL_NAMES
from gban_edge.plot_fonts import Letters
from gban_edge.plot_heat import (
    WORDS,
    caption,
    cells,
    draw_counted,
    draw_heat,
    draw_scale,
    most_weighty,
    pairs,
    per_cent,
    plain,
    say,
    short,
)  # fmt: skip
from gban_edge.runtime.result import Result
from gban_edge.runtime.sound import read_sound

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which colour-blind people can tell apart: blue sound, orange words.
SOUND, ANSWER = "#0072B2", "#009E73"
GROUPS = (("aligned\nwith each other", "a_s", "a_t"), ("each\non its own", "h_s", "h_t"))


def alignment(
    result: Result,
    pcm: ArrayLike | str | os.PathLike[str] | None = None,
    sample_rate: int | None = None,
    *,
    title: str | None = None,
) -> Figure:
    """The words against time, as a heat map of ``result.alpha``.

    From top to bottom: the waveform, where ``pcm`` is given; a row for every two words, which share
    a text step; a bar a speech step, what it gave to a_s. A cell is the darker the more the row
    attended to the step, on one scale for all rows, which the colour bar explains: its mark is what
    each step would have if attention were spread evenly. The sound that the row attended to most is
    outlined, and what the row counted in a_t stands at its right.

    Speech steps overlap in what they hear. A cell lies about the middle of that and ends half-way
    to the next one's; the first and the last reach as far as they hear, and so are wider. Of more
    than 60 words the 30 pairs that counted most are shown.

    Args:
        result: of a network with the alignment.
        pcm: the sound that ``result`` is of, as :class:`gban_edge.EmotionRecognizer` takes it.
        sample_rate: of ``pcm``; 16000 if left out, of a file what the file says.
        title: instead of the answer.

    Raises:
        ValueError: a result without alignment; sound of another length, or not usable.
        RuntimeError: matplotlib is not installed.
    """
    figure_of = _figure_class(result)
    if result.alpha is None or result.alignment is None:
        raise ValueError(
            "result.alpha is None: its network does not align sound and words (as h_s, h_t do "
            "not); take the result of one that does, such as gban"
        )
    rows = most_weighty(pairs(result.alignment))
    heights = [0.5 + 0.27 * max(len(rows), 2), 1.0]
    wave = None if pcm is None else _wave(result, pcm, sample_rate)
    if wave is not None:
        heights.insert(0, 0.9)
    figure = figure_of(figsize=(8.0, sum(heights) + 1.1), layout="constrained")
    panels = figure.subplots(len(heights), 2, squeeze=False, sharex="col", height_ratios=heights,
                             width_ratios=(6, 1))  # fmt: skip
    for empty in panels[:, 1]:
        empty.axis("off")
    if wave is not None:
        _draw_wave(panels[0, 0], wave, result.seconds)
    letters = Letters([row.text for row in rows])
    draw_heat(panels[-2, 0], result, rows, letters)
    draw_counted(panels[-2, 1], rows)
    _draw_speech(panels[-1, 0], result)
    if rows and result.seconds > 0:
        draw_scale(panels[-1, 1], result.alpha)
    panels[-1, 0].set(xlim=(0, max(result.seconds, 0.1)), xlabel="time, seconds" + letters.note)
    _head(figure, result, title)
    return figure


def gates(result: Result, *, title: str | None = None) -> Figure:
    """How much sound and words counted, and the probabilities.

    Left two bars of length 1, each divided between sound (blue) and words (orange): the gate of the
    aligned vectors, a_s and a_t, and that of the last states, h_s and h_t. Right a bar a class; the
    answer's is green, and where the recogniser abstained none is.

    Raises:
        ValueError: a result without contributions.
        RuntimeError: matplotlib is not installed.
    """
    figure_of = _figure_class(result)
    if result.contributions is None:
        raise ValueError(
            "result.contributions is None: its network lacks the two gates; take the result of "
            "gban, the network that has both"
        )
    classes = len(result.probabilities)
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(wspace=0.08)
    figure = figure_of(figsize=(8.0, max(2.9, 1.5 + 0.3 * classes)), layout=layout)
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    _draw_gates(left, result.contributions)
    _draw_probabilities(right, result)
    _head(figure, result, title)
    return figure


def _figure_class(result: object) -> type[Figure]:
    if not isinstance(result, Result):
        raise ValueError(f"result must be a recogniser's Result, got {type(result).__name__}")
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise RuntimeError('pictures need matplotlib: pip install "gban-edge[plot]"') from error
    return Figure


def _head(figure: Figure, result: Result, title: str | None) -> None:
    if title is None:
        best = max(result.probabilities, key=result.probabilities.__getitem__)
        title = f"{FULL_NAMES.get(best, best)} {per_cent(result.confidence)}"
        if result.abstained:
            title = f"no answer: {title} is too uncertain"
    letters = Letters([title])
    figure.suptitle(letters.shown(title), fontsize=12, fontweight="bold", parse_math=False,
                    fontfamily=letters.families)  # fmt: skip


def _wave(
    result: Result, pcm: ArrayLike | str | os.PathLike[str], sample_rate: int | None
) -> NDArray[np.float64]:
    """float64 [2, columns]: the lowest and the highest sample of every piece of the sound."""
    heard = read_sound(pcm, sample_rate)
    if abs(heard.seconds - result.seconds) > 0.02:
        raise ValueError(
            f"pcm must be the sound that the result is of, {result.seconds:.2f} s, got "
            f"{heard.seconds:.2f} s; is sample_rate its own?"
        )
    pieces = np.array_split(np.asarray(heard.pcm, np.float64), min(1000, max(len(heard.pcm), 1)))
    return np.array([[p.min(initial=0.0), p.max(initial=0.0)] for p in pieces]).T


def _draw_wave(axes: Axes, wave: NDArray[np.float64], seconds: float) -> None:
    columns = wave.shape[1]
    times = (np.arange(columns) + 0.5) * seconds / columns
    axes.fill_between(times, wave[0], wave[1], color="0.35", lw=0.4)
    loudest = max(float(np.abs(wave).max()), 1e-3)
    axes.set(ylim=(-1.05 * loudest, 1.05 * loudest), yticks=[], ylabel="sound")
    plain(axes, left=False)


def _draw_speech(axes: Axes, result: Result) -> None:
    assert result.speech_weights is not None
    assert result.speech_times is not None
    if result.seconds > 0:
        middle = result.speech_times.mean(axis=1)  # all bars are as wide as the narrowest cell
        width = np.diff(cells(result.speech_times)).min()
        axes.bar(middle, 100 * result.speech_weights, width, color=SOUND, edgecolor="white", lw=0.5)
    else:
        axes.set_yticks([])
        say(axes, "there was no sound")
    axes.set_ylabel("per cent", fontsize=9)
    axes.tick_params(labelsize=9)
    caption(axes, "sound: what each step of it counted")
    plain(axes)


def _draw_gates(axes: Axes, contributions: dict[str, float]) -> None:
    for row, (_, sound, words) in enumerate(GROUPS):
        share = contributions[sound]
        axes.barh(row, share, 0.42, color=SOUND, label="sound" if row == 0 else None)
        axes.barh(row, contributions[words], 0.42, left=share, color=WORDS, hatch="///",
                  edgecolor="white", lw=0, label="words" if row == 0 else None)  # fmt: skip
        for name, place, side, kind, colour in (
            (sound, 0.0, "left", "sound", SOUND), (words, 1.0, "right", "words", "#A84A00"),
        ):  # fmt: skip
            text = f"{kind} {per_cent(contributions[name])}  ({name})"
            axes.text(place, row - 0.27, text, ha=side, va="bottom", color=colour, fontsize=10)
    axes.axvline(0.5, color="0.2", lw=0.8, ls="--")
    axes.set(xlim=(0, 1), ylim=(1.35, -0.65), xticks=[], yticks=(0, 1))
    axes.set_yticklabels([name for name, _, _ in GROUPS], fontsize=9)
    axes.tick_params(axis="y", length=0)
    axes.set_title("how much sound and words counted", loc="left", fontsize=10, color="0.3")
    axes.spines[:].set_visible(False)


def _draw_probabilities(axes: Axes, result: Result) -> None:
    labels = list(result.probabilities)
    for row, label in enumerate(labels):
        value = result.probabilities[label]
        axes.barh(row, value, 0.6, color=ANSWER if label == result.label else "0.6")
        axes.text(value + 0.02, row, per_cent(value), va="center", fontsize=10,
                  fontweight="bold" if label == result.label else "normal")  # fmt: skip
    letters = Letters([FULL_NAMES.get(label, label) for label in labels])
    shown = [letters.shown(short(FULL_NAMES.get(label, label))) for label in labels]
    axes.set(xlim=(0, 1.18), xticks=[], yticks=range(len(labels)), ylim=(len(labels) - 0.4, -0.6))
    axes.set_yticklabels(shown, fontsize=10, parse_math=False, fontfamily=letters.families)
    axes.tick_params(axis="y", length=0)
    axes.set_title("probabilities", loc="left", fontsize=10, color="0.3")
    for side in ("top", "right", "bottom"):
        axes.spines[side].set_visible(False)
