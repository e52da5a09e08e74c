"""A run's pictures: which there are, that they show something, and what they show."""

import matplotlib.image
import numpy as np
import pytest
from fake_run import make_run, summary_of, write_task

from gban_edge.calibration import expected_calibration_error
from train import calibration_figures, figures, paper

NAMES = {
    "calibration.png", "confusions.png", "coverage.png", "gates-gban.png", "learning.png",
    "overview.png",
}  # fmt: skip


@pytest.mark.parametrize("models", [{"gban": 2.0, "h_s": 1.0, "mdre": 1.5}, {"h_t": 0.5}])
def test_they_are_pictures_and_equal_for_equal_results(tmp_path, models):
    pictures = []
    for name in ("one", "two"):
        results = make_run(tmp_path / name, models, folds=(1, 3), seeds=(0,), utterances=60)
        figures.write_figures(tmp_path / name, summary_of(results), results)
        pictures.append({p.name: p for p in (tmp_path / name / "figures").iterdir()})
    assert pictures[0].keys() == NAMES - ({"gates-gban.png"} if "gban" not in models else set())
    for name, path in pictures[0].items():
        picture = matplotlib.image.imread(path)
        assert min(picture.shape[:2]) > 200
        assert picture[..., :3].std() > 0.05
        assert pictures[1][name].read_bytes() == path.read_bytes()


def test_a_class_that_does_not_occur_and_an_unknown_system(tmp_path):
    (result,) = make_run(tmp_path, {"new": 1.0}, folds=(2,), seeds=(0,), utterances=30)
    labels = np.arange(30) % 3
    logits = np.eye(4)[labels] + 0.1 * np.arange(4)
    counts = np.zeros((4, 4), int)
    np.add.at(counts, (labels, logits.argmax(axis=1)), 1)
    result["confusion"] = counts.tolist()
    write_task(tmp_path, result, labels, logits)
    figures.write_figures(tmp_path, summary_of([result]), [result])
    assert (tmp_path / "figures" / "overview.png").stat().st_size > 5000


def overview(summary):
    axes = figures._overview(summary).axes[0]
    rows = {t.get_text(): y for t, y in zip(axes.get_yticklabels(), axes.get_yticks(), strict=True)}
    return axes, rows


def at(axes, row, marker, size=None):
    """The x of what is drawn in a row with a marker (of a size)."""
    lines = [x for x in axes.lines if x.get_marker() == marker and row in x.get_ydata()]
    lines = [x for x in lines if size is None or x.get_markersize() == size]
    return sorted(float(v) for x in lines for v in x.get_xdata())


def test_the_overview_shows_folds_mean_and_the_papers_average(tmp_path):
    results = make_run(tmp_path, {"gban": 2.0, "mdre": 1.5, "h_s": 1.0})
    summary = summary_of(results)
    axes, rows = overview(summary)
    assert list(rows) == ["h_s", "gban", "mdre"]  # the order of the paper's tables
    for model, row in rows.items():
        assert at(axes, row, "o", 4) == pytest.approx(sorted(summary[model]["wa"]["by_fold"]))
        assert at(axes, row, "o", 8) == pytest.approx([summary[model]["wa"]["mean"]])
    assert at(axes, rows["gban"], "D") == [paper.AVERAGES["gban"]]
    assert at(axes, rows["mdre"], "D") == []  # the paper has no number of it
    texts = {t.get_text() for t in axes.texts}
    assert {"Table 1: one representation", "Table 2: fusion", "Table 3: other systems"} <= texts


def test_figure_2_stands_beside_the_papers(tmp_path):
    results = make_run(tmp_path, {"gban": 2.0})
    values = summary_of(results)["gban"]
    ours, theirs = figures._gates("gban", values["folds"], values["gates"]).axes
    heights = [bar.get_height() for bar in ours.patches]
    assert heights == pytest.approx([v for gate in values["gates"].values() for v in gate])
    bands = [(bar.get_y(), bar.get_y() + bar.get_height()) for bar in theirs.patches]
    assert np.array(bands) == pytest.approx(np.array(list(paper.FIGURE_2.values())))
    assert [t.get_text() for t in theirs.get_xticklabels()] == ["a_s", "a_t", "h_s", "h_t"]
    assert "IEMOCAP" in theirs.get_title()
    gates = {"a_s": [0.4], "a_t": [0.6]}
    assert len(figures._gates("gmu", [1], gates).axes) == 1  # the paper shows GBAN's alone


def test_bars_of_a_fold_do_not_overlap():
    for count in (2, 4):
        places = list(figures._offsets(count))
        assert min(np.diff(places)) >= 0.19
        assert sum(places) == pytest.approx(0)


def test_calibration_is_shown_of_four_systems_with_gban_first(tmp_path):
    strengths = {"tfl": 1.0, "h_t": 0.5, "gmu": 1.0, "gban": 1.5, "h_s": 0.7}
    results = make_run(tmp_path, strengths, folds=(1, 2), seeds=(0,))
    tasks = calibration_figures.chosen(tmp_path, results)
    assert list(tasks) == ["gban", "h_s", "h_t", "tfl"]
    panels = calibration_figures.reliabilities(tasks).axes
    found = tasks["gban"]
    before = expected_calibration_error(found.uncalibrated, found.labels)
    after = expected_calibration_error(found.probabilities, found.labels)
    assert panels[0].get_title() == f"gban   ECE {before:.3f} → {after:.3f}"
    lines = calibration_figures.coverages(tasks).axes[0].lines
    ends = {line.get_label(): line.get_ydata()[-1] for line in lines}  # all answered: WA
    assert ends == pytest.approx({m: np.mean(p.correct) for m, p in tasks.items()})


def test_handfuls_have_no_curve_and_no_legend(tmp_path, monkeypatch, recwarn):
    tasks = calibration_figures.chosen(tmp_path, make_run(tmp_path, {"gban": 1.0}, (1,), (0,)))
    assert calibration_figures.coverages(tasks).legends
    monkeypatch.setattr(calibration_figures, "MINIMUM", 10**6)
    assert not calibration_figures.coverages(tasks).legends
    assert [str(one.message) for one in recwarn] == []
