"""The comparison of the engines' precisions on a finished run, benchmarks/engine_accuracy.py."""

import json
import shutil
import subprocess
import sys
from argparse import Namespace

import numpy as np
import pytest
from helpers import ROOT, plain_environment

sys.path.insert(0, str(ROOT / "benchmarks"))

import engine_accuracy
from engine_accuracy import GOLD, TRAINED, as_table, chosen, compare, engines

from train.tasks import Task

# Greatest error of a probability on this run; measured 6.2e-8, 8.6e-5 and 1.1e-3.
MOST = {"cpu fp32": 1e-6, "cpu fp16": 1e-3, "cpu int8": 1e-2}


def options(folder, models="gban"):
    return Namespace(run=folder, models=models, seeds=None, cache=None, iemocap=None)


@pytest.fixture(scope="module")
def rows(finished):
    return engine_accuracy.run(options(finished[0], models="gban,h_t"))


def test_every_form_of_every_model(rows):
    forms = [GOLD, TRAINED, "cpu fp32", "cpu fp16", "cpu int8"]
    ours = [row for row in rows if not row["form"].startswith("cuda")]  # where there is a GPU
    assert [(r["model"], r["form"]) for r in ours] == [
        (m, f) for m in ("gban", "h_t") for f in forms
    ]
    assert {(row["models"], row["utterances"]) for row in rows} == {(2, 40)}


def test_it_evaluates_what_training_evaluated(rows, finished):
    for model in ("gban", "h_t"):
        paths = finished[0].glob(f"tasks/{model}-*/result.json")
        stored = [json.loads(path.read_text()) for path in paths]
        (row,) = (r for r in rows if r["model"] == model and r["form"] == TRAINED)
        for key in ("wa", "ua"):
            assert row[key] == pytest.approx(np.mean([result[key] for result in stored]))


def test_less_precision_is_less_precise_and_within_its_bound(rows):
    for model in ("gban", "h_t"):
        found = {r["form"]: r["probability"] for r in rows if r["model"] == model}
        assert found[GOLD] == 0
        assert 0 < found[TRAINED] < 1e-5
        assert all(0 < found[form] < most for form, most in MOST.items()), found
        assert 10 * found["cpu fp32"] < min(found["cpu fp16"], found["cpu int8"])


def test_the_command(finished, tmp_path):
    command = [sys.executable, ROOT / "benchmarks" / "engine_accuracy.py", finished[0]]
    done = subprocess.run(
        [*map(str, command), "--seeds", "0", "--json", str(tmp_path / "found.json")],
        capture_output=True, text=True, env=plain_environment(),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "| gban, cpu int8 " in done.stdout
    assert json.loads((tmp_path / "found.json").read_text())["rows"][0]["form"] == GOLD


def test_a_model_that_is_not_the_stored_one_is_refused(finished, tmp_path):
    run = shutil.copytree(finished[0], tmp_path / "run")
    path = run / "tasks" / "gban-fold1-seed0" / "result.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "wa": 0.123}))
    with pytest.raises(ValueError, match=r"gban-fold1-seed0 scores WA .* but 0\.123000 is stored"):
        engine_accuracy.run(options(run))


def test_what_is_compared():
    """Two models with a test part each; one label of five differs, at a margin of 0.2."""
    gold = [np.array([[0.9, 0.1], [0.4, 0.6]]), np.array([[0.2, 0.8], [0.7, 0.3], [0.6, 0.4]])]
    ours = [np.array([[0.8, 0.2], [0.55, 0.45]]), gold[1] - [0.0, 1e-3]]
    labels = [[0, 1], [1, 0, 1]]
    found = [(y, {GOLD: g, "x": o}) for y, g, o in zip(labels, gold, ours, strict=True)]
    exact, other = compare("gban", found)
    assert (exact["wa"], exact["other_labels"], exact["margin"]) == (pytest.approx(5 / 6), 0, None)
    assert other["wa"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert other["ua"] == pytest.approx((1 / 2 + (1 + 1 / 2) / 2) / 2)
    assert (other["utterances"], other["other_labels"]) == (5, 1)
    assert other["margin"] == pytest.approx(0.2)
    assert other["probability"] == pytest.approx(0.15)
    last = as_table([exact, other]).splitlines()[-1].split("|")[1:-1]
    assert [cell.strip() for cell in last] == [
        "gban, x", "0.5833", "0.6250", "+0.2500", "1 of 5", "2.0e-01", "1.5e-01",
    ]  # fmt: skip


def test_seeds():
    tasks = [Task("gban", fold, seed) for fold in (1, 2) for seed in (0, 1, 12)]
    assert chosen(tasks, None) == tasks
    assert [task.seed for task in chosen(tasks, "0, 12")] == [0, 12, 0, 12]
    with pytest.raises(ValueError, match=r"seeds must be among \['0', '1', '12'\].*, got '2'"):
        chosen(tasks, "2")


def test_the_gpu_takes_part_where_there_is_one(monkeypatch):
    class Core:
        Engine = staticmethod(lambda path, precision: ("cpu", path, precision))
        CudaEngine = staticmethod(lambda path, precision: ("cuda", path, precision))

    monkeypatch.setattr(engine_accuracy, "native", Core)
    monkeypatch.setattr(engine_accuracy.cuda, "unavailable", lambda: None)
    assert list(engines("x", "gban").values())[3:] == [("cuda", "x", "fp32"), ("cuda", "x", "fp16")]
    assert list(engines("x", "h_s")) == ["cpu fp32", "cpu fp16", "cpu int8"]
    monkeypatch.setattr(engine_accuracy.cuda, "unavailable", lambda: "no GPU")
    assert list(engines("x", "gban")) == ["cpu fp32", "cpu fp16", "cpu int8"]
