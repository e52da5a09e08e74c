"""The HTML page: whole in itself, safe against what it quotes, aligned."""

import base64
import re
from html.parser import HTMLParser

from train.markdown import escape, number, p_value, signed, span, spread, table
from train.page import render

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)


class Collected(HTMLParser):
    """Every tag with its attributes, every piece of text; complains of tags left open."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.texts, self.open = [], [], []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in ("meta", "img", "br", "hr"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def outside(page):
    """Whatever the page would have to fetch from elsewhere."""
    found = [
        value
        for tag, attributes in Collected(page).tags
        for name, value in attributes.items()
        if name in ("src", "href", "srcset", "action") and not value.startswith(("data:", "#"))
    ]
    return found + re.findall(r"url\(|@import|https?://", page)


def test_pictures_are_in_the_page(tmp_path):
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "one.png").write_bytes(PIXEL)
    (tmp_path.parent / "secret.png").write_bytes(PIXEL)
    page = render(
        "# Title & more\n\n## Part *one*\n\n![a <b>](figures/one.png) ![gone](figures/two.png)\n\n"
        "![above](../secret.png) ![far](https://example.org/x.png)\n",
        tmp_path,
    )
    images = [attributes for tag, attributes in Collected(page).tags if tag == "img"]
    assert len(images) == 1
    assert base64.b64decode(images[0]["src"].split(",", 1)[1]) == PIXEL
    for caption in ("gone", "above", "far"):
        assert f"<em>{caption}</em>" in page
    assert "example.org" not in page
    assert outside(page) == []


def test_title_and_links_to_sections(tmp_path):
    page = render("# Title & more\n\n## Tables 1 to 3\n\ntext\n\n## It's 100%\n", tmp_path)
    found = Collected(page)
    assert "<title>Title &amp; more</title>" in page
    anchors = [a["id"] for t, a in found.tags if t == "h2"]
    assert anchors == ["tables-1-to-3", "it-s-100"]
    assert [a["href"] for t, a in found.tags if t == "a"] == [f"#{name}" for name in anchors]


def test_tables_scroll_and_align(tmp_path):
    rows = [["GBAN", "**.9000** ± .0100", "undecided"], ["", ".7239", "–"], ["x", "–", "–"]]
    page = render("# T\n\n" + table(["system", "WA", "verdict"], rows), tmp_path)
    assert '<div class="scroll"><table>' in page
    assert page.count('<tr class="under">') == 1
    assert 'class="undecided"' in page
    # Under a mean with a deviation, a number has the deviation's room after it.
    gap = '<span class="gap" aria-hidden="true"> ± .0100</span>'
    assert f'<td style="text-align:right">.7239{gap}</td>' in page
    assert page.count(gap) == 2
    assert page.count("text-align:right") == 2 * 4


def test_an_empty_report_is_a_page(tmp_path):
    assert outside(render("", tmp_path)) == []


def test_escaped_text_stands_for_itself(tmp_path):
    for text in (
        "<script>alert(1)</script>",
        "a_b _c_ *d* [e](f) | `g` # h",
        "C:\\data\\_x",
        "&lt;",
    ):
        page = render("# T\n\n" + table(["a"], [[escape(text)]]), tmp_path)
        cell = re.search(r"<td[^>]*>(.*?)</td>", page).group(1)
        assert "".join(Collected(cell).texts) == text
        assert Collected(cell).tags == []


def test_numbers_as_the_paper_prints_them():
    assert [number(v) for v in (0.7239, 1.0, 0.0, -0.05, -0.00001, 12.5, None)] == [
        ".7239", "1.0000", ".0000", "−.0500", ".0000", "12.5000", "–",
    ]  # fmt: skip
    assert [signed(v) for v in (0.05, -0.05, 0.00001, None)] == ["+.0500", "−.0500", ".0000", "–"]
    assert [p_value(p) for p in (0.0004, 0.0126, 1.0, None)] == ["<.001", ".013", "1.000", "–"]
    assert spread(0.5, None, best=True) == "**.5000**"
    assert spread(0.5, 0.01) == ".5000 ± .0100"
    assert [span(n) for n in ([1], [1, 2], [1, 2, 3], [1, 2, 4])] == [
        "1", "1 and 2", "1 to 3", "1, 2 and 4",
    ]  # fmt: skip
