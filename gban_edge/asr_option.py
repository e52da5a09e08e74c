"""What the options that choose a recogniser of words mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gban_edge.words import WordSource

ALLOWED = "pocketsphinx or sherpa:FOLDER"


def check_word_source(text: str) -> None:
    """ValueError for what is no name of a word source; loads nothing."""
    name, colon, folder = text.partition(":")
    if text != "pocketsphinx" and not (name == "sherpa" and colon and folder):
        raise ValueError(f"must be {ALLOWED}, got {text!r}")


def open_word_source(text: str) -> WordSource:
    """The word source that ``text`` names: "pocketsphinx", or "sherpa:" and a model's folder.

    Raises:
        ValueError: another name.
        FileNotFoundError: the folder, or what it must hold, does not exist.
        RuntimeError: its package is not installed; names the pip command.
    """
    from gban_edge import words

    check_word_source(text)
    if text == "pocketsphinx":
        return words.pocketsphinx()
    return words.sherpa_onnx(text.partition(":")[2])
