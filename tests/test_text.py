import numpy as np
import pytest

from gban_edge.text import (
    PAD,
    UNKNOWN,
    UNKNOWN_ID,
    Vocabulary,
    embedding_matrix,
    read_glove,
    tokenize,
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("  \t\n", []),
        ("Well, I don't KNOW.", ["well", "i", "don't", "know"]),
        ("It\u2019s 'quoted'", ["it's", "quoted"]),
        ("[LAUGHTER] twenty-two", ["laughter", "twenty", "two"]),
        ("Café, naïve!", ["café", "naïve"]),
        ("under_score 3pm", ["under", "score", "3pm"]),
        ("...!?", []),
    ],
)
def test_tokenize(text, words):
    assert tokenize(text) == words


def test_vocabulary_keeps_words_seen_more_than_once():
    vocabulary = Vocabulary.build(["the cat sat", "the dog", "a dog ran"])
    assert vocabulary.words == (PAD, UNKNOWN, "dog", "the")
    assert vocabulary.encode("The dog flew") == [3, 2, UNKNOWN_ID]
    assert vocabulary.encode("...") == [UNKNOWN_ID]


def test_extra_words_follow_without_repeating():
    vocabulary = Vocabulary.build(["a a"], extra=["a", "b", "b", "c"])
    assert vocabulary.words == (PAD, UNKNOWN, "a", "b", "c")


def test_vocabulary_refuses():
    with pytest.raises(ValueError, match="begin with"):
        Vocabulary(("a", "b"))
    with pytest.raises(ValueError, match="'a'"):
        Vocabulary((PAD, UNKNOWN, "a", "a"))


def line(token: str, start: float, dimension: int = 300) -> str:
    return " ".join([token, *(f"{start + i / 1000:.4f}" for i in range(dimension))])


def test_glove_survives_what_the_real_file_holds(tmp_path):
    path = tmp_path / "glove.txt"
    lines = [
        line("the", 1.0),
        line(". . .", 2.0),  # GloVe 840B has tokens with spaces
        line("at name@domain.com", 3.0),
        line("short", 4.0, 299),
        line("cat", 5.0),
        line("nan", 6.0).replace("6.0010", "nan"),
        line("word", 7.0).replace("7.0020", "7.o"),
        "",
        line("cat", 8.0),  # a second one does not count
        line("dog", 9.0),
    ]
    text = ("\n".join(lines) + "\n").encode() + b"\xff\xfe 1.0 2.0\n"
    path.write_bytes(text)
    glove = read_glove(path, ["the", "cat", "word", "nan", "unseen", ". . ."])
    assert set(glove.vectors) == {"the", "cat", ". . ."}
    np.testing.assert_allclose(glove.vectors["cat"][:2], [5.0, 5.001])
    np.testing.assert_allclose(glove.vectors[". . ."][299], 2.299)
    assert [number for number, _ in glove.malformed] == [4, 6, 7, 8, 11]
    assert glove.lines == 11
    assert "5 malformed lines skipped (first: line 4, 299 numbers" in glove.summary()


def test_glove_extra_words_are_the_first_that_the_tokenizer_can_say(tmp_path):
    path = tmp_path / "glove.txt"
    tokens = [",", "the", "The", "of", ". . .", "and", "to"]
    path.write_text("\n".join(line(t, float(i)) for i, t in enumerate(tokens)))
    glove = read_glove(path, ["the"], extra=2)
    assert glove.extra == ("of", "and")
    assert set(glove.vectors) == {"the", "of", "and"}


def test_one_odd_first_line_is_not_a_format(tmp_path):
    path = tmp_path / "glove.txt"
    path.write_text("\n".join(["400000 300", line("bad", 0.0, 299), line("cat", 1.0)]))
    assert set(read_glove(path, ["cat"]).vectors) == {"cat"}


@pytest.mark.parametrize("dimension", [50, 100, 301])
def test_glove_of_another_dimension(tmp_path, dimension):
    path = tmp_path / "glove.txt"
    path.write_text("\n".join(line(t, 0.0, dimension) for t in ("the", "cat", "dog", "of")))
    with pytest.raises(ValueError, match=rf"line 1: .* 300 numbers, got {dimension}"):
        read_glove(path, ["cat"])


def test_glove_that_is_none(tmp_path):
    path = tmp_path / "readme.txt"
    path.write_text("This is not a vector file.\nAt all.\n")
    with pytest.raises(ValueError, match="is it a GloVe file"):
        read_glove(path, ["cat"])
    path.write_text("")
    with pytest.raises(ValueError, match="is it a GloVe file"):
        read_glove(path, ["cat"])
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_glove(tmp_path / "nowhere.txt", [])


def test_unknown_vectors_are_drawn_per_dimension():
    rng = np.random.default_rng(0)
    known = {f"w{i}": rng.normal([0.0, 5.0], [1.0, 0.1]).astype(np.float32) for i in range(400)}
    words = (PAD, UNKNOWN, *known, *(f"u{i}" for i in range(2000)))
    matrix = embedding_matrix(Vocabulary(words), known, rng, dimension=2)
    assert matrix.dtype == np.float32
    assert not matrix[0].any()
    np.testing.assert_array_equal(matrix[2], known["w0"])
    drawn = matrix[402:]
    np.testing.assert_allclose(drawn.mean(axis=0), [0.0, 5.0], atol=0.15)
    np.testing.assert_allclose(drawn.std(axis=0), [1.0, 0.1], rtol=0.1)
