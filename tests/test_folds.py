import pytest

from train.corpus import read_corpus
from train.folds import make_fold, parse_folds


@pytest.fixture(scope="module")
def utterances(smoke_corpus):
    return read_corpus(smoke_corpus).utterances


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("validation", ["random", "speaker"])
def test_test_speakers_are_seen_by_nothing_else(utterances, number, validation):
    fold = make_fold(utterances, number, 0, validation)
    parts = [{u.name for u in p} for p in (fold.train, fold.validation, fold.test)]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 100
    assert {u.session for u in fold.test} == {number}
    seen = {u.speaker for u in fold.train + fold.validation}
    assert not seen & {u.speaker for u in fold.test}
    if validation == "speaker":
        held_out = {u.speaker for u in fold.validation}
        assert len(held_out) == 1
        assert not held_out & {u.speaker for u in fold.train}


def test_random_validation_is_stratified(utterances):
    validation = make_fold(utterances, 1, 0).validation
    assert sorted(u.label for u in validation) == ["ang", "hap", "neu", "sad"]  # 5% of 20 each


def test_seed_decides(utterances):
    names = [[u.name for u in make_fold(utterances, 1, s).validation] for s in (0, 0, 1)]
    assert names[0] == names[1] != names[2]


def test_bad_arguments(utterances):
    with pytest.raises(ValueError, match=r"fold must be one of \[1, 2, 3, 4, 5\], got 6"):
        make_fold(utterances, 6, 0)
    with pytest.raises(ValueError, match="'random' or 'speaker', got 'none'"):
        make_fold(utterances, 1, 0, "none")
    with pytest.raises(ValueError, match="fold 2 has no test utterances"):
        make_fold([u for u in utterances if u.session != 2], 2, 0)


@pytest.mark.parametrize(
    ("text", "folds"),
    [("1-5", [1, 2, 3, 4, 5]), ("2", [2]), ("4,1", [1, 4]), ("1-2, 2-3", [1, 2, 3])],
)
def test_parse_folds(text, folds):
    assert parse_folds(text) == folds


@pytest.mark.parametrize("text", ["", "0", "6", "1-6", "a", "1-", "-1", "5-4", "1;2", "1.5"])
def test_parse_folds_refuses(text):
    with pytest.raises(ValueError, match="folds must"):
        parse_folds(text)
