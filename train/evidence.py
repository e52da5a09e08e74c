"""What a run is evidence of, said plainly: it depends on the corpus, not on the numbers alone."""

from __future__ import annotations

from typing import Any

from train import paper
from train.corpus import IEMOCAP_TABLE
from train.markdown import escape, listing, number

BUILT_IN, WHOLE = "gban-edge synthesised", 1200  # its name in the manifest; utterances by default
CEILING = 0.95
DEAF_TO_STRESS = 0.833  # the best possible on the built-in corpus (train/synthesise.py)
UNALIGNED = ("mdre", "mdrea")  # both modalities, and no alignment of speech steps with words
FUSIONS = ("concat_1", "tfl", "gmu", "concat_2", "gban", "att_lstm", "mdre", "mdrea")
PAPERS = sum(sum(counts.values()) for counts in IEMOCAP_TABLE.values())  # 4,490 utterances


def synthesised(settings: dict[str, Any]) -> bool:
    """Whether the run was on the built-in corpus."""
    return settings["corpus"] == BUILT_IN


def too_small(settings: dict[str, Any]) -> bool:
    """Whether the run, as with --smoke, was on less than the whole built-in corpus."""
    return synthesised(settings) and settings["utterances"] < WHOLE


def headline(settings: dict[str, Any]) -> str:
    """One sentence for the top of a report."""
    if too_small(settings):
        return (
            f"The corpus is synthesised, and {settings['utterances']} utterances of it are too few "
            "to learn from: this run shows that every step works, and its verdicts mean nothing."
        )
    if synthesised(settings):
        return (
            "The corpus is synthesised: these figures show whether the systems find what was put "
            "into it. They are no evidence about people, nor for or against the paper's results "
            "on IEMOCAP."
        )
    if of_the_paper(settings):
        return "The corpus has the 4,490 utterances behind the paper's tables."
    return (
        f"The corpus has {settings['utterances']} utterances, the paper's task 4,490: the paper's "
        "numbers stand beside this run's for orientation, they are not of the same task."
    )


def of_the_paper(settings: dict[str, Any]) -> bool:
    """Whether the run's utterances are as many as the paper's, ``exc`` not merged."""
    same = settings["utterances"] == PAPERS and not settings.get("merge_excited", False)
    return same and not synthesised(settings)


def markdown(settings: dict[str, Any], summary: dict[str, Any]) -> str:
    """Why the orderings found in this run are, or are not, evidence."""
    if synthesised(settings):
        return "\n\n".join([*_synthesised(settings), *_unaligned(summary), *_ceiling(summary)])
    parts = [
        f"{headline(settings)} The corpus is what was found on disk "
        "in IEMOCAP's layout. IEMOCAP is ten actors, so even a difference that is firm here is "
        "firm for how these ten acted. The paper's cells are single runs of the authors' code, "
        "which differs from the paper's text in several points; this run follows the recipe "
        f"“{escape(settings['recipe'].get('name', 'unknown'))}”. A verdict “not reproduced” can "
        "therefore lie in the recipe, in the features or in the seed as well as in the claim.",
        *_ceiling(summary),
    ]
    if settings.get("glove") is None:
        parts.append(
            "No word vectors were given (--glove), while the paper starts from GloVe 840B: systems "
            "that read the words are held back here, so orderings between speech and words are no "
            "evidence about the paper's."
        )
    return "\n\n".join(parts)


def _synthesised(settings: dict[str, Any]) -> list[str]:
    parts = [
        "**None about people.** The corpus is the built-in one: "
        f"{settings['utterances']} utterances of a small English grammar, spoken by a synthesiser "
        "in ten voices. It was made so that neither modality suffices. Arousal is in the prosody "
        "alone and valence in the words alone, and in half of the utterances two clauses of "
        "opposite valence stand side by side and the stressed one decides. The best possible WA is "
        ".500 without knowing a word, .417 from the words alone, .833 from both without hearing "
        "which word was stressed, and 1.000 from both aligned.",
        "To know which word was stressed is what an alignment is for. Where aligned systems come "
        "out above h_s and h_t, the corpus was made for that; so it was for GBAN above every "
        "system of one modality. Which of h_s and h_t is higher says how the corpus was "
        "made, too (a synthetic voice says a word the same way each time, so some words are known "
        "by their sound), and nothing about which modality tells more of a person.",
        "What it can show is whether the systems and their training work: whether they find what "
        "was put there to be found, the stressed word above all.",
    ]
    if too_small(settings):
        parts.append(
            f"This run used {settings['utterances']} utterances instead of the {WHOLE} of "
            "the whole corpus. That is too little to learn from: it shows that every step works, "
            "and its verdicts mean nothing."
        )
    return parts


def _unaligned(summary: dict[str, Any]) -> list[str]:
    """Whether the corpus needs an alignment at all."""
    found = {name: summary[name]["wa"]["mean"] for name in UNALIGNED if name in summary}
    above = {name: wa for name, wa in found.items() if wa > DEAF_TO_STRESS}
    if not above:
        return []
    names = listing([f"{paper.title(name)} ({number(wa)})" for name, wa in above.items()])
    hear = "hear" if len(above) > 1 else "hears"
    return [
        f"Without an alignment of speech steps with words, {names} still {hear} which word was "
        f"stressed, being above {number(DEAF_TO_STRESS)}: the recurrent encoders' last states "
        "carry enough of it in sentences this short. So this corpus does not show that an "
        "alignment is needed."
    ]


def _ceiling(summary: dict[str, Any]) -> list[str]:
    """What follows where several fusions are near 1: too few errors are left to compare."""
    fusions = {name: summary[name]["wa"]["mean"] for name in FUSIONS if name in summary}
    high = {name: wa for name, wa in fusions.items() if wa >= CEILING}
    if len(high) < 2:
        return []
    names = listing([paper.title(name) for name in high])
    return [
        f"{len(high)} of {len(fusions)} fusions reach a WA of {number(CEILING)} or more ({names}; "
        f"{number(min(high.values()))} to {number(max(high.values()))}). So near the ceiling they "
        "differ by a few utterances a fold, and an order among them says little even where a "
        "test finds one: the paper's order of fusions is hardly put to the test here."
    ]
