"""The heat map of :func:`gban_edge.plot.alignment`: rows of words, columns of speech steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gban_edge.plot_fonts import Letters
from gban_edge.runtime.result import Result, WordAlignment

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WORDS = "#D55E00"
# From no attention to the greatest: ever darker, so that it can be read without its hue.
SHADES = ("#FFF3E8", WORDS, "#571F00")
WORDS_A_STEP = 2  # of the text encoder's pool
MOST_ROWS, LONGEST_ROW = 30, 26


class Row(NamedTuple):
    """The words of a text step: ``start`` and ``end`` of the sound that they attended to most."""

    step: int
    text: str
    start: float
    end: float
    weight: float


def pairs(words: tuple[WordAlignment, ...]) -> list[Row]:
    found = []
    for step in range((len(words) + 1) // WORDS_A_STEP):
        pair = words[WORDS_A_STEP * step : WORDS_A_STEP * (step + 1)]
        text, weight = short(*(word.word for word in pair)), sum(word.weight for word in pair)
        found.append(Row(step, text, pair[0].start, pair[0].end, weight))
    return found


def most_weighty(rows: list[Row]) -> list[Row]:
    """At most MOST_ROWS, in the order of speech."""
    return sorted(sorted(rows, key=lambda row: -row.weight)[:MOST_ROWS])


def cells(times: NDArray[np.float64]) -> NDArray[np.float64]:
    """From when to when each speech step is drawn, without overlap.

    A border lies half-way between the middles of what two neighbours hear; the first and the last
    cell reach as far as their steps hear.

    >>> cells(np.array([[0.0, 0.6], [0.2, 0.8], [0.4, 1.0]])).round(2).tolist()
    [[0.0, 0.4], [0.4, 0.6], [0.6, 1.0]]

    Args:
        times: float64 [K, 2], start and end of what each step hears, seconds.

    Returns:
        float64 [K, 2], seconds.
    """
    middle = times.mean(axis=1)
    between = (middle[1:] + middle[:-1]) / 2
    edges = np.concatenate([times[:1, 0], between, times[-1:, 1]])
    return np.stack([edges[:-1], edges[1:]], axis=1)


def shade(share: float) -> tuple[float, float, float]:
    """The colour, red, green and blue in 0..1, of this share of the greatest attention.

    >>> [round(part, 2) for part in shade(0.0)]
    [1.0, 0.95, 0.91]
    """
    at = np.linspace(0.0, 1.0, len(SHADES))
    parts = np.array([[int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)] for c in SHADES])
    red, green, blue = (float(np.interp(share, at, part)) for part in parts.T)
    return red, green, blue


def draw_heat(axes: Axes, result: Result, rows: list[Row], letters: Letters) -> None:
    assert result.alpha is not None
    assert result.speech_times is not None
    greatest = float(result.alpha.max())
    start, end = cells(result.speech_times).T
    for y, row in enumerate(rows if result.seconds > 0 else []):
        shades = [shade(float(share) / greatest) for share in result.alpha[row.step]]
        # An edge has its cell's colour, so that no seam shows between two.
        axes.barh(y, end - start, 0.84, left=start, color=shades, edgecolor=shades, lw=0.3,
                  zorder=2)  # fmt: skip
        for colour, wide in (("white", 3.2), ("black", 1.6)):
            axes.barh(y, row.end - row.start, 0.84, left=row.start, color="none", edgecolor=colour,
                      lw=wide, zorder=3)  # fmt: skip
    axes.set_yticks(range(len(rows)))
    axes.set_yticklabels([letters.shown(row.text) for row in rows], fontsize=10, parse_math=False,
                         fontfamily=letters.families)  # fmt: skip
    axes.set_ylim(max(len(rows), 2) - 0.4, -0.6)
    axes.grid(axis="y", color="0.85", lw=0.7, zorder=0)
    axes.tick_params(axis="y", length=0)
    said = (len(result.alignment or ()) + 1) // WORDS_A_STEP
    some = f"{len(rows)} of {said} pairs" if said > len(rows) else "pairs"
    if rows:
        caption(axes, f"{some} of words; darker: attended more; outlined: most")
    else:
        say(axes, "no words were given")
    plain(axes, left=False)


def draw_counted(axes: Axes, rows: list[Row]) -> None:
    greatest = max((row.weight for row in rows), default=0.0) or 1.0
    digits = 0 if greatest >= 0.1 else 1
    for y, row in enumerate(rows):
        axes.barh(y, row.weight / greatest, 0.5, color=WORDS)
        axes.text(1.08, y, f"{100 * row.weight:.{digits}f}%", fontsize=10, va="center")
    axes.set(xlim=(0, 1.8), ylim=(max(len(rows), 2) - 0.4, -0.6))
    if rows:
        caption(axes, "counted")


def draw_scale(axes: Axes, alpha: NDArray[np.float32]) -> None:
    """What the colours mean: from none to the greatest attention that a step had."""
    bar = axes.inset_axes((0.0, 0.5, 0.92, 0.22))
    shades = [[shade(share) for share in np.linspace(0.0, 1.0, 128)]]
    greatest, even = float(alpha.max()), 1.0 / alpha.shape[1]
    bar.imshow(shades, aspect="auto", extent=(0.0, greatest, 0.0, 1.0))
    bar.axvline(even, color="black", lw=1.2)
    bar.set(yticks=[], xticks=(0.0, greatest))
    bar.set_xticklabels(["0%", per_cent(greatest)], fontsize=9)
    axes.text(0.0, 0.0, f"even: {per_cent(even)}", transform=axes.transAxes, fontsize=9)
    caption(axes, "attention")


def per_cent(share: float) -> str:
    """A share as people read it; what is not quite all or nothing does not look so.

    >>> per_cent(0.625), per_cent(0.9987), per_cent(1.0), per_cent(0.001), per_cent(0.0)
    ('62%', '>99%', '100%', '<1%', '0%')
    """
    if 0.0 < share < 0.005:
        return "<1%"
    return ">99%" if 0.995 <= share < 1.0 else f"{100 * share:.0f}%"


def say(axes: Axes, text: str) -> None:
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color="0.4")


def plain(axes: Any, left: bool = True) -> None:
    for side in ("top", "right") if left else ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def caption(axes: Axes, text: str) -> None:
    axes.set_title(text, loc="left", fontsize=9, color="0.3")


def short(*words: str) -> str:
    """The words on one line; long ones are cut, each to its half of LONGEST_ROW."""
    if len(" ".join(words)) > LONGEST_ROW:
        most = LONGEST_ROW // len(words)
        words = tuple(word if len(word) <= most else word[: most - 1] + "…" for word in words)
    return " ".join(words)
