"""Verdicts on the paper's orderings, each kind of them, and what is said about evidence."""

import pytest
from stored_run import papers_wa, settings, summary_of

from train import evidence, findings, paper
from train.findings import MISSING, REPRODUCED, REVERSED, UNDECIDED

FIVE = [1, 2, 3, 4, 5]


def verdicts(summary):
    return {(c["where"], c["metric"], c["claim"]): c["verdict"]
            for c in findings.evaluate(summary)}  # fmt: skip


def wa_of(offsets, base=0.5):
    """WA by model: ``base`` and the model's offset on each fold."""
    return lambda model, fold, seed: base + offsets.get(model, [0] * 5)[fold - 1]


def test_the_papers_claims_are_all_there_and_true_of_the_paper():
    claims = findings.evaluate({})
    assert [c["where"] for c in claims].count("Table 1") == 4
    assert [c["where"] for c in claims].count("Table 2") == 5
    # GBAN above 7 systems in WA and 6 in UA (CNN-Att has no UA), Att-LSTM above Self-Att in both.
    assert [c["where"] for c in claims].count("Table 3") == 8 + 7
    assert [c["where"] for c in claims].count("Figure 2") == 2
    for claim in claims:
        assert (claim["paper_difference"] or claim["paper_range"][0]) > 0
        assert claim["verdict"] == MISSING
    by_text = {c["claim"]: c for c in claims if c["metric"] == "wa"}
    assert by_text["GGF > GMU"]["paper_difference"] == pytest.approx(0.0040)
    gates = claims[-1]
    assert gates["claim"] == "h_t > h_s on every fold"
    assert gates["paper_range"] == pytest.approx([0.28, 0.44])


def test_the_papers_own_folds_under_the_same_test():
    p = {c["claim"]: c["paper_p"] for c in findings.evaluate({}) if c["metric"] == "wa"}
    decided = {claim for claim, value in p.items() if value is not None and value <= 0.05}
    assert decided == {"a_t > h_t", "a_t > a_s", "Concat-2 > Concat-1", "GBAN > BiAtt-Concat"}
    assert p["GBAN > Att-LSTM"] is None
    text = findings.papers_own(findings.evaluate({}))
    assert "Of the 11 orderings" in text
    assert "decide 4" in text


def test_each_verdict():
    summary = summary_of(
        ["h_s", "h_t", "a_s", "a_t"], FIVE, 1,
        wa_of({
            "h_s": [0.0, 0.05, 0.0, 0.0, 0.05],
            "h_t": [0.05, 0.0, 0.05, 0.0, 0.05],  # now above h_s, now below
            "a_s": [0.3, 0.35, 0.25, 0.3, 0.4],  # far above h_s
            "a_t": [0.1, 0.1, 0.1, 0.1, 0.15],  # far below a_s, above h_t
        }),
    )  # fmt: skip
    found = verdicts(summary)
    assert found["Table 1", "wa", "a_s > h_s"] == REPRODUCED
    assert found["Table 1", "wa", "a_t > a_s"] == REVERSED
    assert found["Table 1", "wa", "h_t > h_s"] == UNDECIDED
    assert found["Table 2", "wa", "GGF > GMU"] == MISSING
    claim = next(c for c in findings.evaluate(summary) if c["claim"] == "h_t > h_s")
    assert claim["difference"] == pytest.approx(0.01)
    assert (claim["folds_so"], claim["folds"]) == (2, 5)
    counts = findings.count(findings.evaluate(summary))
    assert list(counts) == list(findings.VERDICTS)
    assert sum(counts.values()) == 26


def test_identical_constant_and_single_folds():
    wa = wa_of({"a_s": [0.1] * 5, "h_t": [0.0] * 5, "a_t": [-0.1] * 5})
    found = verdicts(summary_of(["h_s", "h_t", "a_s", "a_t"], FIVE, 1, wa))
    assert found["Table 1", "wa", "a_s > h_s"] == REPRODUCED  # the same .1 on every fold
    assert found["Table 1", "wa", "a_t > h_t"] == REVERSED
    assert found["Table 1", "wa", "h_t > h_s"] == UNDECIDED  # identical
    one = verdicts(summary_of(["h_s", "a_s"], [4], 1, wa))
    assert one["Table 1", "wa", "a_s > h_s"] == UNDECIDED


def with_gates(a_t):
    """A summary of GBAN with these gate weights of a_t on each fold."""
    summary = summary_of(["gban"], FIVE, 1, papers_wa)
    summary["gban"]["gates"]["a_t"] = a_t
    summary["gban"]["gates"]["a_s"] = [1 - v for v in a_t]
    return summary


@pytest.mark.parametrize(
    ("a_t", "verdict"),
    [
        ([0.6, 0.61, 0.59, 0.6, 0.62], REPRODUCED),
        ([0.4, 0.41, 0.39, 0.4, 0.42], REVERSED),
        ([0.6, 0.4, 0.55, 0.45, 0.5], UNDECIDED),
    ],
)
def test_gates(a_t, verdict):
    claims = findings.evaluate(with_gates(a_t))
    assert {c["claim"]: c["verdict"] for c in claims}["a_t > a_s on every fold"] == verdict


def test_gates_must_hold_on_every_fold():
    summary = with_gates([0.6, 0.62, 0.6, 0.61, 0.499])
    summary["gban"]["test_to_train"] = 0.0  # so that p is small in spite of the last fold
    claim = next(c for c in findings.evaluate(summary) if c["claim"] == "a_t > a_s on every fold")
    assert claim["p"] < 0.05
    assert claim["folds_so"] == 4
    assert claim["verdict"] == UNDECIDED


def test_gban_against_one_modality_names_the_folds():
    wa = {"gban": [0.4] * 5, "h_s": [0.3, 0.4, 0.3, 0.3, 0.3], "self_att": [0.3] * 4 + [0.45]}
    summary = summary_of(["gban", "h_s", "self_att"], FIVE, 2, wa_of(wa))
    found = findings.unimodal(summary)
    assert found["holds"] is False
    assert [(b["system"], b["fold"]) for b in found["below"]] == [("self_att", 5)]
    text = findings.markdown(findings.evaluate(summary), found)
    assert "GBAN is below Self-Att on fold 5 (.9000 against .9500)." in text
    del summary["self_att"]
    assert findings.unimodal(summary)["holds"] is True  # equal on fold 2 is good enough
    assert "yes, in mean WA over seeds (h_s; folds 1 to 5)" in findings.markdown(
        findings.evaluate(summary), findings.unimodal(summary)
    )
    del summary["h_s"]
    assert findings.unimodal(summary)["holds"] is None


def test_the_table_of_claims():
    summary = summary_of(["gban", "gmu"], FIVE, 1, papers_wa)
    text = findings.markdown(findings.evaluate(summary), findings.unimodal(summary))
    row = next(line for line in text.splitlines() if "GGF > GMU" in line)
    assert [cell.strip() for cell in row.split("|")[1:-1]] == [
        "Table 2", "WA", "GGF > GMU", "undecided", ".0000 ± .0000", "1.000", "0 of 5", "+.0040",
        ".681",
    ]  # fmt: skip
    assert "above .05" in text


def test_evidence_of_the_built_in_corpus(smoke_corpus):
    from train import synthesise
    from train.corpus import read_corpus

    assert read_corpus(smoke_corpus).name == evidence.BUILT_IN
    assert synthesise.UTTERANCES == evidence.WHOLE
    models = ["gban", "gmu", "concat_1", "mdre"]
    near_one = summary_of(models, FIVE, 1, wa_of({"mdre": [-0.3] * 5}, base=1.0))
    text = evidence.markdown(settings(models, FIVE, 1), near_one)
    for words in ("None about people", "Arousal is in the prosody", ".833", "the corpus was made",
                  "3 of 4 fusions reach a WA of .9500"):  # fmt: skip
        assert words in text
    assert "every step works" not in text
    assert "an alignment is needed" not in text  # MDRE stays below .833
    all_near_one = evidence.markdown(
        settings(models, FIVE, 1), summary_of(models, FIVE, 1, wa_of({}, base=1.0))
    )
    assert "MDRE (1.0000) still hears which word was stressed" in all_near_one
    small = settings(models, FIVE, 1) | {"utterances": 100}
    assert "its verdicts mean nothing" in evidence.markdown(small, near_one)
    assert "fusions reach" not in evidence.markdown(small, summary_of(models, FIVE, 1, papers_wa))


def test_evidence_of_other_corpora():
    models = ["gban", "h_s"]
    summary = summary_of(models, FIVE, 1, papers_wa)
    real = settings(models, FIVE, 1) | {"corpus": "IEMOCAP layout", "utterances": 4490}
    text = evidence.markdown(real, summary)
    assert "has the 4,490 utterances behind the paper's tables" in text
    assert "ten actors" in text
    assert "No word vectors" in text
    assert "No word vectors" not in evidence.markdown(real | {"glove": "0123"}, summary)
    for changed in ({"utterances": 5531, "merge_excited": True}, {"utterances": 4000}):
        assert "not of the same task" in evidence.markdown(real | changed, summary)
    assert paper.average("gban", "wa") == 0.7239
