"""Every system of the paper, from sound files to the paper's tables, in one small run."""

import json

from helpers import results, run_folds

from gban_edge import bundle, models


def test_all_systems_train_and_no_cell_of_a_table_is_missing(cache, tmp_path):
    out = tmp_path / "run"
    done = run_folds(
        "--smoke", "--models", "all", "--epochs", 1, "--out", out,
        "--cache", cache,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "[75/75]" in done.stderr
    found = results(out)
    assert {task["model"] for task in found["tasks"]} == set(models.names())
    for number in (1, 2, 3):
        assert json.loads((out / "tables" / f"table{number}.json").read_text())["complete"]
        assert "not trained" not in (out / "tables" / f"table{number}.md").read_text()
    assert not [claim for claim in found["claims"] if claim["verdict"] == "not trained"]
    report = (out / "report.html").read_text()
    for name in models.names():
        assert f">{name}<" in report
        loaded = bundle.load(out / "tasks" / f"{name}-fold1-seed0" / "model.safetensors")
        assert loaded.model == name
    assert report.count("data:image/png") >= 6
