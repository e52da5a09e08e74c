"""Tables and figures from results, the odd ones included."""

import csv
import json

import matplotlib.image
import numpy as np
import pytest

from train import recipes, report
from train.figures import write_figures


def result(model, fold, seed, wa, classes=4):
    confusion = np.zeros((4, 4), int)
    confusion[0, 0], confusion[0, 1] = round(20 * wa), 20 - round(20 * wa)
    confusion[range(1, classes), range(1, classes)] = 20
    recalls = [wa, *([1.0] * (classes - 1)), *([None] * (4 - classes))]
    gates = {"a_s": 0.4, "a_t": 0.6, "h_s": 0.3, "h_t": 0.7} if model == "gban" else None
    history = [
        {"epoch": e, "train_loss": 1 / e, "validation_loss": 1.2 / e, "validation_wa": wa}
        for e in (1, 2)
    ]
    return {
        "model": model, "fold": fold, "seed": seed, "wa": wa, "ua": wa, "recalls": recalls,
        "confusion": confusion.tolist(), "gates": gates, "best_epoch": 2, "history": history,
        "utterances": {"train": 60, "validation": 4, "test": 20 * classes}, "vocabulary": 9,
    }  # fmt: skip


def settings(seeds):
    return {
        "corpus": "a corpus", "fingerprint": "0123456789abcdef", "utterances": 64,
        "notes": ["two files were odd"], "models": ["gban", "h_s"], "folds": [1, 3],
        "seeds": list(range(seeds)), "recipe": recipes.get("paper").to_dict(),
    }  # fmt: skip


@pytest.mark.parametrize("seeds", [1, 2])
def test_tables(tmp_path, seeds):
    results = [
        result(m, f, s, 0.5 + 0.1 * s + 0.2 * (f == 3) + 0.1 * (m == "gban"), classes=3)
        for s in range(seeds)
        for f in (3, 1)
        for m in ("h_s", "gban")
    ]
    summary = report.write_tables(tmp_path, settings(seeds), results)
    text = (tmp_path / "results.md").read_text()
    row = next(x for x in text.splitlines() if x.startswith("| gban"))
    if seeds == 1:
        assert row.split("|")[2:-1] == [" 0.6000 ", " 0.8000 ", " 0.7000 "]
    else:
        # Over seeds: folds .65 and .85; means .7 and .8, deviation .0707.
        assert [c.strip() for c in row.split("|")[2:-1]] == ["0.6500", "0.8500", "0.7500 ± 0.0707"]
    assert "two files were odd" in text
    assert "fingerprint 0123456789abcdef" in text
    assert "| h_s " in text
    assert "–" in text  # the class that does not occur has no recall
    rows = list(csv.DictReader((tmp_path / "results.csv").open()))
    assert [(r["model"], r["fold"]) for r in rows[: 2 * seeds]] == [("gban", "1")] * seeds + [
        ("gban", "3")
    ] * seeds
    assert {r["recall_sad"] for r in rows} == {""}
    stored = json.loads((tmp_path / "results.json").read_text())
    assert stored["summary"] == json.loads(json.dumps(summary))
    assert stored["versions"]["torch"]


def test_figures_are_pictures_and_equal_for_equal_results(tmp_path):
    results = [result(m, f, 0, 0.6, classes=3) for m in ("gban", "h_s") for f in (1, 3)]
    summary = report.write_tables(tmp_path, settings(1), results)
    for name in ("one", "two"):
        write_figures(tmp_path / name, summary, results)
    for path in sorted((tmp_path / "one" / "figures").iterdir()):
        picture = matplotlib.image.imread(path)
        assert min(picture.shape[:2]) > 400
        assert picture[..., :3].std() > 0.05
        assert (tmp_path / "two" / "figures" / path.name).read_bytes() == path.read_bytes()
