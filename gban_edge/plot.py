"""Pictures of a result: its words against time, and how much sound and words counted.

    from gban_edge import plot

    plot.alignment(result, "speech.wav").savefig("alignment.png")
    plot.gates(result).savefig("gates.png")

They need matplotlib (extra ``[plot]``), which is imported on the first call, and without pyplot: no
window opens, and no setting of matplotlib is changed.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gban_edge import features
from gban_edge.config import GBANConfig
from gban_edge.labels import FULL_NAMES
from gban_edge.plot_fonts import Letters
from gban_edge.runtime.result import Result, WordAlignment, heard_by
from gban_edge.runtime.sound import read_sound

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which colour-blind people can tell apart: blue sound, orange words.
SOUND, WORDS, ANSWER = "#0072B2", "#D55E00", "#009E73"
LIGHTEST = np.array([1.0, 0.95, 0.90])  # the shade of weight 0; that of the greatest is WORDS
MOST_ROWS, LONGEST_WORD = 60, 22
GROUPS = (("aligned\nwith each other", "a_s", "a_t"), ("each\non its own", "h_s", "h_t"))


def alignment(
    result: Result,
    pcm: ArrayLike | str | os.PathLike[str] | None = None,
    sample_rate: int | None = None,
    *,
    title: str | None = None,
) -> Figure:
    """The words against time: where the sound lies that each attended to, and what it counted.

    From top to bottom: the waveform, where ``pcm`` is given; a row a word, its bar over the sound
    that it attended to most, darker the more it counted in a_t, which also stands beside it in per
    cent; a bar a speech step, what it gave to a_s, at the middle of the sound that it hears. The
    two words of a text step share their sound and their weight. Of more than 60 words those that
    counted most are shown.

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
    if result.alignment is None or result.speech_weights is None:
        raise ValueError(
            "result.alignment is None: its network does not align sound and words (as h_s, h_t do "
            "not); take the result of one that does, such as gban"
        )
    words = _most_weighty(result.alignment)
    heights = [0.32 + 0.21 * max(len(words), 2), 1.0]
    wave = None if pcm is None else _wave(result, pcm, sample_rate)
    if wave is not None:
        heights.insert(0, 0.9)
    figure = figure_of(figsize=(8.0, sum(heights) + 1.1), layout="constrained")
    panels = list(figure.subplots(len(heights), 1, sharex=True, squeeze=False,
                                  height_ratios=heights)[:, 0])  # fmt: skip
    if wave is not None:
        _draw_wave(panels[0], wave, result.seconds)
    letters = Letters([word.word for word in words])
    _draw_words(panels[-2], words, len(result.alignment), letters)
    _draw_speech(panels[-1], result)
    panels[-1].set(xlim=(0, max(result.seconds, 0.1)), xlabel="time, seconds" + letters.note)
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


def _most_weighty(words: tuple[WordAlignment, ...]) -> list[WordAlignment]:
    """At most MOST_ROWS words, in the order of speech."""
    order = sorted(range(len(words)), key=lambda i: -words[i].weight)[:MOST_ROWS]
    return [words[i] for i in sorted(order)]


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
    _plain(axes, left=False)


def _draw_words(axes: Axes, words: list[WordAlignment], said: int, letters: Letters) -> None:
    greatest = max((word.weight for word in words), default=0.0) or 1.0
    digits = 0 if greatest >= 0.1 else 1
    for row, word in enumerate(words):
        axes.barh(row, word.end - word.start, 0.72, left=word.start, edgecolor=WORDS, lw=0.8,
                  color=shade(word.weight / greatest), zorder=2)  # fmt: skip
        axes.text(1.01, row, f"{100 * word.weight:.{digits}f}%", fontsize=9, va="center",
                  transform=axes.get_yaxis_transform())  # fmt: skip
    shown = [letters.shown(_short(word.word)) for word in words]
    axes.set_yticks(range(len(words)))
    axes.set_yticklabels(shown, fontsize=9, parse_math=False, fontfamily=letters.families)
    axes.set_ylim(max(len(words), 2) - 0.4, -0.6)
    axes.grid(axis="y", color="0.9", lw=0.7, zorder=0)
    axes.tick_params(axis="y", length=0)
    some = f", {len(words)} of {said} that counted most" if len(words) < said else ""
    axes.set_title(f"words: the sound that each attended to, and what it counted{some}", loc="left",
                   fontsize=9, color="0.3")  # fmt: skip
    if not words:
        _say(axes, "no words were given")
    _plain(axes, left=False)


def shade(share: float) -> tuple[float, float, float]:
    """The colour, red, green and blue in 0..1, of a word with this share of the greatest weight.

    >>> shade(0.0)
    (1.0, 0.95, 0.9)
    """
    darkest = np.array([int(WORDS[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    red, green, blue = LIGHTEST + min(max(share, 0.0), 1.0) * (darkest - LIGHTEST)
    return float(red), float(green), float(blue)


def _draw_speech(axes: Axes, result: Result) -> None:
    centres, width, known = step_times(result)
    assert result.speech_weights is not None
    if result.seconds > 0:
        heights = 100 * result.speech_weights
        axes.bar(centres, heights, width, color=SOUND, edgecolor="white", lw=0.5)
    else:
        axes.set_yticks([])
        _say(axes, "there was no sound")
    axes.set_ylabel("per cent", fontsize=9)
    axes.tick_params(labelsize=9)
    spread = "" if known else " (steps of unknown length, spread evenly)"
    axes.set_title(f"sound: what each step of it counted{spread}", loc="left", fontsize=9,
                   color="0.3")  # fmt: skip
    _plain(axes)


def step_times(result: Result) -> tuple[NDArray[np.float64], float, bool]:
    """Where the speech steps lie in time.

    A result does not tell its network's sizes. Where the number of steps and the words' places are
    those of the authors' sizes, a step lies at the middle of what it hears (an only one is all
    that it hears); else the steps are spread evenly over the sound.

    Returns:
        float64 [K], the middle of each step, seconds; the distance of two steps; whether the sizes
        are the authors'.
    """
    assert result.speech_weights is not None
    count, config = len(result.speech_weights), GBANConfig(vocabulary=2)
    frames = features.frame_count(round(result.seconds * features.SAMPLE_RATE))
    # A sound that was resampled may have a frame more or less.
    possible = {config.speech_steps(max(n, 0)) for n in (frames - 1, frames, frames + 1)}
    spans = [heard_by(config, step) for step in range(count)]
    cut = {(min(a, result.seconds), min(b, result.seconds)) for a, b in spans}
    if count in possible and all((w.start, w.end) in cut for w in result.alignment or ()):
        if count == 1:  # it may hear more than there is
            only = min(spans[0][1], result.seconds)
            return np.array([only / 2], np.float64), only, True
        centres = np.array([sum(span) / 2 for span in spans], np.float64)
        return centres, heard_by(config, 1)[0], True
    width = result.seconds / count
    return np.array([(step + 0.5) * width for step in range(count)], np.float64), width, False


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
    shown = [letters.shown(_short(FULL_NAMES.get(label, label))) for label in labels]
    axes.set(xlim=(0, 1.18), xticks=[], yticks=range(len(labels)), ylim=(len(labels) - 0.4, -0.6))
    axes.set_yticklabels(shown, fontsize=10, parse_math=False, fontfamily=letters.families)
    axes.tick_params(axis="y", length=0)
    axes.set_title("probabilities", loc="left", fontsize=10, color="0.3")
    for side in ("top", "right", "bottom"):
        axes.spines[side].set_visible(False)


def per_cent(share: float) -> str:
    """A share as people read it; what is not quite all or nothing does not look so.

    >>> per_cent(0.625), per_cent(0.9987), per_cent(1.0), per_cent(0.001), per_cent(0.0)
    ('62%', '>99%', '100%', '<1%', '0%')
    """
    if 0.0 < share < 0.005:
        return "<1%"
    return ">99%" if 0.995 <= share < 1.0 else f"{100 * share:.0f}%"


def _say(axes: Axes, text: str) -> None:
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color="0.4")


def _plain(axes: Any, left: bool = True) -> None:
    for side in ("top", "right") if left else ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def _short(word: str) -> str:
    return word if len(word) <= LONGEST_WORD else word[: LONGEST_WORD - 1] + "…"
