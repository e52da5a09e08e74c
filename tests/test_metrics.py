import numpy as np
import pytest
from sklearn import metrics as peer

from train.metrics import score, summarise


def test_against_scikit_learn():
    rng = np.random.default_rng(0)
    for _ in range(50):
        n = rng.integers(5, 60)
        truth = np.concatenate([np.arange(4), rng.integers(0, 4, n)])
        guess = np.where(rng.random(n + 4) < 0.5, truth, rng.integers(0, 4, n + 4))
        found = score(truth, guess, 4)
        assert found.wa == pytest.approx(peer.accuracy_score(truth, guess))
        assert found.ua == pytest.approx(peer.balanced_accuracy_score(truth, guess))
        np.testing.assert_array_equal(found.confusion, peer.confusion_matrix(truth, guess))
        np.testing.assert_allclose(
            found.recalls, peer.recall_score(truth, guess, average=None, zero_division=0)
        )


def test_a_class_that_does_not_occur_does_not_count():
    found = score([0, 0, 1], [0, 2, 1], 4)
    assert found.ua == pytest.approx(0.75)
    assert np.isnan(found.recalls[2:]).all()


def test_score_refuses():
    with pytest.raises(ValueError, match="one shape"):
        score([0, 1], [0], 4)
    with pytest.raises(ValueError, match="n >= 1"):
        score([], [], 4)


def result(fold, seed, wa, gates=None):
    return {
        "fold": fold, "seed": seed, "wa": wa, "ua": wa / 2, "gates": gates,
        "confusion": [[3, 1], [0, 4]], "utterances": {"train": 10 * fold, "test": 5},
    }  # fmt: skip


def test_summarise_is_mean_over_folds_and_deviation_over_seeds():
    summary = summarise(
        [result(1, 0, 0.5), result(2, 0, 0.7), result(1, 1, 0.7), result(2, 1, 0.9)]
    )
    assert summary["wa"]["by_fold"] == pytest.approx([0.6, 0.8])
    assert summary["wa"]["sd_by_fold"] == pytest.approx([np.sqrt(0.02)] * 2)
    assert summary["test_to_train"] == pytest.approx((5 / 10 + 5 / 20) / 2)
    assert summary["wa"]["mean"] == pytest.approx(0.7)
    assert summary["wa"]["sd_over_seeds"] == pytest.approx(np.std([0.6, 0.8], ddof=1))
    assert summary["confusion"] == [[12, 4], [0, 16]]
    assert summary["recalls"] == pytest.approx([0.75, 1.0])
    assert "gates" not in summary
    gates = {"a_s": 0.4, "a_t": 0.6}
    single = summarise([result(1, 0, 0.5, gates), result(2, 0, 0.5, gates)])
    assert single["wa"]["sd_over_seeds"] is None
    assert single["wa"]["sd_by_fold"] == [None, None]
    assert single["gates"] == {"a_s": [0.4, 0.4], "a_t": [0.6, 0.6]}
