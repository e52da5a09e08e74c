"""WA against word error rate: as JSON, as the body of a Markdown section, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import MaxNLocator

from gban_edge.files import write_json, write_text
from train.corruption import DELETED, INSERTED, SUBSTITUTED
from train.figures import save
from train.markdown import table as table_of

COLOURS = {"gban": "#2ca02c", "h_t": "#ff7f0e", "h_s": "#1f77b4"}
FIGURE = "figures/word-errors.png"


def summarise(
    names: Sequence[str], rows: Sequence[Sequence[dict[str, Any]]], rates: Sequence[float],
    draws: int, wer: Sequence[Sequence[Sequence[float]]], majority: Sequence[float],
) -> dict[str, Any]:  # fmt: skip
    """What was found, ready for JSON and for the other functions here.

    Args:
        names: what each run is called.
        rows: of each run, what train/word_errors.py's ``evaluate`` gave for each trained model.
        rates: the expected word error rates, the first of them 0.
        wer: of each fold, for each rate, the measured word error rate of each draw.
        majority: of each fold, the share of its test part's most frequent label.
    """
    by_rate = zip(*([np.mean(drawn) for drawn in fold] for fold in wer), strict=True)
    return {
        "rates": list(rates),
        "measured_wer": [float(np.mean(folds)) for folds in by_rate],
        "draws": draws,
        "shares": {"substituted": SUBSTITUTED, "deleted": DELETED, "inserted": INSERTED},
        "most_frequent_class": float(np.mean(majority)),
        "runs": [
            {"name": name, "models": _by_model(found), "tasks": list(found)}
            for name, found in zip(names, rows, strict=True)
        ],
    }


def _by_model(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """For each model mean and deviation over folds of the mean over seeds and draws."""
    found = {}
    for model in dict.fromkeys(row["model"] for row in rows):
        mine = [row for row in rows if row["model"] == model]
        folds = sorted({row["fold"] for row in mine})
        by_fold = [[row for row in mine if row["fold"] == fold] for fold in folds]
        rates = range(len(mine[0]["wa"]))
        found[model] = {
            "reads_words": mine[0]["reads_words"],
            "folds": folds,
            "wa": [_over_folds([[np.mean(r["wa"][i]) for r in f] for f in by_fold]) for i in rates],
            "no_words": _over_folds([[r["no_words"] for r in fold] for fold in by_fold]),
        }
    return found


def _over_folds(values: Sequence[Sequence[float]]) -> dict[str, Any]:
    by_fold = [float(np.mean(seeds)) for seeds in values]
    deviation = float(np.std(by_fold, ddof=1)) if len(by_fold) > 1 else None
    return {"mean": float(np.mean(by_fold)), "sd": deviation, "by_fold": by_fold}


def write(run: Path, found: dict[str, Any]) -> None:
    """Write word-errors.json, word-errors.md and figures/word-errors.png into ``run``."""
    write_json(run / "word-errors.json", found)
    save(draw(found), run / FIGURE)
    write_text(run / "word-errors.md", markdown(found))


def table(found: dict[str, Any]) -> str:
    """A row a rate and one without words; WA of each system, mean ± deviation over folds."""
    systems = _systems(found)
    rows = [
        [_percent(rate), f"{wer:.1%}", *(_cell(system["wa"][i]) for *_, system in systems)]
        for i, (rate, wer) in enumerate(zip(found["rates"], found["measured_wer"], strict=True))
    ]
    rows.append(["no words", "–", *(_cell(system["no_words"]) for *_, system in systems)])
    return table_of(["errors", "measured WER", *(label for label, *_ in systems)], rows)


def _systems(found: dict[str, Any]) -> list[tuple[str, str, int, dict[str, Any]]]:
    """(label, model, number of the run, what was found), the runs of a model side by side."""
    several = len(found["runs"]) > 1
    return [
        (f"{model}, {run['name']}" if several else model, model, number, run["models"][model])
        for model in dict.fromkeys(m for run in found["runs"] for m in run["models"])
        for number, run in enumerate(found["runs"])
        if model in run["models"]
    ]


def _cell(value: dict[str, Any]) -> str:
    return f"{value['mean']:.4f}" + ("" if value["sd"] is None else f" ± {value['sd']:.4f}")


def _percent(rate: float) -> str:
    return f"{100 * rate:g}%"


def markdown(found: dict[str, Any]) -> str:
    """The section's body: how it was measured, the table, what it shows, the picture."""
    kinds = ", ".join(f"{share:.0%} {kind}" for kind, share in found["shares"].items())
    how = (
        "Each trained model was tested again on the test session of its fold, with errors put "
        f"into the transcripts ({kinds}). Wrong words are drawn from what the other sessions' "
        "speakers say. They do not sound like the right words as a recogniser's errors do, so a "
        "recogniser of the same word error rate may cost more or less. All models read the same "
        "errors, and the errors at a higher rate contain those at a lower one. The table gives WA, "
        f"mean over seeds and draws (draws: {found['draws']}), then mean and deviation over folds; "
        "always guessing the most frequent class scores "
        f"{found['most_frequent_class']:.3f}."
    )
    picture = f"![WA against word error rate]({FIGURE})"
    return "\n\n".join([how, table(found), *findings(found), picture]) + "\n"


def findings(found: dict[str, Any]) -> list[str]:
    """What the numbers say, a paragraph a run and one on the difference of two."""
    paragraphs = []
    for run in found["runs"]:
        said = [_falls(found, model, of) for model, of in run["models"].items()]
        said += [
            _beside_deaf(found, run["models"]["gban"], deaf, flat)
            for deaf, flat in run["models"].items()
            if not flat["reads_words"] and "gban" in run["models"]
        ]
        start = f"With {run['name']}: " if len(found["runs"]) > 1 else ""
        paragraphs.append(start + " ".join(said))
    if len(found["runs"]) > 1:
        paragraphs += _difference(found, *found["runs"])
    return paragraphs


def _falls(found: dict[str, Any], model: str, of: dict[str, Any]) -> str:
    if not of["reads_words"]:
        return f"{model} reads no words: {of['no_words']['mean']:.3f} whatever they are."
    chosen = sorted({len(found["rates"]) // 2, len(found["rates"]) - 1} - {0})
    steps = [f"{of['wa'][i]['mean']:.3f} at {_percent(found['rates'][i])} errors" for i in chosen]
    scores = ", ".join([f"{of['wa'][0]['mean']:.3f} with the true words", *steps])
    return f"{model} scores {scores} and {of['no_words']['mean']:.3f} without words."


def _beside_deaf(
    found: dict[str, Any], gban: dict[str, Any], deaf: str, flat: dict[str, Any]
) -> str:
    """Up to which rate GBAN is better than a model that reads no words."""
    level = flat["no_words"]["mean"]
    above = [value["mean"] > level for value in gban["wa"]]
    if all(above):
        upto = "at every rate"
    elif above[0]:
        upto = f"up to {_percent(found['rates'][above.index(False) - 1])} errors"
    else:
        upto = "at no rate"
    gap = gban["no_words"]["mean"] - level
    side = "above" if gap >= 0 else "below"
    return f"gban is above {deaf} {upto}; without words it is {abs(gap):.3f} {side} it."


def _difference(found: dict[str, Any], one: dict[str, Any], two: dict[str, Any]) -> list[str]:
    """How much the second run gains or loses against the first."""
    said = []
    for model in (m for m in one["models"] if m in two["models"]):
        first, second = one["models"][model], two["models"][model]
        gains = [
            f"{b['mean'] - a['mean']:+.3f} at {_percent(rate)}"
            for rate, a, b in zip(found["rates"], first["wa"], second["wa"], strict=True)
        ]
        nothing = second["no_words"]["mean"] - first["no_words"]["mean"]
        if first["reads_words"]:
            said.append(f"{model} {', '.join(gains)}, {nothing:+.3f} without words")
    return [f"WA with {two['name']} less that with {one['name']}: {'; '.join(said)}."] * bool(said)


def draw(found: dict[str, Any]) -> plt.Figure:
    """WA against measured WER; "no words" stands apart at the right; a second run is dashed."""
    wer = 100 * np.array(found["measured_wer"])
    apart = wer[-1] + max(4.0, 0.18 * wer[-1])
    figure, axes = plt.subplots(figsize=(8.2, 4.4), layout="constrained")
    beside = 0.025 * apart * (len(found["runs"]) > 1)
    systems = _systems(found)
    models = list(dict.fromkeys(model for _, model, _, _ in systems))
    for label, model, number, system in systems:
        colour = COLOURS.get(model, f"C{3 + models.index(model)}")
        style = {"color": colour, "marker": "o", "mfc": "white" if number else colour}
        mean, spread = _mean_and_spread(system["wa"])
        axes.plot(wer, mean, ls="--" if number else "-", ms=4.5, label=label, **style)
        axes.fill_between(wer, mean - spread, mean + spread, color=colour, alpha=0.1, lw=0)
        mean, spread = _mean_and_spread([system["no_words"]])
        place = apart + (number - 0.5) * beside
        axes.errorbar(place, mean, spread, ls="none", ms=5.5, capsize=2.5, **style)
    guess = found["most_frequent_class"]
    axes.axhline(guess, color="0.4", lw=0.9, ls=":", label="always the most frequent class")
    axes.axvline((wer[-1] + apart) / 2, color="0.8", lw=0.8)
    ticks = [
        t
        for t in MaxNLocator(6, steps=[1, 2, 5, 10]).tick_values(0, wer[-1])
        if 0 <= t <= 1.05 * wer[-1]
    ]
    axes.set_xticks([*ticks, apart], [*(f"{t:g}" for t in ticks), "no\nwords"])
    axes.set(
        xlabel="measured word error rate (%)", ylabel="WA, mean over folds (band: deviation)",
        ylim=(0, 1.02), xlim=(-0.03 * apart, 1.06 * apart), title="What word errors cost",
    )  # fmt: skip
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure


def _mean_and_spread(values: Sequence[dict[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([v["mean"] for v in values]), np.array([v["sd"] or 0.0 for v in values])
