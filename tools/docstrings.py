"""Docstrings as this project writes them (Google sections, reStructuredText marks) in Markdown."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from textwrap import dedent

SECTIONS = ("Args", "Attributes", "Returns", "Yields", "Raises")
_SECTION = re.compile(rf"({'|'.join(SECTIONS)}):")
_ITEM = re.compile(r"(\*{0,2}\w[\w.]*(?:, \w[\w.]*)*): +(.*)", re.DOTALL)


def inline(text: str) -> str:
    """Roles and double backticks as Markdown's code.

    >>> inline("as :meth:`~Vad.push` has ``[N, 52]``")
    'as `Vad.push` has `[N, 52]`'
    """
    text = re.sub(r":\w+:`~?([^`]+)`", r"`\1`", text)
    return re.sub(r"``(.+?)``", r"`\1`", text, flags=re.DOTALL)


def markdown(docstring: str) -> list[str]:
    """The lines of a docstring in Markdown.

    >>> markdown("A thing.\\n\\nArgs:\\n    pcm: mono\\n        sound.")
    ['A thing.', '', '**Args**', '', '- `pcm`: mono sound.', '']
    """
    lines: list[str] = []
    body: list[str] = []
    section = ""
    for line in [*docstring.splitlines(), "Args:"]:  # the last is a stop
        heading = _SECTION.fullmatch(line)
        if heading is None and not (section and line and not line.startswith(" ")):
            body.append(line)
            continue
        lines += _section(section, body) if section else _paragraphs(body)
        section, body = (heading[1], []) if heading else ("", [line])
    return lines


def _section(name: str, body: list[str]) -> list[str]:
    """A heading and its items, or its text."""
    text = dedent("\n".join(body)).strip("\n")
    items = _items(text)
    if items is None:
        return [f"**{name}**", "", *_paragraphs(text.splitlines())]
    shown = [
        f"- {', '.join(f'`{one}`' for one in names.split(', '))}: {inline(' '.join(said.split()))}"
        for names, said in items
    ]
    return [f"**{name}**", "", *shown, ""]


def _items(text: str) -> list[tuple[str, str]] | None:
    """(names, what is said of them) of a section; None for one that is plain text."""
    found = []
    for chunk in re.split(r"\n(?=\S)", text):
        item = _ITEM.fullmatch(chunk)
        if item is None:
            return None
        found.append((item[1], item[2]))
    return found


def _paragraphs(lines: list[str]) -> list[str]:
    shown: list[str] = []
    for chunk in _chunks(lines):
        if chunk[0].startswith(">>>"):
            shown += ["```pycon", *chunk, "```", ""]
        elif chunk[0].startswith(" "):
            code = dedent("\n".join(chunk))
            shown += [f"```{'python' if _parses(code) else 'text'}", *code.splitlines(), "```", ""]
        else:
            shown += [*re.sub(r"::$", ":", inline("\n".join(chunk))).splitlines(), ""]
    return shown


def _chunks(lines: list[str]) -> Iterator[list[str]]:
    """Paragraphs; indented ones with blank lines between them are one."""
    chunk: list[str] = []
    for i, line in enumerate(lines):
        if line.strip():
            if chunk and chunk[-1] == "" and not line.startswith(" "):
                yield chunk[:-1]
                chunk = []
            chunk.append(line)
        elif chunk:
            later = next((one for one in lines[i:] if one.strip()), "")
            if chunk[0].startswith(" ") and later.startswith(" "):
                chunk.append("")
            else:
                yield chunk
                chunk = []
    if chunk:
        yield chunk


def _parses(code: str) -> bool:
    try:
        ast.parse(code)
    except SyntaxError:
        return False
    return True
