"""What was said: text of any form to words and their ids, or an error that says what is wrong."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from gban_edge.runtime.backend import Ids
from gban_edge.text import UNKNOWN_ID, Vocabulary, tokenize

MAX_WORDS = 512
Said = str | bytes | bytearray | Iterable[str] | None


class Words(NamedTuple):
    """The words of one utterance.

    Attributes:
        words: as the tokenizer gives them, at most 512.
        ids: int32 [M]; without any word one ``<unk>``.
        notes: what was done to them.
    """

    words: tuple[str, ...]
    ids: Ids
    notes: tuple[str, ...]


def read_words(said: Said, vocabulary: Vocabulary) -> Words:
    """The words of ``said``: a text, UTF-8, several texts, or None for no words.

    Raises:
        ValueError: bytes that are not UTF-8, a lone surrogate, or something that is no text.
    """
    found = tokenize(text_of(said))
    words = tuple(found[:MAX_WORDS])
    notes = (f"words cut at {MAX_WORDS} of {len(found)}",) if len(found) > MAX_WORDS else ()
    ids = vocabulary.encode(" ".join(words)) if words else [UNKNOWN_ID]
    return Words(words, np.array(ids, np.int32), notes)


def text_of(said: Said) -> str:
    """``said`` as one text.

    >>> text_of(["that", "is"]), text_of(b"incredible"), text_of(None)
    ('that is', 'incredible', '')
    """
    if said is None:
        return ""
    if isinstance(said, (bytes, bytearray)):
        return _decoded(bytes(said))
    if isinstance(said, str):
        return _checked(said)
    if not isinstance(said, Iterable):
        raise ValueError(
            f"words must be text, UTF-8 bytes or several texts, got {type(said).__name__}"
        )
    texts = list(said)
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise ValueError(f"words must be texts, got {type(text).__name__} at position {i}")
    return _checked(" ".join(texts))


def _decoded(said: bytes) -> str:
    try:
        return said.decode("utf-8")
    except UnicodeDecodeError as error:
        byte = said[error.start]
        raise ValueError(
            f"text must be UTF-8, got byte 0x{byte:02x} at offset {error.start}"
        ) from None


def _checked(text: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        found = ord(text[error.start])
        raise ValueError(
            f"text must be valid Unicode, got the lone surrogate U+{found:04X} at character "
            f"{error.start}"
        ) from None
    return text
