"""The plan of the built-in corpus: who says what, with which emotion (see train/synthesise.py)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from train.sentences import TIMES, Sentence, draw_contrasts, draw_single

VERSION = 1  # of the whole recipe: raised when the same arguments would give another corpus
CONTRAST = 0.5
TURNS_A_DIALOGUE = 30
# (voice, pitch shift in %): a female and a male speaker a session, no voice twice.
SPEAKERS = (
    (("en-us+f1", 0), ("en-us+m1", 0)),
    (("en-gb-x-rp+f2", 5), ("en-gb-x-rp+m2", -5)),
    (("en-gb-scotland+f3", -5), ("en-gb-scotland+m3", 5)),
    (("en-us-nyc+f5", -10), ("en-us+m7", 0)),
    (("en-us+f4", 10), ("en-029+m5", 0)),
)
EMOTIONS = {  # label: (high arousal, positive valence)
    "hap": (True, True),
    "ang": (True, False),
    "sad": (False, False),
    "neu": (False, True),
}
# Turns outside the four classes, one of each a dialogue in turn: read and skipped by the reader.
EXTRA = {"exc": (True, True), "xxx": (True, False), "fru": (False, False), "sur": (True, True)}


@dataclass(frozen=True)
class Turn:
    """One utterance to be spoken: everything that the files say about it."""

    name: str  # Ses01F_impro01_F000
    label: str
    voice: str
    pitch: int
    sentence: Sentence
    high: bool


def _draw_sentences(rng: np.random.Generator, each: int) -> list[tuple[str, Sentence]]:
    """``each`` sentences a label, CONTRAST of them contrasts."""
    sets = round(CONTRAST * each / TIMES)
    spoken = [
        (label, draw_single(rng, positive))
        for label, (_, positive) in EMOTIONS.items()
        for _ in range(each - TIMES * sets)
    ]
    for positive_label, negative_label in (("hap", "ang"), ("neu", "sad")):
        for _ in range(sets):
            positively, negatively = draw_contrasts(rng)
            spoken += [(positive_label, sentence) for sentence in positively]
            spoken += [(negative_label, sentence) for sentence in negatively]
    return spoken


def plan_session(session: int, utterances: int, seed: int) -> list[list[Turn]]:
    """Draw every dialogue of a session: ``utterances`` labelled turns plus the extra ones."""
    rng = np.random.default_rng([seed, session, VERSION])
    spoken = _draw_sentences(rng, utterances // len(EMOTIONS))
    order = rng.permutation(len(spoken))
    dialogues, extras = [], list(EXTRA)
    for number, start in enumerate(range(0, utterances, TURNS_A_DIALOGUE)):
        wearer = "FM"[number % 2]
        name = f"Ses{session:02d}{wearer}_impro{number // 2 + 1:02d}"
        chosen = [spoken[i] for i in order[start : start + TURNS_A_DIALOGUE]]
        extra = extras[number % len(extras)]
        turn = (extra, draw_single(rng, EXTRA[extra][1]))
        chosen.insert(int(rng.integers(len(chosen) + 1)), turn)
        counts = {"F": 0, "M": 0}
        turns = []
        for label, sentence in chosen:
            speaker = "FM"[rng.integers(2)]
            voice, pitch = SPEAKERS[session - 1]["FM".index(speaker)]
            high, _ = EMOTIONS.get(label) or EXTRA[label]
            turn_name = f"{name}_{speaker}{counts[speaker]:03d}"
            turns.append(Turn(turn_name, label, voice, pitch, sentence, high))
            counts[speaker] += 1
        dialogues.append(turns)
    return dialogues
