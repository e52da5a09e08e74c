"""The report of a run folder: whole, rebuilt to the byte, refused where it cannot be."""

import csv
import json
import shutil
import subprocess
import sys

import pytest
from helpers import ROOT, assert_clean_error, plain_environment
from stored_run import FACTS, papers_wa, write_run
from test_page import outside

from train import paper, report, stored

ALL = list(paper.SYSTEMS)
FILES = {
    "report.html", "report.md", "results.csv", "results.json",
    *(f"tables/table{n}.{kind}" for n in (1, 2, 3) for kind in ("csv", "json", "md")),
    *(f"figures/{name}.png" for name in ("calibration", "confusions", "coverage", "gates-gban",
                                         "learning", "overview")),
}  # fmt: skip


def rebuild(*arguments):
    """``python train/report.py ARGUMENTS`` in a process of its own."""
    command = [sys.executable, str(ROOT / "train" / "report.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=plain_environment())


def contents(run):
    """What a report consists of, by name."""
    return {name: (run / name).read_bytes() for name in FILES if (run / name).is_file()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Fifteen systems, five folds, three seeds, reported on; not to be changed."""
    run = write_run(tmp_path_factory.mktemp("runs") / "whole", ALL, seeds=3)
    report.build(run)
    return run


@pytest.fixture
def small(tmp_path):
    """Two systems on two folds with two seeds, not yet reported on."""
    return write_run(tmp_path / "run", ["gban", "h_s"], folds=(1, 3), seeds=2)


def test_a_whole_grid_makes_one_report(whole):
    assert contents(whole).keys() == FILES
    text = (whole / "report.md").read_text()
    headings = [line[3:] for line in text.splitlines() if line.startswith("## ")]
    assert headings == [
        "What was run", "The answer", "The systems", "Tables 1 to 3 beside the paper",
        "Figure 2 beside the paper", "The paper's orderings", "What this is evidence of",
        "Significance", "Parameters and training", "Calibration", "Which classes are confused",
        "Learning curves", "Notes and limits",
    ]  # fmt: skip
    assert "0123456789abcdef" in text
    assert "python 3.12.0, torch 2.0.0" in text
    assert "GBAN has WA **.7700** ± .0500 and UA **.7700** ± .0500 (mean of folds 1 to 5" in text
    assert "The best system of one modality is Self-Att, WA .7500 ± .0500" in text
    assert "| BiAtt-TFL    |      1,003 |" in text
    assert "not trained" not in text
    for name in ("overview", "gates-gban", "calibration", "coverage", "confusions", "learning"):
        assert text.count(f"(figures/{name}.png)") == 1


def test_the_page_needs_nothing_else(whole):
    page = (whole / "report.html").read_text()
    assert outside(page) == []
    assert page.count("data:image/png;base64,") == 6
    assert page.count("<table>") == page.count('<div class="scroll">') > 12
    assert "<em>" not in page.split("Calibration</h2>")[0]  # every picture is there


def test_results_json_holds_nothing_that_differs_between_equal_runs(small, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(small, other)
    for path in other.glob("tasks/*/timing.json"):
        path.write_text('{"seconds": 99.5}')
    for run in (small, other):
        report.build(run)
    assert (other / "results.json").read_bytes() == (small / "results.json").read_bytes()
    assert "99.5" in (other / "report.md").read_text()


def test_results_json(whole):
    found = json.loads((whole / "results.json").read_text())
    assert {key: found[key] for key in FACTS} == FACTS
    assert len(found["tasks"]) == 225
    assert found["summary"]["gban"]["wa"]["mean"] == pytest.approx(0.77)
    assert found["significance"]["wa"].keys() == set(ALL) - {"gban"}
    assert len(found["claims"]) == 26
    assert found["unimodal"]["holds"] is True
    assert found["calibration"]["models"].keys() == set(ALL)
    assert found["left_out"] == []


def test_rebuilt_it_is_the_same_to_the_byte(whole, tmp_path):
    before = contents(whole)
    copy = tmp_path / "elsewhere"
    shutil.copytree(whole, copy, ignore=shutil.ignore_patterns(*(n.split("/")[0] for n in FILES)))
    assert contents(copy) == {}
    done = rebuild(copy)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(copy / "report.html")
    assert contents(copy) == before


def test_results_csv(small):
    report.build(small)
    rows = list(csv.DictReader((small / "results.csv").open()))
    assert [(r["model"], r["fold"], r["seed"]) for r in rows] == [
        (model, fold, seed) for model in ("gban", "h_s") for fold in "13" for seed in "01"
    ]
    assert (rows[0]["wa"], rows[1]["wa"]) == ("0.700000", "0.750000")


def test_a_class_that_does_not_occur_has_no_recall(tmp_path):
    run = write_run(tmp_path / "run", ["gban"], folds=(1,), classes=3)
    report.build(run)
    row = next(csv.DictReader((run / "results.csv").open()))
    assert (row["recall_neu"], row["recall_sad"]) == ("0.700000", "")
    assert "| GBAN   | .7000 | .7000 |   .7000 |   – |" in (run / "report.md").read_text()


def test_the_table_for_the_terminal(small):
    lines = report.fold_table(report.build(small), "wa").splitlines()
    assert [c.strip() for c in lines[0].split("|")[1:-1]] == [
        "model", "fold 1", "fold 3", "mean ± sd",
    ]  # fmt: skip
    # GBAN: .70 and .75 on fold 1, and the same on fold 3; over seeds .70 and .75.
    assert [c.strip() for c in lines[2].split("|")[1:-1]] == [
        "gban", "0.7250", "0.7250", "0.7250 ± 0.0354",
    ]  # fmt: skip


def test_notes_word_errors_and_strange_names_are_shown_as_they_are(small):
    settings = json.loads((small / "settings.json").read_text())
    settings |= {"corpus": "<b>odd</b> *corpus*", "notes": ["two files\n  were <i>odd</i>"]}
    (small / "settings.json").write_text(json.dumps(settings))
    (small / "word-errors.md").write_text("# Word errors\n\nIt falls.\n\n## How\n\nSlowly.\n")
    report.build(small)
    page, text = (small / "report.html").read_text(), (small / "report.md").read_text()
    assert "&lt;b&gt;odd&lt;/b&gt; *corpus*" in page
    assert "  were &lt;i&gt;odd&lt;/i&gt;" in page
    assert "## Imperfect words\n\nIt falls.\n\n### How\n\nSlowly." in text


def test_environment_is_that_of_the_training(small):
    report.record_environment(small, gpu="none")
    facts = json.loads((small / "environment.json").read_text())
    assert facts["gpu"] == "none"
    assert {"python", "torch", "numpy"} <= set(facts["versions"])
    assert facts["commit"]
    (small / "environment.json").write_text(json.dumps(FACTS | {"commit": "feedfeedfeed"}))
    report.build(small)
    assert json.loads((small / "results.json").read_text())["commit"] == "feedfeedfeed"
    (small / "environment.json").unlink()
    report.build(small)
    assert "not recorded" in (small / "report.md").read_text()


def no_run(run):
    (run / "settings.json").unlink()
    return ["holds no run: settings.json is missing"]


def no_folder(run):
    shutil.rmtree(run)
    return [f"run folder {run} does not exist"]


def broken_settings(run):
    (run / "settings.json").write_text("{")
    return ["settings.json: not readable as JSON"]


def settings_of_something_else(run):
    (run / "settings.json").write_text('{"models": "gban"}')
    return ["settings.json: not the settings of a run", "corpus must be of type str"]


def unfinished(run):
    (run / "tasks/h_s-fold3-seed1/result.json").unlink()
    shutil.rmtree(run / "tasks/gban-fold1-seed0")
    return ["2 of 8 tasks", "gban-fold1-seed0", "h_s-fold3-seed1", "--resume", "--partial"]


def broken_result(run):
    (run / "tasks/h_s-fold1-seed1/result.json").write_text('{"model": "h_s"')
    return ["h_s-fold1-seed1/result.json: not readable as JSON"]


def result_without_a_key(run):
    path = run / "tasks/h_s-fold1-seed1/result.json"
    path.write_text(path.read_text().replace('"wa"', '"aw"'))
    return ["h_s-fold1-seed1/result.json", "wa must be of type float"]


def anothers_result(run):
    shutil.copy(run / "tasks/gban-fold1-seed0/result.json", run / "tasks/h_s-fold1-seed1/")
    return ["h_s-fold1-seed1/result.json: the result of another task"]


def no_predictions(run):
    (run / "tasks/gban-fold3-seed0/predictions.csv").unlink()
    return ["gban-fold3-seed0 has no predictions.csv"]


def broken_predictions(run):
    (run / "tasks/gban-fold3-seed0/predictions.csv").write_text("utterance,label\n")
    return ["gban-fold3-seed0/predictions.csv", "logit_ang"]


def broken_environment(run):
    (run / "environment.json").write_text("[]")
    return ["environment.json: not a run's environment"]


FAULTS = [
    no_run, no_folder, broken_settings, settings_of_something_else, unfinished, broken_result,
    result_without_a_key, anothers_result, no_predictions,
    broken_predictions, broken_environment,
]  # fmt: skip


@pytest.mark.parametrize("spoil", FAULTS)
def test_what_cannot_be_reported_on_is_named_and_nothing_written(small, capsys, spoil):
    for name in ("report.md", "results.json", "lock"):
        (small / name).write_text("")
    words = spoil(small)
    before = {path: path.read_bytes() for path in small.rglob("*") if path.is_file()}
    with pytest.raises(SystemExit) as ending:
        report.main(small)
    assert ending.value.code == 2
    said = capsys.readouterr().err
    for word in ("error: ", *words):
        assert word in said
    assert {path: path.read_bytes() for path in small.rglob("*") if path.is_file()} == before


def test_the_command_fails_cleanly(tmp_path):
    done = rebuild(tmp_path)
    assert done.returncode == 2
    assert_clean_error(done, f"error: {tmp_path} holds no run")
    assert list(tmp_path.iterdir()) == []


def test_partial_takes_the_largest_whole_part(tmp_path):
    run = write_run(tmp_path / "run", ["h_s", "gban", "gmu"], folds=(1, 2, 3), seeds=2)
    shutil.rmtree(run / "tasks/gban-fold2-seed1")  # seed 1 lacks a fold
    for path in run.glob("tasks/gmu-*"):
        shutil.rmtree(path)  # gmu was not begun
    found = stored.read(run, partial=True)
    assert found.models == ["h_s", "gban"]
    # Two folds x two seeds are more than three folds x one.
    assert {(r["fold"], r["seed"]) for r in found.results} == {(1, 0), (1, 1), (3, 0), (3, 1)}
    assert len(found.left_out) == 18 - 8
    report.build(run, partial=True)
    text = (run / "report.md").read_text()
    assert "**This report is on a part of the run**: 10 of its tasks" in text
    assert "h_s-fold2-seed0" in text
    assert json.loads((run / "results.json").read_text())["left_out"] == found.left_out
    assert not json.loads((run / "tables/table1.json").read_text())["complete"]


def test_partial_says_where_there_is_nothing_to_compare(small):
    for name in ("gban-fold1-seed0", "gban-fold1-seed1", "h_s-fold3-seed0", "h_s-fold3-seed1"):
        shutil.rmtree(small / "tasks" / name)
    with pytest.raises(ValueError, match="no fold and seed are finished for every model begun"):
        stored.read(small, partial=True)
    shutil.rmtree(small / "tasks")
    with pytest.raises(ValueError, match=r"model begun \(none\)"):
        stored.read(small, partial=True)


def test_a_run_in_progress_is_left_alone(small, monkeypatch):
    from train import runfolder

    with runfolder.locked(small / "lock", "the run", wait=0):
        locked = runfolder.locked
        monkeypatch.setattr(runfolder, "locked", lambda path, what, wait: locked(path, what, 0))
        with pytest.raises(SystemExit):
            report.main(small)
    assert not (small / "report.md").exists()


def test_the_authors_recipe_is_said(tmp_path):
    run = write_run(tmp_path / "run", ["gban"], folds=(1,), recipe={"name": "authors", "batch": 32})
    report.build(run)
    text = (run / "report.md").read_text()
    assert "authors: batch 32" in text
    assert "alignment: the authors' additive score" in text
    assert "see train/authors.py" in text


def test_a_run_without_gban_is_reported_on(tmp_path):
    run = write_run(tmp_path / "run", ["h_t", "h_s"], wa=papers_wa)
    summary = report.build(run)
    assert list(summary) == ["h_t", "h_s"]
    text = (run / "report.md").read_text()
    assert "GBAN was not trained in this run." in text
    assert "gates-gban" not in text
    assert outside((run / "report.html").read_text()) == []
