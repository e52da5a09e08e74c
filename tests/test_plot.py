"""Pictures of a result: what is drawn is what the result says, in every case that there is."""

import doctest
import itertools
import subprocess
import sys
import warnings
from dataclasses import replace
from io import BytesIO

import matplotlib
import matplotlib.image
import numpy as np
import pytest
import soundfile
from helpers import ROOT, SMALL, plain_environment, speech_like
from matplotlib.colors import to_rgb
from runtime_models import make_model

from gban_edge import EmotionRecognizer, plot, plot_fonts
from gban_edge.config import GBANConfig
from gban_edge.runtime.result import heard_by

WORDS = "w2 w3 w4 w5 w6"
# The speech encoder's layers are the authors', which is what step_times knows; the rest is small.
AUTHORS = GBANConfig.from_dict({**SMALL.to_dict(), "conv_filters": [6, 7, 8, 9]})


def recognizer_of(folder, config, name="gban", **options):
    model = make_model(folder / f"{name}.safetensors", config, name)
    return EmotionRecognizer.from_pretrained(model.path, backend="cpu", **options)


@pytest.fixture(scope="module")
def recognizer(tmp_path_factory):
    return recognizer_of(tmp_path_factory.mktemp("plot"), AUTHORS)


@pytest.fixture(scope="module")
def pcm():
    return speech_like(np.random.default_rng(5), 44000).astype(np.float32)


@pytest.fixture(scope="module")
def result(recognizer, pcm):
    return recognizer(pcm, WORDS)


def drawn(figure):
    """The picture as float [height, width, 3]; a letter that no font has is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        file = BytesIO()
        figure.savefig(file, format="png", dpi=60)
    file.seek(0)
    picture = matplotlib.image.imread(file)[..., :3]
    assert picture.std() > 0.02
    return picture


def ticks(axes):
    return [label.get_text() for label in axes.get_yticklabels()]


def texts(axes):
    return [text.get_text() for text in axes.texts]


def test_a_bar_a_word_lies_where_its_sound_does(result):
    words, speech = plot.alignment(result).axes
    assert ticks(words) == WORDS.split()
    assert len(words.patches) == 5
    greatest = max(word.weight for word in result.alignment)
    assert len({word.weight for word in result.alignment}) == 3  # pairs share a step
    for row, (bar, word) in enumerate(zip(words.patches, result.alignment, strict=True)):
        assert bar.get_x() == pytest.approx(word.start)
        assert bar.get_x() + bar.get_width() == pytest.approx(word.end)
        assert bar.get_y() + bar.get_height() / 2 == pytest.approx(row)
        share = word.weight / greatest
        expected = [(1 - share) * a + share * b
                    for a, b in zip((1.0, 0.95, 0.9), to_rgb("#D55E00"), strict=True)]  # fmt: skip
        assert bar.get_facecolor()[:3] == pytest.approx(expected, abs=1e-6)
    assert texts(words) == [f"{100 * word.weight:.0f}%" for word in result.alignment]
    low, high = words.get_ylim()
    assert low > 4.4 > -0.5 > high  # the first word on top, none cut off
    assert speech.get_xlim() == words.get_xlim() == (0, result.seconds)


def test_a_bar_a_speech_step_stands_at_the_middle_of_what_it_hears(result):
    speech = plot.alignment(result).axes[-1]
    heights = [bar.get_height() for bar in speech.patches]
    assert heights == pytest.approx([100 * w for w in result.speech_weights], rel=1e-5)
    assert sum(heights) == pytest.approx(100, abs=1e-3)
    for step, bar in enumerate(speech.patches):
        assert bar.get_x() + bar.get_width() / 2 == pytest.approx(sum(heard_by(AUTHORS, step)) / 2)
        assert bar.get_width() == pytest.approx(0.16)
    assert "unknown" not in speech.get_title(loc="left")


def test_steps_of_a_network_of_other_sizes_are_spread_evenly_and_it_says_so(tmp_path, pcm):
    result = recognizer_of(tmp_path, SMALL)(pcm, WORDS)
    speech = plot.alignment(result).axes[-1]
    assert "spread evenly" in speech.get_title(loc="left")
    bars = speech.patches
    assert len(bars) == len(result.speech_weights)
    assert bars[0].get_x() == pytest.approx(0)
    assert bars[-1].get_x() + bars[-1].get_width() == pytest.approx(result.seconds)


@pytest.mark.parametrize("rate", [16000, 48000])
def test_the_waveform_is_that_of_the_sound(recognizer, rate):
    pcm = np.zeros(2 * rate)
    pcm[rate // 2 : rate] = 0.5 * np.sin(np.arange(rate // 2) * 2 * np.pi * 440 / rate)
    result = recognizer(pcm, WORDS, sample_rate=rate)
    wave = plot.alignment(result, pcm, rate).axes[0]
    points = wave.collections[0].get_paths()[0].vertices
    loud = points[np.abs(points[:, 1]) > 0.25]
    assert loud[:, 0].min() == pytest.approx(0.5, abs=0.01)
    assert loud[:, 0].max() == pytest.approx(1.0, abs=0.01)
    assert np.abs(points[:, 1]).max() == pytest.approx(0.5, abs=0.02)
    assert wave.get_xlim() == (0, 2.0)


def test_the_sound_may_be_a_file_and_must_be_the_results_own(recognizer, result, pcm, tmp_path):
    path = tmp_path / "speech.wav"
    soundfile.write(path, pcm, 16000, subtype="PCM_16")
    assert len(plot.alignment(result, path).axes) == 3
    with pytest.raises(ValueError, match=r"of, 2\.75 s, got 1\.38 s; is sample_rate its own\?"):
        plot.alignment(result, pcm, 32000)
    with pytest.raises(ValueError, match="finite"):
        plot.alignment(result, np.where(np.arange(44000) == 7, np.nan, pcm))


@pytest.mark.parametrize("words", [0, 1, 2, 40, 61, 512])
def test_any_number_of_words(recognizer, pcm, words):
    result = recognizer(pcm, " ".join(f"w{i}" for i in range(words)))
    figure = plot.alignment(result, pcm)
    axes = figure.axes[1]
    assert len(axes.patches) == len(ticks(axes)) == min(words, 60)
    assert ("no words were given" in texts(axes)) == (words == 0)
    assert (f"60 of {words}" in axes.get_title(loc="left")) == (words > 60)
    picture = drawn(figure)
    assert picture.shape[0] < 60 * 18
    weights = sorted((word.weight for word in result.alignment), reverse=True)[:60]
    widths = {label: word.weight for label, word in zip(
        [w.word for w in result.alignment], result.alignment, strict=True)}  # fmt: skip
    assert sorted((widths[label] for label in ticks(axes)), reverse=True) == weights
    numbers = [int(label[1:]) for label in ticks(axes)]
    assert numbers == sorted(numbers)  # in the order of speech


@pytest.mark.parametrize("samples", [0, 100, 3000, 9000, 200000])
def test_any_length_of_sound(recognizer, samples):
    pcm = speech_like(np.random.default_rng(1), samples)
    result = recognizer(pcm, WORDS)
    figure = plot.alignment(result, pcm)
    speech = figure.axes[-1]
    assert ("there was no sound" in texts(speech)) == (samples == 0)
    assert len(speech.patches) == (len(result.speech_weights) if samples else 0)
    assert speech.get_xlim()[1] == max(result.seconds, 0.1)
    if samples and len(result.speech_weights) == 1:  # all that it hears, and no more than there is
        assert speech.patches[0].get_width() == pytest.approx(result.seconds)
    drawn(figure)


def test_rows_do_not_overlap_and_nothing_is_cut_off(result, pcm):
    long = tuple(replace(word, word="supercalifragilisticexpialidocious")
                 for word in result.alignment)  # fmt: skip
    figure = plot.alignment(replace(result, alignment=long), pcm)
    drawn(figure)
    boxes = [label.get_window_extent() for label in figure.axes[1].get_yticklabels()]
    boxes += [text.get_window_extent() for text in figure.axes[1].texts]
    width = figure.bbox.width
    assert all(box.x0 >= 0 and box.x1 <= width for box in boxes)
    for upper, lower in itertools.pairwise(boxes[:5]):
        assert upper.y0 >= lower.y1 - 1
    assert ticks(figure.axes[1])[0] == "supercalifragilistice…"


def test_words_of_any_script_are_shown_or_spelt_as_code_points(result):
    words = ["привет", "你好", "مرحبا", "$x^{2}", "\U0001f600", "a\nb"]
    aligned = tuple(replace(result.alignment[0], word=word) for word in words)
    figure = plot.alignment(replace(result, alignment=aligned), title="你好 $5")
    shown = ticks(figure.axes[0])
    escaped = [word.encode("unicode_escape").decode() for word in words]
    assert shown[0] == "привет"
    assert shown[3] == "$x^{2}"  # not a formula
    assert shown[5] == "a b"
    assert all(s in (word, code) for s, word, code in zip(shown[:5], words, escaped, strict=False))
    explained = "code point" in figure.axes[-1].get_xlabel()
    assert explained == any("\\" in s for s in shown)
    drawn(figure)


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
    boxes = [label.get_window_extent() for label in figure.axes[1].get_yticklabels()]
    assert all(a.y0 >= b.y1 - 1 for a, b in itertools.pairwise(boxes))


def test_a_network_without_alignment_or_gates_is_refused(tmp_path, pcm):
    result = recognizer_of(tmp_path, AUTHORS, "h_s")(pcm, WORDS)
    with pytest.raises(ValueError, match=r"alignment is None.* h_s.*such as gban"):
        plot.alignment(result)
    with pytest.raises(ValueError, match=r"contributions is None.*gban, the network"):
        plot.gates(result)
    aligned = recognizer_of(tmp_path, AUTHORS, "concat_1")(pcm, WORDS)
    assert len(plot.alignment(aligned).axes) == 2
    with pytest.raises(ValueError, match="contributions is None"):
        plot.gates(aligned)
    for draw in (plot.alignment, plot.gates):
        with pytest.raises(ValueError, match="Result, got dict"):
            draw(result.to_dict())


def test_the_examples_in_its_docstrings_are_true():
    assert doctest.testmod(plot).attempted >= 2
    assert doctest.testmod(plot).failed == 0


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
    source = "".join((ROOT / "gban_edge" / f).read_text() for f in ("plot.py", "plot_fonts.py"))
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
