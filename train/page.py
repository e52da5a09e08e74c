"""A report's Markdown as one HTML file that needs nothing else: style and pictures are in it."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

from train.findings import VERDICTS

STYLE = """
:root { color-scheme: light dark; --ink: #1d1f23; --dim: #646a73; --line: #d9dce1; --wash: #f5f6f8;
  --page: #ffffff; --good: #1a7340; --bad: #a8321f; --open: #7a5c00; }
@media (prefers-color-scheme: dark) { :root { --ink: #e3e5e8; --dim: #9aa1ab; --line: #3a3f46;
  --wash: #23262b; --page: #181a1e; --good: #6cc592; --bad: #ee8f7d; --open: #d9b655; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); line-height: 1.55;
  font: 16px/1.55 Charter, "Bitstream Charter", "Sitka Text", Cambria, "DejaVu Serif", serif; }
main { max-width: 64rem; margin: 0 auto; padding: 2.5rem 1.5rem 5rem; }
p, ul, ol { max-width: 46rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 1rem; }
h2 { font-size: 1.35rem; margin: 3rem 0 .8rem; padding-top: .9rem;
  border-top: 1px solid var(--line); }
h3 { font-size: 1.08rem; margin: 2rem 0 .5rem; }
nav, .scroll, summary, code, pre { font-family: system-ui, "Segoe UI", Roboto, "Helvetica Neue",
  Arial, sans-serif; }
nav { font-size: .86rem; line-height: 2; margin: 0 0 1.5rem; }
nav a { color: var(--dim); margin-right: 1.1rem; white-space: nowrap; }
.scroll { overflow-x: auto; margin: 1rem 0 1.4rem; }
table { border-collapse: collapse; font-size: .84rem; line-height: 1.35;
  font-variant-numeric: tabular-nums; border-bottom: 1px solid var(--line); }
th, td { padding: .32rem .58rem; text-align: left; vertical-align: baseline; white-space: nowrap; }
th:first-child, td:first-child { padding-left: .2rem; }
thead th { font-weight: 600; border-bottom: 1.5px solid var(--ink); vertical-align: bottom; }
td { border-top: 1px solid var(--line); }
td.text { white-space: normal; min-width: 14rem; max-width: 44rem; }
tbody tr:first-child td, tr.under td { border-top: 0; }
tr.under td { color: var(--dim); padding-top: 0; }
.gap { visibility: hidden; user-select: none; }
td.reproduced { color: var(--good); font-weight: 600; }
td.not-reproduced { color: var(--bad); font-weight: 600; }
td.undecided { color: var(--open); }
td.not-trained { color: var(--dim); }
p:has(> img) { max-width: none; }
img { display: block; max-width: 100%; height: auto; margin: 1rem 0; background: #fff; }
code, pre { font-size: .84rem; font-family: ui-monospace, Consolas, "DejaVu Sans Mono", monospace; }
pre { background: var(--wash); padding: .8rem 1rem; overflow-x: auto; }
details { margin: .8rem 0; padding: .5rem .9rem; background: var(--wash); }
summary { cursor: pointer; font-size: .9rem; }
@media print { main { max-width: none; } h2, table, img { break-inside: avoid; } }
@media (max-width: 40rem) { main { padding: 1.2rem .9rem 3rem; } h1 { font-size: 1.5rem; } }
""".strip()
PLUS_MINUS = " ± "
LONG = 40  # a cell of more characters than this may break into lines


def render(markdown: str, folder: Path) -> str:
    """The page for ``markdown``, whose pictures lie at paths relative to ``folder``.

    A picture that is not there, or that is not a PNG inside ``folder``, leaves its caption.
    """
    parser = MarkdownIt("commonmark", {"html": True}).enable("table")
    parser.add_render_rule("image", _image)
    parser.add_render_rule("table_open", lambda *_: '<div class="scroll"><table>\n')
    parser.add_render_rule("table_close", lambda *_: "</table></div>\n")
    tokens = parser.parse(markdown)
    headings = _mark(tokens)
    body = parser.renderer.render(tokens, parser.options, {"folder": folder})
    title, *sections = headings or [("", "Report")]
    links = " ".join(f'<a href="#{anchor}">{html.escape(text)}</a>' for anchor, text in sections)
    start, end = (body[: body.find("</h1>") + 5], body[body.find("</h1>") + 5 :])
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title[1])}</title>\n<style>\n{STYLE}\n</style>\n</head>\n"
        f"<body>\n<main>\n{start}\n<nav>{links}</nav>\n{end.lstrip()}</main>\n</body>\n</html>\n"
    )


def _mark(tokens: list[Token]) -> list[tuple[str, str]]:
    """Give rows, cells and headings what STYLE speaks of; returns (anchor, text) of h1 and h2."""
    headings = []
    for i, token in enumerate(tokens):
        text = tokens[i + 1].content if i + 1 < len(tokens) else ""
        if token.type == "heading_open" and token.tag in ("h1", "h2"):
            anchor = re.sub(r"\W+", "-", text.lower()).strip("-")
            token.attrSet("id", anchor)
            headings.append((anchor, text))
        elif token.type == "td_open" and text in VERDICTS:
            token.attrSet("class", text.replace(" ", "-"))
        elif token.type == "td_open" and len(text) > LONG:
            token.attrSet("class", "text")
    _align(tokens)
    return headings


def _align(tokens: list[Token]) -> None:
    """Set numbers of a column under each other's last digit, whether a deviation follows or not.

    A row without a name belongs to the row above (class "under"). A cell of a column of
    "mean ± deviation" that has no deviation gets as much room after it as one takes, unseen.
    """
    room: dict[int, str] = {}
    for start in (i for i, token in enumerate(tokens) if token.type == "tr_open"):
        if tokens[start - 1].type == "tbody_open":
            room = _deviations(tokens, start)
        cells = _cells(tokens, start)
        if cells and not cells[0].content:
            tokens[start].attrSet("class", "under")
        for column, cell in enumerate(cells):
            if column in room and PLUS_MINUS not in cell.content and cell.children is not None:
                gap = f'<span class="gap" aria-hidden="true">{html.escape(room[column])}</span>'
                cell.children.append(Token("html_inline", "", 0, content=gap))


def _cells(tokens: list[Token], start: int) -> list[Token]:
    """The contents of the body cells of the row that begins at ``start``."""
    end = next(i for i in range(start, len(tokens)) if tokens[i].type == "tr_close")
    return [tokens[i + 1] for i in range(start, end) if tokens[i].type == "td_open"]


def _deviations(tokens: list[Token], start: int) -> dict[int, str]:
    """Column -> " ± deviation" of some row, for the table whose body begins at ``start``."""
    end = next(i for i in range(start, len(tokens)) if tokens[i].type == "tbody_close")
    rows = [_cells(tokens, i) for i in range(start, end) if tokens[i].type == "tr_open"]
    return {
        column: cell.content[cell.content.index(PLUS_MINUS) :]
        for row in rows
        for column, cell in enumerate(row)
        if PLUS_MINUS in cell.content and len(cell.content) <= LONG
    }


def _image(
    renderer: RendererHTML, tokens: Sequence[Token], at: int, options: Any, env: dict[str, Any]
) -> str:
    caption = html.escape(tokens[at].content)
    folder = env["folder"].resolve()
    path = (folder / str(tokens[at].attrs["src"])).resolve()
    if not (path.is_file() and path.is_relative_to(folder) and path.suffix == ".png"):
        return f"<em>{caption}</em>"
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    return f'<img alt="{caption}" src="data:image/png;base64,{data}">'
