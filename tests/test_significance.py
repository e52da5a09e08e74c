"""The tests over folds, against SciPy, brute force and numbers worked out by hand."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats
from stored_run import summary_of

from train.significance import against, holm, markdown, paired


def test_without_overlap_it_is_the_paired_t_test():
    rng = np.random.default_rng(0)
    for n in (2, 3, 5, 10):
        first, second = rng.random(n), rng.random(n)
        found, peer = paired(first, second, 0.0), stats.ttest_rel(first, second)
        assert found["t"] == pytest.approx(peer.statistic)
        assert found["p"] == pytest.approx(peer.pvalue)


def test_the_correction_shrinks_t_by_the_overlap():
    first, second = [0.80, 0.83, 0.79, 0.90, 0.85], [0.78, 0.80, 0.80, 0.84, 0.80]
    peer = stats.ttest_rel(first, second)
    found = paired(first, second, 0.25)
    # 1/n + n_test/n_train = 1/5 + 1/4 = .45 in the place of 1/5: t is smaller by sqrt(.2 / .45).
    assert found["t"] == pytest.approx(peer.statistic * math.sqrt(0.2 / 0.45))
    assert found["p"] == pytest.approx(2 * stats.t.sf(found["t"], 4))
    assert found["p"] > peer.pvalue
    # By hand: d = .02 .03 -.01 .06 .05, mean .03, s^2 = .003 / 4.
    assert found["difference"] == pytest.approx(0.03)
    assert found["standard_error"] == pytest.approx(math.sqrt(0.45 * 0.003 / 4))


def brute_force(d):
    patterns = [np.mean([s * x for s, x in zip(p, d, strict=True)])
                for p in itertools.product((1, -1), repeat=len(d))]  # fmt: skip
    return np.mean([abs(m) >= abs(np.mean(d)) - 1e-12 for m in patterns])


def test_sign_flip_against_brute_force():
    rng = np.random.default_rng(1)
    for _ in range(20):
        first = rng.integers(0, 10, 5) / 10  # ties and zeros among the differences
        second = rng.integers(0, 10, 5) / 10
        assert paired(first, second, 0.3)["p_sign_flip"] == brute_force(first - second)
    peer = stats.permutation_test(
        (first - second,), np.mean, permutation_type="samples", n_resamples=np.inf
    )
    assert paired(first, second, 0.3)["p_sign_flip"] == pytest.approx(peer.pvalue)


def test_five_folds_give_at_least_a_sixteenth():
    found = paired([0.9, 0.8, 0.85, 0.99, 0.7], [0.1, 0.2, 0.3, 0.15, 0.12], 0.25)
    assert found["p_sign_flip"] == 2 / 32 == 0.0625
    assert found["p"] < 0.01


@pytest.mark.parametrize(
    ("first", "second", "p", "flip", "reason"),
    [
        ([0.8], [0.7], None, 1.0, "one fold"),
        ([0.8, 0.9, 1.0], [0.8, 0.9, 1.0], 1.0, 1.0, "identical"),
        ([0.8, 0.9, 1.0], [0.7, 0.8, 0.9], None, 0.25, "the same difference"),
        ([0.7, 0.7], [0.7, 0.7 + 1e-16], 1.0, 1.0, "identical"),
    ],
)
def test_degenerate_cases_say_why(first, second, p, flip, reason):
    found = paired(first, second, 0.25)
    assert found["p"] == p
    assert found["t"] is None
    assert found["p_sign_flip"] == flip
    assert found["reason"].startswith(reason)


@pytest.mark.parametrize("arguments", [([], [], 0.2), ([1.0], [1.0, 2.0], 0.2)])
def test_it_refuses_what_is_no_pair(arguments):
    with pytest.raises(ValueError, match="one value a fold"):
        paired(*arguments)


@pytest.mark.parametrize("ratio", [-0.1, math.nan])
def test_it_refuses_a_ratio_that_is_none(ratio):
    with pytest.raises(ValueError, match="test_to_train"):
        paired([1.0, 2.0], [2.0, 1.0], ratio)


def test_holm_by_hand():
    # Sorted .01 .02 .03 .04: 4 x .01 = .04, 3 x .02 = .06, 2 x .03 = .06, 1 x .04 -> not below .06.
    assert holm([0.04, 0.01, None, 0.03, 0.02]) == pytest.approx([0.06, 0.04, None, 0.06, 0.06])
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def uneven(model, fold, seed):
    """GBAN above h_s by .1 to .3, equal to gmu."""
    return {"gban": 0.9, "gmu": 0.9, "h_s": 0.6 + 0.05 * (fold % 3)}[model] - 0.05 * seed


def test_against_takes_means_over_seeds_and_corrects_over_baselines():
    summary = summary_of(["gban", "gmu", "h_s"], [1, 2, 3], 3, uneven)
    tests = against(summary)
    found = tests["wa"]["h_s"]
    assert found["differences"] == pytest.approx([0.25, 0.2, 0.3])
    assert found["standard_error"] == pytest.approx(math.sqrt((1 / 3 + 80 / 300) * 0.0025))
    assert tests["wa"]["gmu"]["p"] == 1.0
    assert found["p_holm"] == pytest.approx(2 * found["p"])
    assert tests["ua"].keys() == {"gmu", "h_s"}
    assert against({"h_s": summary["h_s"]}) == {}


def test_the_section_says_what_it_can_bear():
    tests = against(summary_of(["gban", "gmu", "h_s"], [1, 2, 3, 4, 5], 3, uneven))
    text = markdown(tests, [1, 2, 3, 4, 5], 3)
    assert "With 5 folds the sign-flip p cannot be under .0625." in text
    assert "nothing about other speakers" in text
    assert "Identical on every fold: BiAtt-GMU, WA." in text
    row = next(line for line in text.splitlines() if line.startswith("| h_s"))
    assert row.split("|")[-2].strip() == ".0625"
    assert "UA is equal to WA" in text
    tests["ua"]["h_s"]["differences"][0] += 0.01
    assert markdown(tests, [1, 2, 3, 4, 5], 3).count("sign-flip |") == 2
    assert "One seed was trained" in markdown(tests, [1, 2, 3, 4, 5], 1)
    one = markdown(against(summary_of(["gban", "h_s"], [2], 1, uneven)), [2], 1)
    assert "One fold: nothing is known of the spread" in one
    assert "cannot be under 1.0000" in one
    assert "not trained" in markdown({}, [1], 1)
    assert "only system" in markdown(against(summary_of(["gban"], [1], 1, uneven)), [1], 1)
