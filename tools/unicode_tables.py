#!/usr/bin/env python3
"""Write csrc/model/unicode_tables.h: what Python's strings know of Unicode, for the tokenizer.

    python3.13 tools/unicode_tables.py > csrc/model/unicode_tables.h

The properties are asked of strings themselves, so that the tables mean what gban_edge/text.py
does. They hold differences, which are small numbers.
"""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Callable

EVERY = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]
CAPITAL_SIGMA, SIGMA, FINAL_SIGMA = "\u03a3", "\u03c3", "\u03c2"

HEAD = """\
// Made by tools/unicode_tables.py with Python's tables of Unicode {version}; not edited by hand.
#pragma once

#include <cstdint>

namespace gban::unicode {{

// Sets of code points: how many are out, how many are in, how many are out, ...; lower(): rows of
// how many lie between the last row's last and this one's first, how many there are, how far
// apart, and what to add to each.
"""


def is_ignored(c: str) -> bool:
    """Case_Ignorable: whether a sigma ends a word is seen from the letter beyond."""
    return ("A" + CAPITAL_SIGMA + c + "A").lower()[1] == SIGMA and not is_cased(c)


def is_cased(c: str) -> bool:
    """Cased and not Case_Ignorable: a capital sigma after it may end a word."""
    return (c + CAPITAL_SIGMA).lower()[-1] == FINAL_SIGMA


def edges(holds: Callable[[str], bool]) -> list[int]:
    """How many code points do not hold, how many do, ..., from 0 on."""
    counts, inside, last = [], False, 0
    for c in EVERY:
        if holds(c) != inside:
            inside = not inside
            counts.append(ord(c) - last)
            last = ord(c)
    return [*counts, 0x110000 - last] if inside else counts


def lowered() -> list[int]:
    """Rows of gap, count, step, difference. U+0130, which becomes two, is not among them."""
    left = [(ord(c), ord(c.lower()) - ord(c)) for c in EVERY if len(c.lower()) == 1]
    left = [(code, difference) for code, difference in left if difference]
    rows, last = [], 0
    while left:
        first, difference = left[0]
        step = left[1][0] - first if len(left) > 1 and left[1][1] == difference else 1
        step = step if step <= 2 else 1
        count = 1
        while count < len(left) and left[count] == (first + count * step, difference):
            count += 1
        rows += [first - last, count, step, difference]
        last = first + (count - 1) * step
        left = left[count:]
    return rows


def table(name: str, numbers: list[int]) -> str:
    """A constant array, wrapped as clang-format is told not to."""
    rows = textwrap.fill(",".join(map(str, numbers)).replace(",", ", "), 96)
    rows = textwrap.indent(rows, "    ")
    return f"constexpr std::int32_t {name}[] = {{\n{rows}}};\n"


def header() -> str:
    """The whole file."""
    parts = [
        table("kAlphanumeric", edges(str.isalnum)),
        table("kPrintable", edges(str.isprintable)),
        table("kCased", edges(is_cased)),
        table("kCaseIgnored", edges(is_ignored)),
        table("kLower", lowered()),
    ]
    head = HEAD.format(version=unicodedata.unidata_version)
    body = "// clang-format off\n" + "".join(parts) + "// clang-format on\n"
    return f"{head}{body}\n}}  // namespace gban::unicode\n"


if __name__ == "__main__":
    print(header(), end="")
