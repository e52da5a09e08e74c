"""The paper's Tables 1, 2 and 3 with this run's numbers beside the paper's.

A table is one dictionary, the same that tables/tableN.json holds: a row a system, and in it for
each metric and column a cell {"this_run": mean over seeds, "sd_over_seeds", "paper"}, None where
there is no number. Columns are folds ("1") and averages over folds ("avg").
"""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from typing import Any

from gban_edge.files import write_json, write_text
from train import paper
from train.markdown import NONE, folds_text, listing, number, span, spread, table

TITLES = {
    1: "One representation at a time into the same classifier",
    2: "Ways to fuse (Concat-1, TFL, GMU are given a_s and a_t; Concat-2 and GGF all four)",
    3: "GBAN and the systems it is compared with",
}
MODELS = {1: list(paper.TABLE_1), 2: list(paper.TABLE_2), 3: list(paper.TABLE_3)}
AVERAGE = "avg"
METRICS = {"wa": "WA", "ua": "UA"}


def build(summary: dict[str, Any]) -> list[dict[str, Any]]:
    """The three tables of a run; ``summary`` has an entry a trained model (metrics.summarise).

    Raises ValueError for a summary without a model.
    """
    if not summary:
        raise ValueError("summary must hold at least one model, got none")
    return [_build(n, summary) for n in TITLES]


def _build(n: int, summary: dict[str, Any]) -> dict[str, Any]:
    values = next(iter(summary.values()))
    folds = [fold for fold in paper.FOLDS if fold in values["folds"]]
    columns = [AVERAGE] if n == 3 else [*map(str, paper.FOLDS), AVERAGE]
    if folds != list(paper.FOLDS):
        columns.insert(-1, part_of(folds))
    missing = [model for model in MODELS[n] if model not in summary]
    return {
        "table": n,
        "title": TITLES[n],
        "folds": folds,
        "seeds": len(values["seeds"]),
        "columns": columns,
        "complete": not missing and folds == list(paper.FOLDS),
        "not_trained": missing,
        "rows": [_row(n, model, summary.get(model), columns, folds) for model in MODELS[n]],
    }


def part_of(folds: list[int]) -> str:
    """The name of the column that averages over less than all folds."""
    return f"{AVERAGE} of {span(folds)}"


def _row(
    n: int, model: str, values: dict[str, Any] | None, columns: list[str], folds: list[int]
) -> dict[str, Any]:
    cells = {
        metric: {column: _cell(n, model, values, metric, column, folds) for column in columns}
        for metric in METRICS
    }
    quoted = n == 3 and model in paper.QUOTED
    return {"model": model, "system": paper.title(model, 2 if n == 2 else 3), "quoted": quoted,
            **cells}  # fmt: skip


def _cell(
    n: int, model: str, values: dict[str, Any] | None, metric: str, column: str, folds: list[int]
) -> dict[str, float | None]:
    mean, deviation = _ours(values, metric, column, folds)
    return {"this_run": mean, "sd_over_seeds": deviation,
            "paper": _paper(n, model, metric, column, folds)}  # fmt: skip


def _ours(
    values: dict[str, Any] | None, metric: str, column: str, folds: list[int]
) -> tuple[float | None, float | None]:
    """Mean and deviation over seeds; (None, None) where there is no such number."""
    if values is None:
        return None, None
    found = values[metric]
    if column.isdigit():
        if int(column) not in folds:
            return None, None
        place = values["folds"].index(int(column))
        return found["by_fold"][place], found["sd_by_fold"][place]
    if column == AVERAGE and folds != list(paper.FOLDS):
        return None, None  # an average over other folds than the paper's stands in its own column
    return found["mean"], found["sd_over_seeds"]


def _paper(n: int, model: str, metric: str, column: str, folds: list[int]) -> float | None:
    if column == AVERAGE:
        return paper.average(model, metric) if n == 3 or metric == "wa" else None
    by_fold = paper.wa_by_fold(model)
    if metric == "ua" or by_fold is None:
        return None
    chosen = [int(column)] if column.isdigit() else folds
    return sum(by_fold[fold - 1] for fold in chosen) / len(chosen)


def markdown(found: dict[str, Any]) -> str:
    """A table as Markdown, with its caption and with what it lacks."""
    n = found["table"]
    parts = [f"**Table {n}.** {found['title']}. {_caption(found)}"]
    parts.append(_systems(found) if n == 3 else _folds(found, "wa"))
    if n != 3 and not _ua_is_wa(found):
        parts += ["UA of the same systems; the paper prints none here.", _folds(found, "ua")]
    return "\n\n".join([*parts, " ".join(_notes(found))]).rstrip()


def _ua_is_wa(found: dict[str, Any]) -> bool:
    """Whether UA says nothing more, as with classes that are equally frequent."""
    kinds = ("this_run", "sd_over_seeds")
    pairs = [
        (row["wa"][column][kind] or 0.0, row["ua"][column][kind] or 0.0)
        for row in found["rows"]
        for column in found["columns"]
        for kind in kinds
    ]
    return all(math.isclose(wa, ua, abs_tol=1e-12) for wa, ua in pairs)


def _caption(found: dict[str, Any]) -> str:
    what = "WA and UA" if found["table"] == 3 else "WA"
    if found["seeds"] == 1:
        return f"{what} on the test sessions, one seed; best of this run in bold."
    return (
        f"{what} on the test sessions: mean ± standard deviation over {found['seeds']} seeds; "
        "best of this run in bold."
    )


def _folds(found: dict[str, Any], metric: str) -> str:
    """Tables 1 and 2: a line of this run's a system and, under it, the paper's."""
    columns, rows = found["columns"], []
    best = {column: _best(found, metric, column) for column in columns}
    for row in found["rows"]:
        cells = row[metric]
        rows.append([row["system"], "this run", *(_mine(cells[c], best[c]) for c in columns)])
        if any(cells[c]["paper"] is not None for c in columns):
            rows.append(["", "paper", *(number(cells[c]["paper"]) for c in columns)])
    head = [f"fold {c}" if c.isdigit() else c for c in columns]
    return table(["system", METRICS[metric], *head], rows, left=2)


def _systems(found: dict[str, Any]) -> str:
    """Table 3: a row a system; this run's average over its folds beside the paper's over five."""
    ours, papers = found["columns"][0], found["columns"][-1]
    head, rows = ["system", "given"], []
    best = {metric: _best(found, metric, ours) for metric in METRICS}
    for name in METRICS.values():
        head += [f"{name}, this run", f"{name}, paper"]
    for row in found["rows"]:
        cells = [row["system"] + " *" * row["quoted"], paper.SYSTEMS[row["model"]].given]
        for metric in METRICS:
            cells += [_mine(row[metric][ours], best[metric]), number(row[metric][papers]["paper"])]
        rows.append(cells)
    return table(head, rows, left=2)


def _best(found: dict[str, Any], metric: str, column: str) -> float | None:
    values = [row[metric][column]["this_run"] for row in found["rows"]]
    return max((v for v in values if v is not None), default=None)


def _mine(cell: dict[str, float | None], best: float | None) -> str:
    mean = cell["this_run"]
    return spread(mean, cell["sd_over_seeds"], mean is not None and number(mean) == number(best))


def _notes(found: dict[str, Any]) -> list[str]:
    notes = []
    if found["table"] != 3 and _ua_is_wa(found):
        notes.append("UA is equal to WA in this run, in every cell; the paper prints none here.")
    if found["table"] == 3:
        notes.append(
            "\\* The paper quotes this number from another paper; this run's system is a "
            "re-implementation on this project's features. The paper cites MDRE and MDREA "
            "without a number."
        )
    if found["not_trained"]:
        names = [paper.title(m, 2 if found["table"] == 2 else 3) for m in found["not_trained"]]
        notes.append(f"Not trained in this run ({NONE}): {listing(names)}.")
    if len(found["folds"]) < len(paper.FOLDS):
        notes.append(
            f"This run has {folds_text(found['folds'])} only, and its averages are over no other; "
            "the paper's “avg” is over all five."
        )
    return notes


def csv_text(found: dict[str, Any]) -> str:
    """A table as CSV: a line a cell, numbers to six digits, empty where there is none."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    kinds = ("this_run", "sd_over_seeds", "paper")
    writer.writerow(["table", "system", "model", "metric", "fold", *kinds])
    for row in found["rows"]:
        for metric in METRICS:
            for column in found["columns"]:
                values = [row[metric][column][kind] for kind in kinds]
                cells = ["" if v is None else f"{v:.6f}" for v in values]
                writer.writerow(
                    [found["table"], row["system"], row["model"], metric, column, *cells]
                )
    return text.getvalue()


def write(run: Path, tables: list[dict[str, Any]]) -> None:
    """Write ``run``/tables/table1.md, .csv and .json, and so on."""
    for found in tables:
        path = run / "tables" / f"table{found['table']}"
        write_text(path.with_suffix(".md"), markdown(found) + "\n")
        write_text(path.with_suffix(".csv"), csv_text(found))
        write_json(path.with_suffix(".json"), found)
