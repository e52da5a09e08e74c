"""The paper's tables beside a run's: every cell, complete or not."""

import csv
import io
import json

import pytest
from stored_run import papers_wa, summary_of

from train import paper, tables

ALL = list(paper.SYSTEMS)
FIVE = [1, 2, 3, 4, 5]


def rows_of(text):
    """System or "" -> cells, of the first table in a Markdown text, in order."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]


@pytest.fixture(scope="module")
def whole():
    return tables.build(summary_of(ALL, FIVE, 3, papers_wa))


def test_a_whole_run_has_no_empty_cell(whole):
    for found in whole:
        assert found["complete"] is True
        assert found["not_trained"] == []
        for row in found["rows"]:
            for metric in ("wa", "ua"):
                cells = row[metric].values()
                assert all(cell["this_run"] is not None for cell in cells)
                assert all(cell["sd_over_seeds"] == pytest.approx(0.05) for cell in cells)
    assert [len(found["rows"]) for found in whole] == [4, 5, 10]
    json.dumps(whole, allow_nan=False)


def test_the_papers_numbers_stand_beside(whole):
    for found, papers in zip(whole[:2], (paper.TABLE_1, paper.TABLE_2), strict=True):
        for row in found["rows"]:
            folds, average = papers[row["model"]]
            cells = row["wa"]
            assert [cells[str(f)]["paper"] for f in FIVE] == list(folds)
            assert cells["avg"]["paper"] == average
            assert {cell["paper"] for cell in row["ua"].values()} == {None}
    for row in whole[2]["rows"]:
        assert (row["wa"]["avg"]["paper"], row["ua"]["avg"]["paper"]) == paper.TABLE_3[row["model"]]
    assert [row["model"] for row in whole[2]["rows"] if row["quoted"]] == list(paper.QUOTED)


def test_markdown_of_table_2_by_hand(whole):
    lines = rows_of(tables.markdown(whole[1]))
    assert lines[0] == ["system", "WA", *(f"fold {f}" for f in FIVE), "avg"]
    # To the nearest 1/20 the paper's GGF is .70 .75 .70 .75 .70; seeds add 0, .05 and .10.
    row = next(i for i, cells in enumerate(lines) if cells[0] == "GGF")
    assert lines[row][1:4] == ["this run", "**.7500** ± .0500", "**.8000** ± .0500"]
    assert lines[row][-1] == "**.7700** ± .0500"
    assert lines[row + 1] == ["", "paper", ".6911", ".7737", ".6770", ".7654", ".7123", ".7239"]
    assert "UA is equal to WA" in tables.markdown(whole[1])
    best = [cells[0] for cells in lines if cells[-1].startswith("**")]
    assert best == ["GMU", "GGF"]  # equal to the printed digit


def test_markdown_of_table_3(whole):
    text = tables.markdown(whole[2])
    lines = {cells[0]: cells[1:] for cells in rows_of(text)}
    assert lines["system"] == ["given", "WA, this run", "WA, paper", "UA, this run", "UA, paper"]
    assert lines["CNN-Att *"][2::2] == [".5610", "–"]
    assert lines["GBAN"][2::2] == [".7239", ".7008"]
    assert "quotes this number" in text


def test_one_seed_has_no_deviation():
    found = tables.build(summary_of(ALL, FIVE, 1, papers_wa))
    assert found[0]["rows"][0]["wa"]["1"]["sd_over_seeds"] is None
    assert "±" not in tables.markdown(found[0])
    assert "one seed" in tables.markdown(found[0])


def test_a_part_of_the_models_and_folds():
    found = tables.build(summary_of(["gban", "h_s"], [1, 3], 1, papers_wa))
    first = found[0]
    assert first["complete"] is False
    assert first["not_trained"] == ["h_t", "a_s", "a_t"]
    cells = first["rows"][0]["wa"]
    assert list(cells) == ["1", "2", "3", "4", "5", "avg of 1 and 3", "avg"]
    assert cells["2"]["this_run"] is cells["avg"]["this_run"] is None
    assert cells["1"]["this_run"] == pytest.approx(0.6)
    assert cells["avg of 1 and 3"]["this_run"] == pytest.approx(0.6)
    assert cells["avg of 1 and 3"]["paper"] == pytest.approx((0.5860 + 0.5920) / 2)
    assert cells["avg"]["paper"] == 0.6226
    text = tables.markdown(first)
    assert "Not trained in this run (–): h_t, a_s and a_t." in text
    assert "folds 1 and 3 only" in text
    third = {c[0]: c[1:] for c in rows_of(tables.markdown(found[2]))}
    assert third["GBAN"] == ["both", "**.7000**", ".7239", "**.7000**", ".7008"]
    assert third["MDRE"] == ["both", "–", "–", "–", "–"]
    # All models, but not all folds: not complete either.
    assert not tables.build(summary_of(ALL, [1], 1, papers_wa))[0]["complete"]


def test_ua_has_a_table_of_its_own_where_it_differs():
    summary = summary_of(ALL, FIVE, 1, papers_wa)
    summary["h_s"]["ua"]["by_fold"][0] -= 0.1
    text = tables.markdown(tables.build(summary)[0])
    assert "UA of the same systems" in text
    assert [cells[2] for cells in rows_of(text) if cells[0] == "h_s"] == [".6000", ".5000"]


def test_files(tmp_path, whole):
    tables.write(tmp_path, whole)
    names = {path.name for path in (tmp_path / "tables").iterdir()}
    assert names == {f"table{n}.{kind}" for n in (1, 2, 3) for kind in ("md", "csv", "json")}
    assert json.loads((tmp_path / "tables" / "table2.json").read_text()) == whole[1]
    rows = list(csv.DictReader(io.StringIO((tmp_path / "tables" / "table1.csv").read_text())))
    assert len(rows) == 4 * 2 * 6
    assert rows[0] == {
        "table": "1", "system": "h_s", "model": "h_s", "metric": "wa", "fold": "1",
        "this_run": "0.650000", "sd_over_seeds": "0.050000", "paper": "0.586000",
    }  # fmt: skip
    assert {row["paper"] for row in rows if row["metric"] == "ua"} == {""}


def test_nothing_to_show_is_refused():
    with pytest.raises(ValueError, match="at least one model"):
        tables.build({})
