"""A run's calibration and abstention: the numbers, the report's section, the command."""

import json
import subprocess
import sys

import numpy as np
import pytest
from fake_run import make_run, write_task
from helpers import ROOT, assert_clean_error
from scipy.special import log_softmax

from gban_edge.calibration import abstain_threshold, expected_calibration_error
from train import calibration, calibration_text
from train.markdown import number
from train.predicted import read, read_model

STRENGTHS = {"gban": 2.2, "h_s": 1.2}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    return folder, make_run(folder, STRENGTHS)


def poison(folder, result):
    """Make a task sure of a wrong class on every utterance."""
    n = result["utterances"]["test"]
    labels = np.arange(n) % 4
    write_task(folder, result, labels, 50 * np.eye(4)[(labels + 1) % 4])


def test_summary_against_plain_sums(run):
    folder, results = run
    found = calibration.summary(folder, results)
    assert list(found["models"]) == ["gban", "h_s"]
    for model, values in found["models"].items():
        tasks = [read(folder, r) for r in results if r["model"] == model]
        labels = np.concatenate([t.labels for t in tasks])
        for key, scale in (("before", 1.0), ("after", 2.0)):  # the run's temperature is 2
            logs = log_softmax(np.concatenate([t.logits for t in tasks]) / scale, axis=1)
            shares = np.exp(logs)
            nll = -np.mean([row[label] for row, label in zip(logs, labels, strict=True)])
            brier = np.mean(
                [
                    sum((p - (c == label)) ** 2 for c, p in enumerate(row))
                    for row, label in zip(shares, labels, strict=True)
                ]
            )
            ece = expected_calibration_error(shares, labels)
            assert values[key] == pytest.approx({"ece": ece, "nll": nll, "brier": brier})
        assert values["after"]["nll"] < values["before"]["nll"]  # made over-confident by 2
        assert values["after"]["ece"] < values["before"]["ece"]
        wa = np.mean([r["wa"] for r in results if r["model"] == model])
        assert values["accuracy_at_coverage"][0] == pytest.approx(wa)
        assert np.all(np.diff(values["accuracy_at_coverage"]) > 0)
        assert values["temperatures"] == [2.0] * 6


def test_summary_is_json_and_does_not_depend_on_the_order_of_tasks(run):
    folder, results = run
    found = calibration.summary(folder, results)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    by_fold = sorted(results, key=lambda r: (r["model"], r["seed"], -r["fold"]))
    assert calibration.summary(folder, by_fold) == found


def test_abstaining_against_plain_loops(run):
    folder, results = run
    tasks = read_model(folder, results, "gban")
    found = calibration.abstaining(tasks, 0.97)
    kept, right, total, thresholds = {}, {}, 0, []
    for (fold, seed), task in tasks.items():
        others = [tasks[f, seed] for f in (1, 2, 3) if f != fold]
        confidence = np.concatenate([o.confidence for o in others])
        thresholds.append(
            abstain_threshold(confidence, np.concatenate([o.correct for o in others]), 0.97)
        )
        answered = task.confidence >= thresholds[-1]
        kept[fold] = kept.get(fold, 0) + answered.sum()
        right[fold] = right.get(fold, 0) + task.correct[answered].sum()
        total += len(answered)
    assert found["thresholds"] == thresholds
    assert found["threshold"] == np.median(thresholds)
    assert 0 < found["coverage"] == sum(kept.values()) / total < 1
    assert found["accuracy"] == sum(right.values()) / sum(kept.values())
    assert found["lowest"] == min(right[f] / kept[f] for f in kept)
    assert calibration.abstaining(tasks, 0.97, None)["coverage"] > found["coverage"]


def test_a_fold_has_no_say_in_its_own_threshold(tmp_path):
    results = make_run(tmp_path, {"gban": 2.2})
    before = calibration.abstaining(read_model(tmp_path, results, "gban"), 0.97)
    for result in results:
        if result["fold"] == 2:
            poison(tmp_path, result)
    tasks = read_model(tmp_path, results, "gban")
    after = calibration.abstaining(tasks, 0.97)
    assert None not in before["thresholds"]
    for (fold, _), old, new in zip(tasks, before["thresholds"], after["thresholds"], strict=True):
        assert new == (old if fold == 2 else None)
    assert after["coverage"] == 1 / 3  # fold 2 alone is answered, and wrong
    assert after["accuracy"] == after["lowest"] == 0


def test_seeds_do_not_mix(tmp_path):
    results = make_run(tmp_path, {"gban": 2.2})
    before = calibration.abstaining(read_model(tmp_path, results, "gban"), 0.97)
    for result in results:
        if result["seed"] == 1:
            poison(tmp_path, result)
    tasks = read_model(tmp_path, results, "gban")
    after = calibration.abstaining(tasks, 0.97)
    for (_, seed), old, new in zip(tasks, before["thresholds"], after["thresholds"], strict=True):
        assert new == (old if seed == 0 else None)


def test_the_section_has_every_system_and_target(run):
    text = calibration.section(*run)
    headings = [line for line in text.splitlines() if line.startswith("#")]
    assert headings == ["### Accuracy on the surest answers", "### When to abstain"]
    for model in STRENGTHS:
        assert text.count(f"\n| {model} ") == 3
    found = calibration.summary(*run)["models"]["gban"]
    assert f"{number(found['before']['ece'])} → {number(found['after']['ece'])}" in text
    row = next(x for x in text.split("to abstain")[1].splitlines() if x.startswith("| gban"))
    cells = [cell.strip() for cell in row.split("|")[2:-1]]
    first = found["abstain"][0]
    assert cells[1:3] == [f"{first['coverage']:.1%}", number(first["accuracy"])]
    assert len(cells) == 9
    row = next(x for x in text.split("to abstain")[1].splitlines() if x.startswith("| h_s"))
    assert [c.strip() for c in row.split("|")[-4:-1]] == ["–", "–", "–"]  # .99 is out of reach
    assert " nan" not in text.lower()


def test_a_threshold_near_1_is_not_printed_as_1():
    cases = {0.0: "0", 0.5: ".5000", 0.9864: ".9864", 0.99996: ".9999600", 1 - 3e-9: ".99999999700"}
    for value, expected in {**cases, 1.0: "1", 0.25004: ".2500"}.items():
        assert calibration_text.threshold_text(value) == expected


def test_one_fold_cannot_be_cross_validated(tmp_path):
    results = make_run(tmp_path, STRENGTHS, folds=(4,))
    assert calibration.summary(tmp_path, results)["models"]["gban"]["abstain"] is None
    assert "Not available" in calibration.section(tmp_path, results)
    with pytest.raises(ValueError, match="has fold 4 only"):
        calibration.choose(tmp_path, "gban", 0.9, 0.95)


def test_the_command_prints_what_was_reached(run):
    folder, results = run
    command = [sys.executable, str(ROOT / "train" / "calibration.py"), str(folder)]
    done = subprocess.run(
        [*command, "--model", "gban", "--target", "0.97"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    found = calibration.abstaining(read_model(folder, results, "gban"), 0.97)
    lines = done.stdout.splitlines()
    assert lines[0] == "gban, target accuracy 0.97, 3 folds, 2 seed(s)"
    for line, key in zip(lines[1:4], ("threshold", "coverage", "accuracy"), strict=True):
        assert line.split()[:2] == [key, number(found[key])]
    assert "softmax(logits, temperature)" in done.stdout
    done = subprocess.run([*command, "--model", "tfl"], capture_output=True, text=True)
    assert done.returncode == 2
    assert_clean_error(done, "error: model must be among", "['gban', 'h_s']", "'tfl'")


def test_a_target_below_the_accuracy_needs_no_abstention(run):
    text = calibration.choose(run[0], "gban", 0.5, 0.95)
    assert "threshold  0  " in text
    assert "coverage   1.0000" in text


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"target": 1.5}, "target must be above 0 and at most 1, got 1.5"),
        ({"target": 0.0}, "target must be above 0"),
        ({"model": "h_s", "target": 0.999}, "no threshold of h_s reaches an accuracy of 0.999"),
        ({"confidence_level": 1.0}, "confidence_level must be"),
        ({"run": ROOT / "docs"}, "is not the folder of a run"),
    ],
)
def test_the_command_refuses(run, capsys, options, words):
    with pytest.raises(SystemExit) as stopped:
        calibration.main(**{"run": run[0], "model": "gban", "target": 0.95, **options})
    assert stopped.value.code == 2
    assert words in capsys.readouterr().err


def test_folders_that_are_damaged_or_old(tmp_path):
    results = make_run(tmp_path, {"gban": 2.0}, folds=(1, 2), seeds=(0,))
    folder = tmp_path / "tasks" / "gban-fold2-seed0"
    path = folder / "predictions.csv"
    whole = path.read_text()
    for text, words in (
        ("utterance,label,predicted,ang,hap,neu,sad\n", "has no column logit_ang"),
        ("", "has no column label"),
        (whole.splitlines()[0] + "\n", "has no predictions"),
        (whole.replace(",hap,", ",joy,"), "not a table of predictions"),
        (whole[:-40], "not a table of predictions"),
    ):
        path.write_text(text)
        with pytest.raises(ValueError, match=words) as error:
            calibration.choose(tmp_path, "gban", 0.9, 0.95)
        assert str(path) in str(error.value)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"predictions\.csv does not exist"):
        calibration.choose(tmp_path, "gban", 0.9, 0.95)
    old = {k: v for k, v in results[1].items() if k != "temperature"}
    path.write_text(whole)
    with pytest.raises(ValueError, match="no temperature"):
        read(tmp_path, old)
    (folder / "result.json").write_text("{")
    with pytest.raises(ValueError, match="not JSON"):
        calibration.choose(tmp_path, "gban", 0.9, 0.95)
    (folder / "result.json").unlink()
    with pytest.raises(FileNotFoundError, match="is not finished"):
        calibration.choose(tmp_path, "gban", 0.9, 0.95)
