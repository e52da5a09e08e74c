"""Letters that the usual font lacks: which installed fonts have them, and what to show instead."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class Letters:
    """Fonts for texts of any script.

    Attributes:
        families: names of fonts that together have the texts' letters, the usual one first.
        missing: letters that no installed font has; they are shown as code points.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        from matplotlib import font_manager
        from matplotlib.font_manager import FontProperties

        self.missing = {c for text in texts for c in text if not c.isspace()}
        usual = font_manager.findfont(FontProperties())
        self.missing -= _letters(usual, self.missing)
        self.families = [FontProperties(fname=usual).get_name()]
        # Every other font is opened only where a letter is missing.
        others = _upright(font_manager.fontManager.ttflist) if self.missing else {}
        while self.missing and others:
            found = {name: _letters(path, self.missing) for name, path in others.items()}
            best = max(found, key=lambda name: len(found[name]))
            if not found[best]:
                break
            self.families.append(best)
            self.missing -= found[best]

    @property
    def note(self) -> str:
        """To stand below a picture with code points in it; empty without any."""
        return "\nno installed font has every letter; \\u... is one's code point" * bool(
            self.missing
        )

    def shown(self, text: str) -> str:
        """``text`` on one line, letters that no font has as their code points."""
        line = " ".join(text.split())
        return "".join(
            c.encode("unicode_escape").decode() if c in self.missing else c for c in line
        )


def _upright(fonts: Iterable[Any]) -> dict[str, str]:
    """Name -> file of the fonts in their plain style, in order of name.

    A "last resort" font has a box for every letter there is, which tells nobody anything.
    """
    plain = [f for f in fonts if f.style == "normal" and f.weight in (400, "normal", "regular")]
    named = {f.name: f.fname for f in sorted(plain, key=lambda f: (f.name, f.fname))}
    return {k: v for k, v in named.items() if "lastresort" not in k.replace(" ", "").lower()}


def _letters(path: str, wanted: set[str]) -> set[str]:
    """Those of ``wanted`` that the font file at ``path`` has."""
    from matplotlib.font_manager import get_font

    font = get_font(path)
    return {c for c in wanted if font.get_char_index(ord(c))}
