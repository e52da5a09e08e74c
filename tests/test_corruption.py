"""Word errors and word dropout, by their statistics."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from gban_edge.text import UNKNOWN_ID
from train.corruption import corrupt, drop_words, measured_wer

WRONG = [f"v{i}" for i in range(50)]


def heard(words, rate, seed=0, vocabulary=WRONG):
    return corrupt(words, rate, vocabulary, np.random.default_rng(seed))


def test_every_kind_of_error_has_its_share():
    """One word at rate 1 suffers exactly one error, which can be told from what is left."""
    outcomes = Counter()
    for seed in range(6000):
        got = heard(["said"], 1.0, seed)
        kind = {0: "deleted", 1: "substituted", 2: "inserted"}[len(got)]
        assert got in ([], got[-1:], ["said", got[-1]] if got else [])
        assert "said" not in got[-1:]
        outcomes[kind] += 1
    # Four deviations of a binomial of 6000.
    assert outcomes["substituted"] / 6000 == pytest.approx(0.6, abs=0.026)
    assert outcomes["deleted"] / 6000 == pytest.approx(0.3, abs=0.024)
    assert outcomes["inserted"] / 6000 == pytest.approx(0.1, abs=0.016)


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.3, 0.5, 1.0])
def test_the_rate_is_the_expected_number_of_errors_a_word(rate):
    words = [f"w{i}" for i in range(20000)]
    got = heard(words, rate)
    kept = sum(word.startswith("w") for word in got)
    assert kept / 20000 == pytest.approx(1 - 0.9 * rate, abs=0.015)  # substituted or deleted
    assert (len(got) - kept) / 20000 == pytest.approx(0.7 * rate, abs=0.015)  # or inserted
    # A deletion beside an insertion aligns as one substitution, so no more than was put in.
    parts = [words[i : i + 20] for i in range(0, 4000, 20)]
    wer = measured_wer(parts, [heard(part, rate, i) for i, part in enumerate(parts)])
    assert 0.9 * rate - 0.02 <= wer <= rate + 0.03


def test_errors_at_a_higher_rate_contain_those_at_a_lower_one():
    words = [f"w{i}" for i in range(300)]
    curve = [heard(words, rate / 20) for rate in range(21)]
    assert curve[0] == words
    for fewer, more in pairwise(curve):
        kept, still = ({w for w in got if w[0] == "w"} for got in (fewer, more))
        assert still < kept
        wrong, also = (Counter(w for w in got if w[0] == "v") for got in (fewer, more))
        assert not wrong - also


def test_seeds_decide_and_rates_do_not_move_the_stream():
    words = "the food was wonderful but the room was filthy".split()
    assert heard(words, 0.5) == heard(words, 0.5)
    assert len({tuple(heard(words, 0.5, seed)) for seed in range(20)}) > 15
    after = []
    for rate in (0.0, 0.4, 1.0):
        rng = np.random.default_rng(3)
        corrupt(words, rate, WRONG, rng)
        after.append(rng.random())
    assert len(set(after)) == 1


def test_a_substitution_is_another_word_drawn_by_frequency():
    drawn = Counter(
        word
        for seed in range(3000)
        for word in heard(["the"], 1.0, seed, ["the"] * 60 + ["rare"] * 10 + ["often"] * 30)[-1:]
    )
    assert "the" not in drawn
    assert drawn["often"] / drawn.total() == pytest.approx(0.75, abs=0.04)


def test_short_and_foreign_transcripts():
    assert heard([], 1.0) == []
    assert heard(["naïve", "çok", "好"], 0.0) == ["naïve", "çok", "好"]
    seen = {tuple(heard(["好"], 1.0, seed, ["好", "é"])) for seed in range(40)}
    assert seen == {(), ("é",), ("好", "é")}


@pytest.mark.parametrize("rate", [-0.1, 1.01, float("nan")])
def test_a_rate_that_is_none(rate):
    with pytest.raises(ValueError, match=r"rate must lie in 0-1, got"):
        heard(["a"], rate)
    with pytest.raises(ValueError, match=r"probability must lie in 0-1, got"):
        drop_words([2], rate, np.random.default_rng(0))


@pytest.mark.parametrize("vocabulary", [[], ["a"], ["a", "a"]])
def test_a_vocabulary_too_small(vocabulary):
    with pytest.raises(ValueError, match="at least two different words"):
        heard(["a"], 0.5, vocabulary=vocabulary)


def test_measured_wer_by_hand():
    # b for x is substituted, a second c inserted; d deleted: 3 edits, 4 words.
    assert measured_wer([["a", "b", "c"], ["d"]], [["a", "x", "c", "c"], []]) == 0.75
    assert measured_wer([["a"], []], [["a"], ["b", "c"]]) == 2.0
    with pytest.raises(ValueError, match="at least one word"):
        measured_wer([[]], [["a"]])
    with pytest.raises(ValueError, match=r"as many as references \(1\), got 2"):
        measured_wer([["a"]], [["a"], ["b"]])


def test_dropped_words():
    ids = [5, 6, 7, 8]
    rng, untouched = np.random.default_rng(0), np.random.default_rng(0)
    assert drop_words(ids, 0.0, rng) is ids
    assert rng.random() == untouched.random()
    assert drop_words(ids, 1.0, rng) == [UNKNOWN_ID]
    dropped = [drop_words(ids, 0.25, rng) for _ in range(8000)]
    whole = [words for words in dropped if words == [UNKNOWN_ID]]
    assert len(whole) / 8000 == pytest.approx(0.25, abs=0.02)
    others = np.array([words for words in dropped if words != [UNKNOWN_ID]])
    assert ((others == UNKNOWN_ID) | (others == ids)).all()
    np.testing.assert_allclose((others == UNKNOWN_ID).mean(axis=0), 0.25, atol=0.025)
    assert ids == [5, 6, 7, 8]
