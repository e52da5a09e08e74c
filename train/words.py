"""Word vectors for the folds: GloVe is read once a run, each fold takes what its words need."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

from gban_edge.files import replacing
from gban_edge.text import EMBEDDING, GloVe, Vocabulary, embedding_matrix, read_glove, tokenize

Vectors = dict[str, np.ndarray]  # in GloVe's order: most frequent first


def read(path: Path, transcripts: Sequence[str], extra: int) -> GloVe:
    """The vectors of every word of the corpus and of the ``extra`` most frequent other words.

    Reading the words of all speakers at once tells no fold anything: a fold keeps only those of
    its own vocabulary.
    """
    return read_glove(path, {w for text in transcripts for w in tokenize(text)}, EMBEDDING, extra)


def fingerprint(glove: GloVe) -> str:
    """One hash of the vectors, for a run's settings."""
    total = hashlib.sha256()
    for word, vector in glove.vectors.items():
        total.update(word.encode() + b"\0" + vector.tobytes())
    return total.hexdigest()[:16]


def store(glove: GloVe, path: Path) -> None:
    """Write the vectors to ``path``, for the tasks to :func:`load`."""
    matrix = np.stack(list(glove.vectors.values())) if glove.vectors else np.zeros((0, EMBEDDING))
    with replacing(path) as temporary:
        words = json.dumps(list(glove.vectors), ensure_ascii=False)
        save_file({"vectors": matrix.astype(np.float32)}, temporary, metadata={"words": words})


def load(path: Path) -> Vectors:
    """What :func:`store` wrote."""
    with safe_open(path, framework="numpy") as file:
        words = json.loads(file.metadata()["words"])
        return dict(zip(words, file.get_tensor("vectors"), strict=True))


def for_fold(
    transcripts: Sequence[str], vectors: Vectors, extra: int, rng: np.random.Generator
) -> tuple[Vocabulary, np.ndarray]:
    """The vocabulary of the training transcripts, and its vectors [len(vocabulary), 300].

    ``extra`` further words of ``vectors`` follow, most frequent first, so that a deployed model
    knows words that the corpus lacks.
    """
    trained = Vocabulary.build(transcripts)
    further = [word for word in vectors if word not in trained][:extra]
    vocabulary = Vocabulary.build(transcripts, extra=further)
    return vocabulary, embedding_matrix(vocabulary, vectors, rng)
