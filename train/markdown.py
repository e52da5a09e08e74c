"""Markdown that also reads well as plain text: numbers, names and tables of a report."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

NONE = "–"


def number(value: float | None) -> str:
    """Four digits as the paper prints them (".7239"); a dash for None."""
    if value is None:
        return NONE
    text = f"{abs(value):.4f}"
    sign = "−" if value < 0 and text != "0.0000" else ""
    return sign + (text[1:] if text.startswith("0.") else text)


def signed(value: float | None) -> str:
    """:func:`number` with its sign, for differences."""
    return f"+{number(value)}" if value is not None and round(value, 4) > 0 else number(value)


def p_value(p: float | None) -> str:
    """Three digits (".062"), "<.001" below that; a dash for None."""
    if p is None:
        return NONE
    return "<.001" if p < 0.0005 else f"{p:.3f}".removeprefix("0")


def spread(mean: float | None, deviation: float | None, best: bool = False) -> str:
    """A mean and, where there is one, its deviation; bold where it is the best of its column."""
    text = f"**{number(mean)}**" if best else number(mean)
    return text if deviation is None else f"{text} ± {number(deviation)}"


def listing(words: Sequence[object]) -> str:
    """ "1, 2 and 3"."""
    texts = [str(word) for word in words]
    return " and ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)


def span(numbers: Sequence[int]) -> str:
    """Folds or seeds: "1 to 5" where there is no gap, "1, 2 and 4" otherwise."""
    whole = len(numbers) > 2 and list(numbers) == list(range(numbers[0], numbers[-1] + 1))
    return f"{numbers[0]} to {numbers[-1]}" if whole else listing(numbers)


def folds_text(folds: Sequence[int]) -> str:
    """ "fold 3" or "folds 1 to 5"."""
    return f"fold{'s' * (len(folds) > 1)} {span(folds)}"


def escape(text: object) -> str:
    """Text that stands in Markdown and in HTML for itself: paths, notes, names of corpora."""
    plain = html.escape(str(text), quote=False)
    # Within a word an underscore means nothing, and h_s reads better as it is.
    return re.sub(r"[\\`*\[\]|#]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\\g<0>", plain)


def table(head: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """A Markdown table: the first ``left`` columns flush left, the rest right; aligned as text."""
    widths = [max(3, *(len(row[i]) for row in [head, *rows])) for i in range(len(head))]
    rule = [":" + "-" * (w - 1) if i < left else "-" * (w - 1) + ":" for i, w in enumerate(widths)]
    lines = [
        [c.ljust(w) if i < left else c.rjust(w) for i, (c, w) in enumerate(cells)]
        for cells in (list(zip(row, widths, strict=True)) for row in [head, *rows])
    ]
    lines.insert(1, rule)
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
