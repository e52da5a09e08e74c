"""Words: the tokenizer, the vocabulary and the reader of GloVe's text files."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

PAD, UNKNOWN = "<pad>", "<unk>"
PAD_ID, UNKNOWN_ID = 0, 1
EMBEDDING = 300
# Spread of word vectors where no GloVe file is given, about that of GloVe 840B's own.
RANDOM_DEVIATION = 0.4

_TOKEN = re.compile(r"[^\W_]+(?:'[^\W_]+)*")


def tokenize(text: str) -> list[str]:
    """Split a transcript into lower-case words.

    A word is a run of letters and digits, inner apostrophes included; all else separates.

    >>> tokenize("Well, I don't KNOW.")
    ['well', 'i', "don't", 'know']
    """
    return _TOKEN.findall(text.replace("\u2019", "'").lower())


@dataclass(frozen=True)
class Vocabulary:
    """Words and their ids: ``<pad>`` is 0, ``<unk>`` is 1, then the words given.

    Raises:
        ValueError: the two special words are not first, or a word stands twice.
    """

    words: tuple[str, ...]
    _ids: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "words", tuple(self.words))
        if self.words[:2] != (PAD, UNKNOWN):
            raise ValueError(f"vocabulary must begin with {PAD}, {UNKNOWN}, got {self.words[:2]}")
        ids = {word: i for i, word in enumerate(self.words)}
        if len(ids) != len(self.words):
            twice = [word for word, count in Counter(self.words).items() if count > 1]
            raise ValueError(f"vocabulary must not repeat a word, got {twice[:5]} more than once")
        object.__setattr__(self, "_ids", ids)

    @classmethod
    def build(
        cls, transcripts: Iterable[str], minimum: int = 2, extra: Sequence[str] = ()
    ) -> Vocabulary:
        """The words seen at least ``minimum`` times, most frequent first, then ``extra``.

        Args:
            transcripts: texts of the training part.
            minimum: how often a word must stand in them.
            extra: further words, as those that word vectors are known of.
        """
        counts = Counter(word for text in transcripts for word in tokenize(text))
        kept = sorted((w for w, n in counts.items() if n >= minimum), key=lambda w: (-counts[w], w))
        known = set(kept)
        return cls((PAD, UNKNOWN, *kept, *(w for w in dict.fromkeys(extra) if w not in known)))

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: str) -> bool:
        return word in self._ids

    def encode(self, text: str) -> list[int]:
        """The ids of a transcript's words; an unknown word, and an empty text, give ``<unk>``."""
        ids = [self._ids.get(word, UNKNOWN_ID) for word in tokenize(text)]
        return ids or [UNKNOWN_ID]


@dataclass(frozen=True)
class GloVe:
    """What was read of a GloVe file.

    Attributes:
        vectors: word -> float32 [dimension], for the words wanted and found.
        extra: the most frequent further words, in the file's order (frequency), also in vectors.
        lines: lines read.
        malformed: (line number, what is wrong) of every line skipped.
    """

    vectors: dict[str, NDArray[np.float32]]
    extra: tuple[str, ...]
    lines: int
    malformed: tuple[tuple[int, str], ...]

    def summary(self) -> str:
        """One line for people: what was found and what was skipped."""
        text = f"GloVe: {len(self.vectors)} vectors from {self.lines} lines"
        if self.malformed:
            line, why = self.malformed[0]
            text += f"; {len(self.malformed)} malformed lines skipped (first: line {line}, {why})"
        return text


def read_glove(
    path: str | Path, wanted: Iterable[str], dimension: int = EMBEDDING, extra: int = 0
) -> GloVe:
    """Read the vectors of ``wanted`` words, and of the ``extra`` most frequent other words.

    A line is a token, a space, ``dimension`` numbers; the token itself may hold spaces (GloVe
    840B has such), so the vector is the line's *last* ``dimension`` fields. A line with too few
    fields, or with a wanted vector that is no vector, is skipped and reported. Extra words are
    only those that :func:`tokenize` can produce.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file holds vectors of another dimension, or none at all.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"GloVe file {path} does not exist")
    if extra < 0:
        raise ValueError(f"extra must be at least 0, got {extra}")
    wanted = set(wanted)
    _check_dimension(path, dimension)
    vectors: dict[str, NDArray[np.float32]] = {}
    further: list[str] = []
    malformed: list[tuple[int, str]] = []
    number = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            fields = line.rstrip(b"\r\n").rstrip(b" ").rsplit(b" ", dimension)
            try:
                token = fields[0].decode("utf-8")
                if len(fields) != dimension + 1 or not token:
                    raise ValueError(f"{len(fields) - 1} numbers instead of {dimension}")
                if token in vectors:
                    continue
                takes = len(further) < extra and tokenize(token) == [token]
                if token in wanted:
                    vectors[token] = _vector(fields[1:])
                elif takes:
                    vectors[token] = _vector(fields[1:])
                    further.append(token)
            except ValueError as error:
                malformed.append((number, _reason(error)))
    if number == len(malformed):
        raise ValueError(f"{path}: no line is a token and {dimension} numbers; is it a GloVe file?")
    return GloVe(vectors, tuple(further), number, tuple(malformed))


def embedding_matrix(
    vocabulary: Vocabulary,
    vectors: dict[str, NDArray[np.float32]],
    rng: np.random.Generator,
    dimension: int = EMBEDDING,
) -> NDArray[np.float32]:
    """Word vectors [len(vocabulary), dimension] for a network to start from.

    A word without a vector gets one drawn from a normal distribution with the mean and the
    deviation, dimension by dimension, of the vectors that are there. ``<pad>`` is zero.
    """
    found = [vectors[w] for w in vocabulary.words if w in vectors]
    if len(found) > 1:
        stack = np.stack(found).astype(np.float64)
        mean, deviation = stack.mean(axis=0), stack.std(axis=0)
    else:
        mean, deviation = np.zeros(dimension), np.full(dimension, RANDOM_DEVIATION)
    matrix = mean + deviation * rng.standard_normal((len(vocabulary), dimension))
    for i, word in enumerate(vocabulary.words):
        if word in vectors:
            matrix[i] = vectors[word]
    matrix[PAD_ID] = 0.0
    return matrix.astype(np.float32)


def _vector(fields: Sequence[bytes]) -> NDArray[np.float32]:
    vector = np.array([float(value) for value in fields], dtype=np.float32)
    if not np.isfinite(vector).all():
        raise ValueError("a number is not finite")
    return vector


def _check_dimension(path: Path, dimension: int) -> None:
    """Refuse a file whose first lines plainly are vectors of one other dimension."""
    with path.open("rb") as file:
        widths = [_plain_width(line) for line in itertools.islice(file, 3)]
    # One odd line may be damage (or word2vec's header of two fields); agreement is a format.
    plain = [width for width in widths if width is not None and width > 2]
    if plain and dimension not in widths and len(set(plain)) == 1:
        raise ValueError(
            f"{path}, line {widths.index(plain[0]) + 1}: vectors must have {dimension} numbers, "
            f"got {plain[0]}; use a {dimension}-dimensional GloVe file"
        )


def _plain_width(line: bytes) -> int | None:
    """How many numbers follow the first field, or None where the rest is not all numbers."""
    fields = line.split()
    try:
        _vector(fields[1:])
    except ValueError:
        return None
    return len(fields) - 1


def _reason(error: ValueError) -> str:
    return "not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
