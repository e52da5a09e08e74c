"""The gates' picture, and what both pictures keep to: fonts, errors, matplotlib left as it was."""

import doctest
import subprocess
import sys
from dataclasses import replace

import matplotlib
import matplotlib.image
import numpy as np
import pytest
from helpers import ROOT, plain_environment
from matplotlib.colors import to_rgb
from plot_parts import AUTHORS, WORDS, assert_nothing_overlaps, drawn, recognizer_of, texts, ticks
from runtime_models import make_model

from gban_edge import plot, plot_fonts, plot_heat

pytest_plugins = ["plot_fixtures"]


def test_a_font_that_has_the_letters_is_taken_where_there_is_one(monkeypatch):
    real = plot_fonts._letters
    other = "DejaVu Serif"

    def without(path, wanted):
        return real(path, wanted) - ({"ж"} if "Sans" in path else set())

    monkeypatch.setattr(plot_fonts, "_letters", without)
    letters = plot_fonts.Letters(["жук"])
    assert letters.families[0] == "DejaVu Sans"
    assert len(letters.families) == 2
    assert not letters.missing
    assert letters.note == ""
    monkeypatch.setattr(plot_fonts, "_letters", lambda path, wanted: real(path, wanted) - {"ж"})
    letters = plot_fonts.Letters(["жук"])
    assert letters.shown("жук") == "\\u0436ук"
    assert "code point" in letters.note
    assert other not in letters.families


def test_gates_are_divided_between_sound_and_words(result):
    left, right = plot.gates(result).axes
    c = result.contributions
    spans = [(bar.get_x(), bar.get_width()) for bar in left.patches]
    expected = [(0, c["a_s"]), (c["a_s"], c["a_t"]), (0, c["h_s"]), (c["h_s"], c["h_t"])]
    assert np.array(spans) == pytest.approx(np.array(expected))
    rows = [round(bar.get_y() + bar.get_height() / 2) for bar in left.patches]
    assert rows == [0, 0, 1, 1]
    colours = [bar.get_facecolor()[:3] for bar in left.patches]
    assert colours == [to_rgb("#0072B2"), to_rgb("#D55E00")] * 2
    assert [bool(bar.get_hatch()) for bar in left.patches] == [False, True] * 2
    kinds = {"s": "sound", "t": "words"}
    assert texts(left) == [f"{kinds[k[-1]]} {plot.per_cent(c[k])}  ({k})" for k in c]
    assert ticks(right) == ["angry", "happy", "neutral", "sad"]
    assert [bar.get_width() for bar in right.patches] == pytest.approx(
        list(result.probabilities.values())
    )


def test_the_answer_is_marked_and_named(result):
    figure = plot.gates(result)
    marked = [
        label for label, bar in zip(result.probabilities, figure.axes[1].patches, strict=True)
        if bar.get_facecolor()[:3] == to_rgb("#009E73")
    ]  # fmt: skip
    assert marked == [result.label]
    name = {"ang": "angry", "hap": "happy", "neu": "neutral", "sad": "sad"}[result.label]
    assert figure.get_suptitle() == f"{name} {plot.per_cent(result.confidence)}"
    assert plot.gates(result, title="mine").get_suptitle() == "mine"
    assert plot.alignment(result, title="mine").get_suptitle() == "mine"


def test_an_abstention_marks_nothing(recognizer, result):
    unsure = replace(result, label="", abstained=True)
    for figure in (plot.gates(unsure), plot.alignment(unsure)):
        assert figure.get_suptitle().startswith("no answer: ")
        drawn(figure)
    bars = plot.gates(unsure).axes[1].patches
    assert {bar.get_facecolor()[:3] for bar in bars} == {to_rgb("0.6")}


@pytest.mark.parametrize("share", [0.0, 0.004, 0.5, 1.0])
def test_labels_of_gates_never_meet(result, share):
    values = {"a_s": share, "a_t": 1 - share, "h_s": 1 - share, "h_t": share}
    figure = plot.gates(replace(result, contributions=values))
    drawn(figure)
    for sound, words in np.array(figure.axes[0].texts).reshape(2, 2):
        assert sound.get_window_extent().x1 < words.get_window_extent().x0


def test_gates_of_many_classes_with_foreign_names(result):
    names = [f"класс {i}" for i in range(12)]
    many = replace(result, label=names[3], probabilities=dict.fromkeys(names, 1 / 12))
    figure = plot.gates(many)
    assert ticks(figure.axes[1]) == names
    drawn(figure)
    assert_nothing_overlaps(figure)


def test_a_network_without_alignment_or_gates_is_refused(tmp_path, pcm):
    result = recognizer_of(tmp_path, AUTHORS, "h_s")(pcm, WORDS)
    with pytest.raises(ValueError, match=r"alpha is None.* h_s.*such as gban"):
        plot.alignment(result)
    with pytest.raises(ValueError, match=r"contributions is None.*gban, the network"):
        plot.gates(result)
    aligned = recognizer_of(tmp_path, AUTHORS, "concat_1")(pcm, WORDS)
    assert len(plot.alignment(aligned).axes) == 4
    with pytest.raises(ValueError, match="contributions is None"):
        plot.gates(aligned)
    for draw in (plot.alignment, plot.gates):
        with pytest.raises(ValueError, match="Result, got dict"):
            draw(result.to_dict())


def test_the_examples_in_its_docstrings_are_true():
    assert doctest.testmod(plot_heat).attempted >= 3
    assert doctest.testmod(plot_heat).failed == 0


def test_equal_results_give_equal_pictures(result, pcm):
    assert np.array_equal(drawn(plot.alignment(result, pcm)), drawn(plot.alignment(result, pcm)))
    assert np.array_equal(drawn(plot.gates(result)), drawn(plot.gates(result)))


def test_matplotlib_is_left_as_it_was(result, pcm):
    before = dict(matplotlib.rcParams)
    plot.alignment(result, pcm)
    plot.gates(result)
    assert dict(matplotlib.rcParams) == before
    program = (
        "import sys, gban_edge.plot\n"
        "assert 'matplotlib' not in sys.modules\n"
        "class Block:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] == 'matplotlib': raise ImportError(name)\n"
        "sys.meta_path.insert(0, Block())\n"
        "from gban_edge.runtime import Result\n"
        "empty = Result('', True, {'a': 1.0}, 1.0, *[None] * 6, 0.0, (), '', {})\n"
        "try: gban_edge.plot.gates(empty)\n"
        "except RuntimeError as error: assert 'gban-edge[plot]' in str(error)\n"
        "else: raise AssertionError\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True,
                          text=True, env=plain_environment())  # fmt: skip
    assert done.returncode == 0, done.stderr
    source = "".join(
        (ROOT / "gban_edge" / f).read_text() for f in ("plot.py", "plot_heat.py", "plot_fonts.py")
    )
    assert "import matplotlib.pyplot" not in source
    assert "from matplotlib import pyplot" not in source


def test_readmes_pictures_are_made_by_the_script_and_small(tmp_path):
    import tools.readme_figures as script

    committed = sorted((ROOT / "docs" / "figures").glob("*.png"))
    assert [path.name for path in committed] == ["alignment.png", "gates.png"]
    model = make_model(tmp_path / "gban.safetensors", AUTHORS).path
    paths = script.draw(model, tmp_path / "out", 5, 1)
    for path in (*committed, *paths):
        assert path.stat().st_size < 100_000
        picture = matplotlib.image.imread(path)
        assert picture.shape[1] == 8 * script.DPI
        assert picture[..., :3].std() > 0.05
    for session, number, message in ((6, 0, "session"), (5, 999, "number")):
        with pytest.raises(ValueError, match=message):
            script.draw(model, tmp_path / "none", session, number)
    assert not (tmp_path / "none").exists()
