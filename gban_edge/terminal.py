"""Small pictures for a terminal: bars of block characters, probabilities, shares."""

from __future__ import annotations

import math
from collections.abc import Mapping

from rich.console import Console
from rich.style import Style
from rich.text import Text

from gban_edge.streams import printable

EIGHTHS = " ▏▎▍▌▋▊▉█"
LEVELS = "▁▂▃▄▅▆▇█"
BEST = Style(bold=True)
DIM = Style(dim=True)


def bar(value: float, cells: int) -> str:
    """A horizontal bar for 0 to 1, always ``cells`` characters wide.

    >>> bar(0.5, 4), bar(0.3, 2)
    ('██  ', '▋ ')
    """
    filled = round(min(max(value, 0.0), 1.0) * cells * 8)
    whole, part = divmod(filled, 8)
    return ("█" * whole + (EIGHTHS[part] if part else "")).ljust(cells)


def column(value: float) -> str:
    """One character whose height says 0 to 1.

    >>> column(0.0), column(0.5), column(1.0)
    ('▁', '▅', '█')
    """
    return LEVELS[min(int(min(max(value, 0.0), 1.0) * 8), 7)]


def percent(value: float) -> str:
    """``value`` as a whole percentage.

    >>> percent(0.934)
    '93 %'
    """
    return f"{value * 100:.0f} %"


def shares(probabilities: Mapping[str, float]) -> Text:
    """Every class with an upright bar of its probability, the greatest in bold."""
    best = max(probabilities, key=probabilities.__getitem__)
    line = Text()
    for i, (label, value) in enumerate(probabilities.items()):
        line.append(" " if i else "")
        line.append(f"{printable(label)} {column(value)}", BEST if label == best else DIM)
    return line


def level(rms: float, floor: float = -60.0) -> float:
    """Where a root mean square lies between ``floor`` dB and full scale, 0 to 1.

    >>> level(1.0), level(0.0), round(level(0.0316), 2)
    (1.0, 0.0, 0.5)
    """
    if rms <= 0.0:
        return 0.0
    return min(max(1.0 - 20.0 * math.log10(rms) / floor, 0.0), 1.0)


def text(said: str, style: str | Style = "") -> Text:
    """Text of a file's name, of words, of a label: shown as it is, never obeyed."""
    return Text(printable(said), style)


def complain(line: str, console: Console | None = None) -> None:
    """A line of red on standard error, or above what ``console`` keeps drawing there."""
    shown = Text(printable(line), style="red")
    (console or Console(stderr=True)).print(shown, soft_wrap=True)
