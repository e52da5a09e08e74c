"""The sections of a run's report, each a function that returns its Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from gban_edge.labels import FULL_NAMES, LABELS
from train import evidence, findings, paper
from train.markdown import (
    NONE,
    escape,
    folds_text,
    listing,
    number,
    p_value,
    signed,
    span,
    spread,
    table,
)
from train.stored import Stored

AUTHORS = "authors"  # the recipe of train/authors.py


def what_was_run(stored: Stored) -> str:
    """Corpus, recipe, grid, versions, machine; and what is missing."""
    settings, facts = stored.settings, stored.facts
    rows = [
        ["corpus", _corpus(settings)],
        ["classes", listing([FULL_NAMES[label] for label in LABELS])],
        ["systems", f"{len(stored.models)}: {', '.join(map(escape, stored.models))}"],
        *_grid(stored.results),
        ["recipe", _recipe(settings["recipe"])],
        ["validation", _VALIDATION.get(settings.get("validation"), "not recorded")],
        ["word vectors", _vectors(settings)],
        ["computed on", _device(settings)],
        ["versions", escape(_versions(facts))],
        ["commit", escape(facts.get("commit", "not recorded"))],
        ["machine", escape(_machine(facts))],
    ]
    return "\n\n".join([table(["", "this run"], rows, left=2), *_missing(stored)])


def _corpus(settings: dict[str, Any]) -> str:
    merged = " (exc counted as hap)" if settings.get("merge_excited") else ""
    return (
        f"{escape(settings['corpus'])}, {settings['utterances']} utterances{merged}, "
        f"fingerprint {escape(settings['fingerprint'])}"
    )


def _grid(results: list[dict[str, Any]]) -> list[list[str]]:
    folds, seeds = (sorted({r[key] for r in results}) for key in ("fold", "seed"))
    parts = ", ".join(f"{n} {part}" for part, n in results[0]["utterances"].items())
    tested = f"fold n is tested on session n; fold {results[0]['fold']} has {parts}"
    return [["folds", f"{span(folds)}: {tested}"], ["seeds", f"{len(seeds)}: {span(seeds)}"]]


_VALIDATION = {
    "random": "a random, stratified 5% of the training utterances, for early stopping "
    "and the temperature",
    "speaker": "one training speaker held out, for early stopping and the temperature",
}


def _recipe(recipe: dict[str, Any]) -> str:
    values = ", ".join(f"{key} {value}" for key, value in recipe.items() if key != "name")
    return escape(f"{recipe.get('name', 'without a name')}: {values}")


def _vectors(settings: dict[str, Any]) -> str:
    if settings.get("glove") is None:
        return "none: embeddings start at random"
    return f"GloVe ({escape(settings['glove'])})"


def _device(settings: dict[str, Any]) -> str:
    ops = "plain PyTorch" if settings.get("reference_ops") else "the native core's"
    if settings["recipe"].get("name") == AUTHORS:
        ops = "the authors' additive score, in PyTorch"
    return f"{settings.get('device', 'not recorded')}; alignment: {ops}"


def _versions(facts: dict[str, Any]) -> str:
    found = facts.get("versions", {})
    return ", ".join(f"{name} {version}" for name, version in found.items()) or "not recorded"


def _machine(facts: dict[str, Any]) -> str:
    known = [str(facts[key]) for key in ("machine", "system", "processor", "gpu") if facts.get(key)]
    if facts.get("cores"):
        known.append(f"{facts['cores']} cores")
    return ", ".join(known) or "not recorded"


def _missing(stored: Stored) -> list[str]:
    """A report on a part of the grid says so first."""
    if not stored.left_out:
        return []
    listed = ", ".join(stored.left_out[:12])
    more = f" and {len(stored.left_out) - 12} more" if len(stored.left_out) > 12 else ""
    return [
        f"**This report is on a part of the run**: {len(stored.left_out)} of its tasks are not "
        f"finished, or are left out so that all systems have the same folds and seeds: "
        f"{escape(listed)}{more}."
    ]


def answer(
    stored: Stored,
    summary: dict[str, Any],
    tests: dict[str, Any],
    claims: list[dict[str, Any]],
    alone: dict[str, Any],
) -> str:
    """The outcome in a few sentences."""
    lines = ["GBAN was not trained in this run."]
    if paper.GBAN in summary:
        lines = [_gban(summary[paper.GBAN]), *_rivals(summary, tests)]
    lines += [*_better_alone(alone), *_orderings(claims), evidence.headline(stored.settings)]
    return "\n".join(f"- {line}" for line in lines)


def _gban(values: dict[str, Any]) -> str:
    both = " and ".join(
        f"{metric.upper()} "
        + spread(values[metric]["mean"], values[metric]["sd_over_seeds"], best=True)
        for metric in ("wa", "ua")
    )
    wa, ua = (number(paper.average(paper.GBAN, metric)) for metric in ("wa", "ua"))
    seeds = len(values["seeds"])
    over = f", ± over {seeds} seeds" if seeds > 1 else ", one seed"
    return (
        f"GBAN has {both} (mean of {folds_text(values['folds'])}{over}); the paper's GBAN has {wa} "
        f"and {ua} on IEMOCAP."
    )


def _orderings(claims: list[dict[str, Any]]) -> list[str]:
    """How many of the paper's orderings have each verdict, and which are the other way."""
    counts = findings.count(claims)
    verdicts = ", ".join(f"{counts[v]} {v}" for v in findings.VERDICTS if counts[v])
    lines = [f"Of the {len(claims)} orderings taken from the paper: {verdicts}."]
    reverse = [
        f"{c['claim']} ({c['where']}, {findings.label(c['metric'])})"
        for c in claims
        if c["verdict"] == findings.REVERSED
    ]
    if reverse:
        lines.append(f"Not reproduced, the order being the other way: {listing(reverse)}.")
    return lines


def _rivals(summary: dict[str, Any], tests: dict[str, Any]) -> list[str]:
    """The best other system, and the best of those given one modality."""
    others = [name for name in summary if name != paper.GBAN]
    alone = [name for name in others if name in paper.UNIMODAL]
    best, best_alone = (
        max(names, key=lambda name: summary[name]["wa"]["mean"], default=None)
        for names in (others, alone)
    )
    if best is None:
        return []
    if best == best_alone:
        return [_rival("other system, which is given one modality,", best, summary, tests)]
    lines = [_rival("other system", best, summary, tests)]
    if best_alone is not None:
        lines.append(_rival("system of one modality", best_alone, summary, tests))
    return lines


def _rival(what: str, name: str, summary: dict[str, Any], tests: dict[str, Any]) -> str:
    wa = spread(summary[name]["wa"]["mean"], summary[name]["wa"]["sd_over_seeds"])
    return f"The best {what} is {paper.title(name)}, WA {wa}: {_compared(tests['wa'][name])}."


def _compared(test: dict[str, Any]) -> str:
    difference = f"GBAN's difference is {signed(test['difference'])}"
    if test["p"] is None:
        return f"{difference} ({test['reason']})"
    if test["p_holm"] > 0.05:
        told = "the folds do not tell them apart"
    else:
        told = "GBAN is above it" if test["difference"] > 0 else "GBAN is below it"
    return f"{difference}, p {p_value(test['p_holm'])} after Holm's correction; {told}"


def _better_alone(alone: dict[str, Any]) -> list[str]:
    if alone["holds"] is None:
        return []
    if alone["holds"]:
        return ["GBAN is at least as good as every system of one modality on every fold."]
    folds = sorted({b["fold"] for b in alone["below"]})
    names = listing(list(dict.fromkeys(paper.title(b["system"]) for b in alone["below"])))
    return [f"GBAN is **not** at least as good as every system of one modality on every fold: it "
            f"is below {names} on {folds_text(folds)}."]  # fmt: skip


def systems(models: Sequence[str], recipe: dict[str, Any]) -> str:
    """What each system is, in a line."""
    known = [name for name in paper.SYSTEMS if name in models]
    rows = [[paper.title(n), n, paper.SYSTEMS[n].given, paper.SYSTEMS[n].does] for n in known] + [
        [escape(n), escape(n), NONE, NONE] for n in models if n not in paper.SYSTEMS
    ]
    found = table(["system", "--models", "given", "what it does"], rows, left=4)
    if recipe.get("name") != AUTHORS:
        return found
    return (
        f"{found}\n\nThe recipe “{AUTHORS}” builds them as the authors' code does, and that is not "
        "what the equations say: see train/authors.py."
    )


def gates(summary: dict[str, Any]) -> str:
    """Figure 2: mean gate weights of GBAN on each fold beside the paper's reading."""
    values = summary.get(paper.GBAN, {})
    if "gates" not in values:
        return "GBAN was not trained in this run."
    rows = []
    for name, weights in values["gates"].items():
        low, high = (f"{v:.2f}".removeprefix("0") for v in paper.FIGURE_2[name])
        mean = sum(weights) / len(weights)
        rows.append([name, *map(number, weights), number(mean), f"{low} to {high}"])
    head = ["", *(f"fold {f}" for f in values["folds"]), "mean", "paper"]
    text = (
        "Mean gate weight of each representation over the test utterances (mean over seeds). "
        "Within each of the groups (a_s, a_t) and (h_s, h_t) the weights sum to 1. The paper "
        "prints a figure without numbers: its column is the range over folds as read off the page."
    )
    others = [
        f"{paper.title(name)}'s gate, on average over folds: "
        + ", ".join(f"{k} {number(sum(v) / len(v))}" for k, v in found["gates"].items())
        + "."
        for name, found in summary.items()
        if "gates" in found and name != paper.GBAN
    ]
    return "\n\n".join([text, table(head, rows), *others])


def cost(stored: Stored) -> str:
    """Parameters and training time of each system."""
    rows = []
    for model in stored.models:
        results = [r for r in stored.results if r["model"] == model]
        counts = sorted({r["parameters"] for r in results if "parameters" in r})
        epochs = sum(len(r["history"]) for r in results) / len(results)
        seconds = stored.seconds(model)
        rows.append([
            paper.title(model), " to ".join(f"{n:,}" for n in counts) or NONE, f"{epochs:.1f}",
            NONE if seconds is None else f"{seconds:.1f}",
            NONE if seconds is None else f"{seconds / epochs:.2f}",
        ])  # fmt: skip
    head = ["system", "parameters", "epochs", "seconds a training", "seconds an epoch"]
    text = (
        "Parameters are counted without the word vectors (300 a word). Epochs are until early "
        "stopping. Seconds are of one training with its evaluation, on average, as this run "
        "happened to share its machine: they order the systems roughly and are no benchmark."
    )
    return f"{text}\n\n{table(head, rows)}"


def recalls(summary: dict[str, Any]) -> str:
    """Recall of each class by system, all folds and seeds together."""
    rows = [
        [paper.title(model), *map(number, values["recalls"])] for model, values in summary.items()
    ]
    names = [FULL_NAMES[label] for label in LABELS]
    return (
        f"Recall of each class, all folds and seeds together.\n\n{table(['system', *names], rows)}"
    )


def limits(stored: Stored) -> str:
    """What a reader must know before using a number."""
    lines = [
        "The test session of a fold is used for its test figures alone. Vocabulary, "
        "standardisation, early stopping and temperature come from the other sessions.",
        "Folds are five pairs of speakers. What differs between speakers is seen five times.",
        "Systems called “inspired by” are re-implementations on this project's features, with "
        "assumptions that their docstrings name.",
        "A label is a guess about expression, not about what a person feels.",
    ]
    if stored.settings.get("validation") == "random":
        lines.append("The held-out 5% shares its speakers with the training set.")
    skipped = stored.settings.get("skipped") or {}
    if skipped:
        counts = ", ".join(f"{n} x {escape(kind)}" for kind, n in skipped.items())
        lines.append(f"Turns of the corpus that were left out: {counts}.")
    text = "\n".join(f"- {line}" for line in lines)
    notes = [f"Note of the corpus reader:\n\n```\n{note}\n```" for note in stored.settings["notes"]]
    return "\n\n".join([text, *notes])


def as_subsection(text: str) -> str:
    """Markdown made elsewhere: without a heading of its own at the top, the others at level 3."""
    text = re.sub(r"\A\s*#+ .*\n", "", text)
    return re.sub(r"^#{1,3} ", "### ", text, flags=re.MULTILINE).strip()
