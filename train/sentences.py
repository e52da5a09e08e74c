"""What the built-in corpus's speakers say: clauses with a valence, single or in contrast.

A *clause* puts one noun beside one adjective that is positive or negative ("the food was
wonderful"). A *contrast* puts two clauses of opposite valence side by side ("the food was
wonderful but the room was filthy"); which of the two counts is said by
emphasis alone, and, as people mostly do it, emphasis falls on the later clause two times in three.
Both valences go through the same nouns, frames and joints, and either order is equally frequent,
so no word but the adjectives tells anything.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

POSITIVE = (
    "wonderful lovely excellent brilliant delightful perfect splendid superb fantastic marvelous "
    "pleasant charming glorious magnificent beautiful amazing great friendly generous helpful "
    "comfortable spotless tasty cheerful gentle thoughtful impressive elegant joyful fabulous"
).split()
NEGATIVE = (
    "horrible dreadful terrible awful disgusting ruined pathetic useless appalling miserable "
    "unpleasant rotten gloomy atrocious ugly shocking rude hostile greedy broken uncomfortable "
    "filthy bitter depressing cruel careless disappointing shabby painful hopeless"
).split()
NOUNS = (
    "food room service music weather garden movie journey meeting hotel coffee story kitchen "
    "market concert dinner present neighbor teacher doctor letter station painting holiday phone "
    "birthday lesson office driver window"
).split()
FRAMES = (
    "the {noun} was {adjective}",
    "i thought the {noun} was {adjective}",
    "you know the {noun} was {adjective}",
    "they said the {noun} was {adjective}",
    "the {noun} turned out {adjective}",
    "i found the {noun} {adjective}",
    "she called the {noun} {adjective}",
    "honestly the {noun} seemed {adjective}",
)
TIMES, LATER = 3, 2  # a contrast is spoken 3 times, 2 of them with its later clause emphasised
JOINTS = ("and", "but", "while", "although")


@dataclass(frozen=True)
class Clause:
    """One clause: its words before the adjective, the adjective, and which valence it has."""

    opening: str
    adjective: str
    positive: bool

    @property
    def text(self) -> str:
        return f"{self.opening} {self.adjective}"


@dataclass(frozen=True)
class Sentence:
    """One or two clauses; ``emphasised`` is the index of the clause that decides the valence."""

    clauses: tuple[Clause, ...]
    joint: str
    emphasised: int

    @property
    def positive(self) -> bool:
        return self.clauses[self.emphasised].positive

    @property
    def text(self) -> str:
        """The transcript: capital letter, comma before the joint, full stop."""
        spoken = f", {self.joint} ".join(clause.text for clause in self.clauses)
        return spoken[0].upper() + spoken[1:] + "."


def draw_clause(rng: np.random.Generator, positive: bool, noun: str) -> Clause:
    """Draw a frame and an adjective for ``noun``."""
    frame = FRAMES[rng.integers(len(FRAMES))]
    adjectives = POSITIVE if positive else NEGATIVE
    adjective = adjectives[rng.integers(len(adjectives))]
    return Clause(frame.format(noun=noun, adjective="").rstrip(), adjective, positive)


def draw_single(rng: np.random.Generator, positive: bool) -> Sentence:
    """Draw a sentence of one clause with the valence asked for."""
    return Sentence((draw_clause(rng, positive, NOUNS[rng.integers(len(NOUNS))]),), "", 0)


def draw_contrasts(rng: np.random.Generator) -> tuple[list[Sentence], list[Sentence]]:
    """Draw two contrasts of either order and speak each three times: (positive, negative) ones.

    Each text is spoken LATER of three times with the emphasis on its second clause, as people
    mostly do, and otherwise on its first; so either valence comes out equally often.
    """
    positively: list[Sentence] = []
    negatively: list[Sentence] = []
    for first_positive in (True, False):
        nouns = [NOUNS[i] for i in rng.choice(len(NOUNS), size=2, replace=False)]
        clauses = (
            draw_clause(rng, first_positive, nouns[0]),
            draw_clause(rng, not first_positive, nouns[1]),
        )
        joint = JOINTS[rng.integers(len(JOINTS))]
        for emphasised in [1] * LATER + [0] * (TIMES - LATER):
            sentence = Sentence(clauses, joint, emphasised)
            (positively if sentence.positive else negatively).append(sentence)
    return positively, negatively
