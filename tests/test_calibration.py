"""Calibration measures, the abstain threshold, and the temperature."""

import itertools

import numpy as np
import pytest
from fake_run import logits_of
from scipy.special import log_softmax
from scipy.stats import beta

from gban_edge.calibration import (
    abstain_threshold,
    accuracy_at_coverage,
    accuracy_coverage,
    expected_calibration_error,
    reliability,
    softmax,
)
from train.calibration import fit_temperature


def random_case(seed, n=200):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, n)
    return softmax(logits_of(rng, labels, 1.0, 2.0)), labels


def test_softmax_against_scipy_and_far_out():
    logits = np.random.default_rng(0).standard_normal((50, 4)) * 10
    expected = np.exp(log_softmax(logits / 2.5, axis=1))
    np.testing.assert_allclose(softmax(logits, 2.5), expected, rtol=1e-12)
    np.testing.assert_allclose(softmax(logits[3], 2.5), expected[3], rtol=1e-12)
    np.testing.assert_array_equal(softmax([1e300, 0.0, -1e300]), [1, 0, 0])
    np.testing.assert_allclose(softmax(np.float32([1, 2])), np.array([1, np.e]) / (1 + np.e))


def test_the_answer_does_not_depend_on_the_temperature():
    logits = np.random.default_rng(1).standard_normal((500, 4))
    for temperature in (0.05, 0.7, 20):
        found = softmax(logits, temperature).argmax(axis=1)
        np.testing.assert_array_equal(found, logits.argmax(axis=1))


def test_ece_by_hand():
    # Bins of a half: the first two, of confidences .4 and .5 and one right, are .05 apart; the
    # other three, of .6, .7 and .8 and two right, are 2/3 - .7 apart.
    rows = [[0.4, 0.3, 0.3], [0.5, 0.25, 0.25], [0.6, 0.2, 0.2], [0.1, 0.7, 0.2], [0.1, 0.1, 0.8]]
    found = reliability(rows, [0, 1, 0, 1, 1], bins=2)
    np.testing.assert_array_equal(found.count, [2, 3])
    np.testing.assert_allclose(found.confidence, [0.45, 0.7])
    np.testing.assert_allclose(found.accuracy, [0.5, 2 / 3])
    expected = 2 / 5 * 0.05 + 3 / 5 * (0.7 - 2 / 3)
    assert expected_calibration_error(rows, [0, 1, 0, 1, 1], bins=2) == pytest.approx(expected)


def slow_ece(probabilities, labels, bins):
    """Guo et al. 2017, equation 3, an utterance at a time."""
    total = 0.0
    for m in range(bins):
        inside = [
            (max(row), list(row).index(max(row)) == label)
            for row, label in zip(probabilities, labels, strict=True)
            if m / bins < max(row) <= (m + 1) / bins
        ]
        if inside:
            confidence, right = map(np.mean, zip(*inside, strict=True))
            total += len(inside) / len(labels) * abs(right - confidence)
    return total


@pytest.mark.parametrize("seed", range(10))
def test_ece_against_another_computation(seed):
    probabilities, labels = random_case(seed)
    for bins in (1, 7, 15):
        expected = slow_ece(probabilities, labels, bins)
        assert expected_calibration_error(probabilities, labels, bins) == pytest.approx(expected)


def test_edges_of_bins_belong_to_the_bin_below():
    rows = [[0.6, 0.4], [0.8, 0.2], [1.0, 0.0]]
    np.testing.assert_array_equal(reliability(rows, [0, 0, 0], 5).count, [0, 0, 1, 1, 1])
    assert np.isnan(reliability(rows, [0, 0, 0], 5).accuracy[0])


def test_perfect_confidence_has_no_error():
    assert expected_calibration_error(np.eye(4), [0, 1, 2, 3]) == 0
    assert expected_calibration_error(np.eye(4), [1, 2, 3, 0]) == 1


def test_accuracy_and_coverage_by_hand():
    coverage, accuracy = accuracy_coverage([0.5, 0.9, 0.7, 0.7], [False, True, True, False])
    np.testing.assert_allclose(coverage, [1 / 4, 3 / 4, 1])
    np.testing.assert_allclose(accuracy, [1, 2 / 3, 1 / 2])


def test_accuracy_at_a_coverage_is_the_expectation_over_ties():
    confidence, correct = [0.9, 0.7, 0.7, 0.7, 0.5], [1, 1, 0, 0, 1]
    # Two of five: the first, and any one of the three of .7.
    by_hand = np.mean([np.mean([1, x]) for x in (1, 0, 0)])
    assert accuracy_at_coverage(confidence, correct, 0.4) == pytest.approx(by_hand)
    pairs = itertools.combinations((1, 0, 0), 2)
    by_hand = np.mean([np.mean([1, *two]) for two in pairs])
    assert accuracy_at_coverage(confidence, correct, 0.6) == pytest.approx(by_hand)
    assert accuracy_at_coverage(confidence, correct, 1) == pytest.approx(3 / 5)


@pytest.mark.parametrize("seed", range(5))
def test_order_does_not_matter(seed):
    probabilities, labels = random_case(seed)
    probabilities = np.round(probabilities, 1) + 1e-9  # many ties
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    confidence, correct = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    order = np.random.default_rng(seed).permutation(len(labels))

    def everything(p, y, c, r):
        return [
            expected_calibration_error(p, y), *np.concatenate(accuracy_coverage(c, r)),
            accuracy_at_coverage(c, r, 0.37), abstain_threshold(c, r, 0.8),
            abstain_threshold(c, r, 0.8, confidence_level=None),
        ]  # fmt: skip

    shuffled = everything(probabilities[order], labels[order], confidence[order], correct[order])
    assert everything(probabilities, labels, confidence, correct) == shuffled


def slow_threshold(confidence, correct, target, minimum, level):
    """Every candidate in turn, with scipy's Clopper-Pearson bound."""
    reached = []
    for threshold in (0, *confidence):
        kept = confidence >= threshold
        n, right = kept.sum(), correct[kept].sum()
        bound = right / n
        if level is not None:
            bound = beta.ppf(1 - level, right, n - right + 1) if right else 0
        if n >= minimum and bound >= target:
            reached.append(0.0 if n == len(kept) else threshold)
    return min(reached, default=None)


@pytest.mark.parametrize("seed", range(5))
def test_threshold_against_every_candidate(seed):
    rng = np.random.default_rng(seed)
    confidence = np.round(rng.uniform(0.25, 1, 300), 2)
    correct = rng.random(300) < confidence
    found = set()
    cases = itertools.product((0.5, 0.7, 0.8, 0.9, 0.99, 1.0), (1, 30), (None, 0.6, 0.95))
    for target, minimum, level in cases:
        chosen = abstain_threshold(confidence, correct, target, minimum, level)
        assert chosen == slow_threshold(confidence, correct, target, minimum, level)
        if chosen:
            assert correct[confidence >= chosen].mean() >= target
            assert (confidence >= chosen).sum() >= minimum
        found.add(chosen)
    assert {0.0, None} < found  # all three outcomes were met
    assert len(found) > 6


def test_the_bound_wants_299_answers_without_error_for_99_per_cent():
    for n, expected in ((298, None), (299, 0.0)):  # .99 ** 299 = .0495
        assert abstain_threshold(np.full(n, 0.9), np.ones(n), 0.99) == expected
    assert abstain_threshold(np.full(30, 0.9), np.ones(30), 1.0, confidence_level=None) == 0.0
    assert abstain_threshold(np.full(10**4, 0.9), np.ones(10**4), 1.0) is None


def test_no_abstention_where_the_plain_accuracy_reaches_the_target():
    correct = np.arange(40) % 10 > 0  # .9
    confidence = np.linspace(0.3, 0.9, 40)
    assert abstain_threshold(confidence, correct, 0.9, confidence_level=None) == 0.0
    assert abstain_threshold(confidence, np.zeros(40), 0.9, confidence_level=None) is None


@pytest.mark.parametrize("true", [0.4, 1.0, 3.0])
def test_a_known_temperature_is_found(true):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 20000)
    logits = logits_of(rng, labels, 1.5, true)
    assert fit_temperature(logits, labels) == pytest.approx(true, rel=0.03)
    order = rng.permutation(20000)
    shuffled = fit_temperature(logits[order], labels[order])
    assert shuffled == pytest.approx(fit_temperature(logits, labels), rel=1e-5)


@pytest.mark.parametrize("margin", [0.5, 3.0, 10.0, 100.0])
def test_the_prior_holds_where_all_are_right(margin):
    labels = np.arange(48) % 4
    found = fit_temperature(margin * np.eye(4)[labels], labels)
    assert 0.1 < found <= 1


def test_the_temperature_is_the_least_of_the_documented_sum():
    rng = np.random.default_rng(5)
    labels = np.arange(48) % 4
    logits = logits_of(rng, labels, 1.2, 3.0)
    grid = np.exp(np.linspace(np.log(1 / 20), np.log(20), 20001))
    losses = [
        -log_softmax(logits / t, axis=1)[range(48), labels].sum() + (np.log(t) / 0.5) ** 2 / 2
        for t in grid
    ]
    assert fit_temperature(logits, labels) == pytest.approx(grid[np.argmin(losses)], rel=1e-3)


def test_bad_input_is_named():
    good = [[0.5, 0.5]]
    for call, words in (
        (lambda: softmax([[np.nan, 0]]), "logits must be finite"),
        (lambda: softmax([]), "logits"),
        (lambda: softmax([1, 2], 0), "temperature must be .* got 0"),
        (lambda: expected_calibration_error([0.5, 0.5], [0]), r"probabilities must be \[n, C\]"),
        (lambda: expected_calibration_error([[0.5, 0.6]], [0]), "sum to 1"),
        (lambda: expected_calibration_error([[1.5, -0.5]], [0]), "at least 0"),
        (lambda: expected_calibration_error(good, [0, 1]), "labels must be 1 class"),
        (lambda: expected_calibration_error(good, [0.0]), "class indices, got float64"),
        (lambda: expected_calibration_error(good, [2]), "labels must be from 0 to 1"),
        (lambda: expected_calibration_error(good, [0], 0), "bins must be at least 1, got 0"),
        (lambda: accuracy_coverage([], []), "confidence must be"),
        (lambda: accuracy_coverage([1.2], [1]), "confidence must be from 0 to 1"),
        (lambda: accuracy_coverage([np.nan], [1]), "confidence must be from 0 to 1"),
        (lambda: accuracy_coverage([0.5], [2]), "correct must be"),
        (lambda: accuracy_coverage([0.5], [1, 0]), "correct must be 1 of"),
        (lambda: accuracy_at_coverage([0.5], [1], 0), "coverage must be"),
        (lambda: abstain_threshold([0.5], [1], 0), "target must be .* got 0"),
        (lambda: abstain_threshold([0.5], [1], 1.01), "target must be .* got 1.01"),
        (lambda: abstain_threshold([0.5], [1], 0.9, 0), "minimum must be at least 1"),
        (lambda: abstain_threshold([0.5], [1], 0.9, 1, 1.0), "confidence_level must be"),
        (lambda: fit_temperature([[np.inf, 0]], [0]), "logits must be finite"),
        (lambda: fit_temperature(np.zeros((0, 4)), []), "n >= 1"),
        (lambda: fit_temperature([[1, 0]], [2]), "labels must be 1 class indices below 2"),
    ):
        with pytest.raises(ValueError, match=words):
            call()
