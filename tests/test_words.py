import numpy as np

from gban_edge.text import GloVe
from train import words


def vectors(*tokens):
    return {t: np.full(300, i, np.float32) for i, t in enumerate(tokens)}


def test_a_fold_takes_its_own_words_and_then_the_most_frequent_others():
    known = vectors("of", "cat", "test", "and", "dog", "zebra")
    # "cat" is a training word; "test" is one of the test speakers' that GloVe happens to rank.
    vocabulary, matrix = words.for_fold(["cat cat", "own own"], known, 3, np.random.default_rng(0))
    assert vocabulary.words[2:] == ("cat", "own", "of", "test", "and")
    np.testing.assert_array_equal(matrix[2], known["cat"])
    np.testing.assert_array_equal(matrix[6], known["and"])
    assert matrix[3].std() > 0.1  # "own" was drawn
    vocabulary, _ = words.for_fold(["cat cat"], known, 0, np.random.default_rng(0))
    assert vocabulary.words[2:] == ("cat",)


def test_store_and_load_keep_the_order(tmp_path):
    glove = GloVe(vectors("b", "a", "\u00e9"), ("a",), 3, ())
    words.store(glove, tmp_path / "w.safetensors")
    loaded = words.load(tmp_path / "w.safetensors")
    assert list(loaded) == ["b", "a", "\u00e9"]
    np.testing.assert_array_equal(loaded["a"], np.ones(300))
    assert words.fingerprint(glove) != words.fingerprint(GloVe(vectors("a", "b"), (), 2, ()))
    words.store(GloVe({}, (), 1, ()), tmp_path / "empty.safetensors")
    assert words.load(tmp_path / "empty.safetensors") == {}
