"""From utterances to batches: the feature cache, the examples of a fold, bucketed batches."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from gban_edge import features
from gban_edge.bundle import Standardisation
from gban_edge.files import replacing
from gban_edge.labels import LABELS
from gban_edge.text import Vocabulary
from train.corpus import Corpus, Utterance
from train.corruption import drop_words
from train.wav import read_wav, sample_format


@dataclass(frozen=True)
class Example:
    """One utterance as the network takes it."""

    name: str
    speech: np.ndarray  # float32 [N, 52], standardised
    words: list[int]  # M ids
    label: int


@dataclass(frozen=True)
class Batch:
    """Tensors of one batch, padded with zeros to its longest utterance."""

    speech: torch.Tensor  # [B, N, 52]
    speech_lengths: torch.Tensor  # [B]
    words: torch.Tensor  # [B, M]
    word_counts: torch.Tensor  # [B]
    labels: torch.Tensor  # [B]


class FeatureCache:
    """Features on disk, one file an utterance, keyed by the sound's content and the definition.

    A file that is missing, cut or not what its name says is computed again.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / f"features-v{features.VERSION}"

    def path(self, digest: str) -> Path:
        return self.folder / digest[:2] / f"{digest}.npy"

    def get(self, digest: str) -> np.ndarray | None:
        """float32 [N, 52] of the sound with this SHA-256, or None."""
        try:
            frames = np.load(self.path(digest), allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        whole = frames.ndim == 2 and frames.shape[1] == features.FEATURES
        return frames if whole and frames.dtype == np.float32 else None

    def put(self, digest: str, frames: np.ndarray) -> None:
        # Not made durable: after a power cut a lost file is computed again.
        with replacing(self.path(digest), durable=False) as temporary, temporary.open("wb") as file:
            np.save(file, frames)


def prepare(
    corpus: Corpus, cache: FeatureCache, skip_bad: bool, step: Callable[[], None] = lambda: None
) -> dict[str, str]:
    """Make sure that the features of every utterance are in the cache.

    Returns the SHA-256 of each utterance's WAV, by name. A file that cannot be used is an error
    that lists all such files; with ``skip_bad`` its utterance is dropped, counted and noted.
    """
    digests: dict[str, str] = {}
    formats: Counter[str] = Counter()
    bad: list[str] = []
    for utterance in corpus.utterances:
        digest = hashlib.sha256(utterance.wav.read_bytes()).hexdigest()
        try:
            if cache.get(digest) is None:
                cache.put(digest, features.extract(read_wav(utterance.wav)))
            formats[sample_format(utterance.wav)] += 1
            digests[utterance.name] = digest
        except ValueError as error:
            bad.append(str(error))
        step()
    if bad and not skip_bad:
        listed = "\n  ".join(bad[:10])
        more = f"\n  and {len(bad) - 10} more" if len(bad) > 10 else ""
        raise ValueError(
            f"{len(bad)} sound file(s) cannot be used (--skip-bad leaves them out)\n"
            f"  {listed}{more}"
        )
    if bad:
        corpus.skipped["sound unusable"] += len(bad)
        corpus.notes.append(f"{len(bad)} unusable sound file(s) left out, first: {bad[0]}")
        corpus.utterances = [u for u in corpus.utterances if u.name in digests]
    unusual = {k: n for k, n in formats.items() if k != "PCM_16"}
    if unusual:
        listed = ", ".join(f"{n} {k}" for k, n in sorted(unusual.items()))
        corpus.notes.append(f"sound files not 16-bit, converted: {listed}")
    return digests


def fingerprint(corpus: Corpus, digests: dict[str, str]) -> str:
    """One hash of everything that training sees of a corpus: names, labels, words, sound."""
    total = hashlib.sha256()
    for u in corpus.utterances:
        total.update("\0".join((u.name, u.label, u.text, digests[u.name])).encode() + b"\n")
    return total.hexdigest()[:16]


def make_examples(
    utterances: Sequence[Utterance],
    frames: dict[str, np.ndarray],
    vocabulary: Vocabulary,
    standardise: Standardisation,
) -> list[Example]:
    """Apply what was fitted on the training speakers to any utterances."""
    return [
        Example(
            u.name, standardise(frames[u.name]), vocabulary.encode(u.text), LABELS.index(u.label)
        )
        for u in utterances
    ]


def bucketed(
    examples: Sequence[Example], size: int, rng: np.random.Generator | None = None
) -> list[list[int]]:
    """Indices of batches of about equal length, so that little is padded.

    With ``rng`` lengths are jittered by up to 10% and the batches shuffled: other company and
    another order every epoch. Without it the order is fixed.
    """
    lengths = np.array([len(example.speech) for example in examples], dtype=float)
    if rng is not None:
        lengths *= rng.uniform(0.9, 1.1, len(lengths))
    order = np.argsort(lengths, kind="stable")
    batches = [order[i : i + size].tolist() for i in range(0, len(order), size)]
    if rng is not None:
        batches = [batches[i] for i in rng.permutation(len(batches))]
    return batches


def shuffled(examples: Sequence[Example], size: int, rng: np.random.Generator) -> list[list[int]]:
    """Indices of batches of any lengths, in random order."""
    order = rng.permutation(len(examples))
    return [order[i : i + size].tolist() for i in range(0, len(order), size)]


def with_words_dropped(
    examples: Sequence[Example], probability: float, rng: np.random.Generator
) -> Sequence[Example]:
    """The examples with words, and whole transcripts, lost (:func:`corruption.drop_words`)."""
    if probability == 0.0:
        return examples
    return [replace(e, words=drop_words(e.words, probability, rng)) for e in examples]


def collate(examples: Sequence[Example], device: torch.device | str = "cpu") -> Batch:
    """Pad and stack."""
    frames = [len(e.speech) for e in examples]
    counts = [len(e.words) for e in examples]
    speech = np.zeros((len(examples), max(frames), features.FEATURES), np.float32)
    words = np.zeros((len(examples), max(counts)), np.int64)
    for i, example in enumerate(examples):
        speech[i, : frames[i]] = example.speech
        words[i, : counts[i]] = example.words
    tensors = (
        torch.from_numpy(speech),
        torch.tensor(frames),
        torch.from_numpy(words),
        torch.tensor(counts),
        torch.tensor([e.label for e in examples]),
    )
    return Batch(*(tensor.to(device) for tensor in tensors))
