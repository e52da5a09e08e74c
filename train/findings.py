"""The paper's orderings, each held against a run: reproduced, not reproduced, undecided.

The rule, for every claim "A > B": the difference A - B on each fold (mean over seeds) goes through
the corrected resampled t-test (train/significance.py). With p > .05 the claim is *undecided*: the
folds do not tell A and B apart. With p <= .05 it is *reproduced* where A is above B and *not
reproduced* where B is above A. A difference that is exactly the same on every fold has no spread to
test and is taken as it stands; from one fold alone nothing is decided. Figure 2's claims are about
every fold, so one fold the other way leaves them undecided at best. p is not corrected for the
number of claims.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from train import paper
from train.markdown import NONE, folds_text, listing, number, p_value, signed, table
from train.significance import LEVEL, paired

REPRODUCED, REVERSED = "reproduced", "not reproduced"
UNDECIDED, MISSING = "undecided", "not trained"
VERDICTS = (REPRODUCED, REVERSED, UNDECIDED, MISSING)
GATES = "gate weight"
_SAME = 1e-12


@dataclass(frozen=True)
class Claim:
    """One ordering that the paper prints: ``above`` > ``below`` in ``metric``.

    ``metric`` is "wa", "ua", or :data:`GATES`, where both name a representation in GBAN.
    """

    where: str
    metric: str
    above: str
    below: str

    @property
    def text(self) -> str:
        if self.metric == GATES:
            return f"{self.above} > {self.below} on every fold"
        n = 2 if self.where == "Table 2" else 3
        return f"{paper.title(self.above, n)} > {paper.title(self.below, n)}"


def _table_3() -> list[Claim]:
    """GBAN above every system with a number; the weakest fusion above the best speech-only one."""
    others = [name for name in paper.TABLE_3 if name != paper.GBAN]
    pairs = [(paper.GBAN, name) for name in others] + [("att_lstm", "self_att")]
    return [
        Claim("Table 3", metric, above, below)
        for metric in ("wa", "ua")
        for above, below in pairs
        if paper.average(below, metric) is not None
    ]


CLAIMS = [
    *(
        Claim("Table 1", "wa", above, below)
        for above, below in (("a_s", "h_s"), ("a_t", "h_t"), ("h_t", "h_s"), ("a_t", "a_s"))
    ),
    *(
        Claim("Table 2", "wa", above, below)
        for above, below in (
            ("gban", "gmu"), ("gmu", "concat_2"), ("concat_2", "tfl"), ("tfl", "concat_1"),
            ("concat_2", "concat_1"),
        )
    ),
    *_table_3(),
    Claim("Figure 2", GATES, "a_t", "a_s"),
    Claim("Figure 2", GATES, "h_t", "h_s"),
]  # fmt: skip


def evaluate(summary: dict[str, Any]) -> list[dict[str, Any]]:
    """Every claim with the paper's difference, this run's, and a verdict.

    ``paper_p`` is the same test on the paper's own folds, where it prints them: single runs, so it
    says what the paper's own numbers can bear. ``paper_range`` is Figure 2's reading.
    """
    return [_evaluate(claim, summary) for claim in CLAIMS]


def _evaluate(claim: Claim, summary: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "where": claim.where, "claim": claim.text, "metric": claim.metric,
        "above": claim.above, "below": claim.below, **_papers(claim),
    }  # fmt: skip
    values = _values(claim, summary)
    if values is None:
        return found | {"difference": None, "standard_error": None, "p": None, "folds": 0,
                        "folds_so": 0, "verdict": MISSING}  # fmt: skip
    first = next(iter(summary.values()))
    test = paired(*values, first["test_to_train"])
    so = sum(d > _SAME for d in test["differences"])
    return found | {
        **{key: test[key] for key in ("difference", "standard_error", "p")},
        "folds": len(test["differences"]),
        "folds_so": so,
        "verdict": _verdict(test, claim.metric == GATES, so),
    }


def _verdict(test: dict[str, Any], every_fold: bool, so: int) -> str:
    folds, difference = len(test["differences"]), test["difference"]
    constant = test["p"] is None and folds > 1
    if not constant and (test["p"] is None or test["p"] > LEVEL):
        return UNDECIDED
    if difference < 0:
        return REVERSED
    return UNDECIDED if every_fold and so < folds else REPRODUCED


def _values(claim: Claim, summary: dict[str, Any]) -> tuple[list[float], list[float]] | None:
    """The two sides' values a fold, or None where one was not trained."""
    if claim.metric == GATES:
        gates = summary.get(paper.GBAN, {}).get("gates")
        return (gates[claim.above], gates[claim.below]) if gates else None
    if claim.above not in summary or claim.below not in summary:
        return None
    metric = claim.metric
    return summary[claim.above][metric]["by_fold"], summary[claim.below][metric]["by_fold"]


def _papers(claim: Claim) -> dict[str, Any]:
    if claim.metric == GATES:
        above, below = paper.FIGURE_2[claim.above], paper.FIGURE_2[claim.below]
        limits = [above[0] - below[1], above[1] - below[0]]
        return {"paper_difference": None, "paper_range": limits, "paper_p": None}
    above, below = (paper.average(m, claim.metric) for m in (claim.above, claim.below))
    found = {"paper_difference": above - below, "paper_range": None, "paper_p": None}
    folds = [paper.wa_by_fold(m) for m in (claim.above, claim.below)]
    if claim.metric == "wa" and None not in folds:
        found["paper_p"] = paired(*folds, paper.test_to_train())["p"]
    return found


def unimodal(summary: dict[str, Any]) -> dict[str, Any]:
    """Is GBAN at least as good as every unimodal system on every fold, in mean WA over seeds?

    Returns ``systems`` (the unimodal ones trained), ``folds`` and ``below``: a system, fold and
    both WAs for every fold on which GBAN is worse. ``holds`` is None where nothing can be said.
    """
    systems = [name for name in paper.UNIMODAL if name in summary]
    if paper.GBAN not in summary or not systems:
        return {"holds": None, "systems": systems, "folds": [], "below": []}
    ours = summary[paper.GBAN]
    below = [
        {"system": name, "fold": fold, "gban": mine, "other": other}
        for name in systems
        for fold, mine, other in zip(
            ours["folds"], ours["wa"]["by_fold"], summary[name]["wa"]["by_fold"], strict=True
        )
        if mine < other - _SAME
    ]
    return {"holds": not below, "systems": systems, "folds": ours["folds"], "below": below}


def count(claims: list[dict[str, Any]]) -> dict[str, int]:
    """How many claims have each verdict, in the order of :data:`VERDICTS`."""
    counts = Counter(claim["verdict"] for claim in claims)
    return {verdict: counts[verdict] for verdict in VERDICTS}


def label(metric: str) -> str:
    """What people are shown for a claim's metric."""
    return metric if metric == GATES else metric.upper()


def markdown(claims: list[dict[str, Any]], alone: dict[str, Any]) -> str:
    """The section of a report: the rule, a table of all claims, GBAN against one modality."""
    head = ["where", "metric", "the paper's claim", "verdict here", "this run", "p", "folds so",
            "paper", "paper's p"]  # fmt: skip
    rows = [
        [c["where"], label(c["metric"]), c["claim"],
         c["verdict"], _difference(c), p_value(c["p"]),
         f"{c['folds_so']} of {c['folds']}" if c["folds"] else NONE, _paper_difference(c),
         p_value(c["paper_p"])]
        for c in claims
    ]  # fmt: skip
    return "\n\n".join([_RULE, table(head, rows, left=4), papers_own(claims), _alone(alone)])


_RULE = (
    "Each claim “A > B” is held against the difference A − B on this run's folds. **Undecided**: "
    "p of the corrected resampled t-test is above .05, so the folds do not tell A and B apart. "
    "**Reproduced**: p ≤ .05 and A is above. **Not reproduced**: p ≤ .05 and B is above. A "
    "difference that is exactly the same on every fold is taken as it stands; one fold alone "
    "decides nothing; Figure 2's claims must hold on every fold. ± is the standard error over "
    "folds; p is not corrected for the number of claims. “Paper's p” is the same test on the folds "
    "that the paper prints."
)


def _difference(claim: dict[str, Any]) -> str:
    text = signed(claim["difference"])
    error = claim["standard_error"]
    return text if error is None else f"{text} ± {number(error)}"


def _paper_difference(claim: dict[str, Any]) -> str:
    if claim["paper_range"]:
        low, high = (f"+{v:.2f}".replace("+0", "+") for v in claim["paper_range"])
        return f"{low} to {high}"
    return signed(claim["paper_difference"])


def papers_own(claims: list[dict[str, Any]]) -> str:
    """How many of the paper's orderings its own folds decide, under the same test."""
    tested = {(c["above"], c["below"]): c for c in reversed(claims) if c["paper_p"] is not None}
    firm = [c["claim"] for c in reversed(tested.values()) if c["paper_p"] <= LEVEL]
    return (
        f"Of the {len(tested)} orderings whose folds the paper prints, its own numbers decide "
        f"{len(firm)} under this test ({listing(firm)}). The others are orderings of averages of "
        "five single runs, and a run that leaves them undecided does not contradict the paper."
    )


def _alone(found: dict[str, Any]) -> str:
    question = "**GBAN at least as good as every system of one modality, on every fold:** "
    if found["holds"] is None:
        return question + "cannot be said; GBAN or all systems of one modality were not trained."
    names = listing([paper.title(name) for name in found["systems"]])
    if found["holds"]:
        return f"{question}yes, in mean WA over seeds ({names}; {folds_text(found['folds'])})."
    worse = [
        f"{paper.title(b['system'])} on fold {b['fold']} ({number(b['gban'])} against "
        f"{number(b['other'])})"
        for b in found["below"]
    ]
    return f"{question}no. In mean WA over seeds GBAN is below {listing(worse)}."
