#!/usr/bin/env python3
"""README's pictures of an answer: docs/figures/alignment.png and gates.png.

    python tools/readme_figures.py runs/RUN/tasks/gban-fold5-seed0/model.safetensors

A sentence of the built-in corpus is synthesised, the model file answers, and gban_edge.plot draws.
The voice is one of session 5, which fold 5's model has never heard. Needs the extras [train,plot].
The sentence is chosen: in it the words attend to the sound from left to right. Training asks only
for the label, and in other sentences most words attend to one place (``--number 0``).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from gban_edge import EmotionRecognizer, plot
from gban_edge.files import replacing
from gban_edge.labels import FULL_NAMES
from train.espeak import Espeak
from train.turns import Turn, plan_session
from train.voice import prosody, record

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "figures"
UTTERANCES, DPI = 240, 110


def contrasts(session: int, seed: int = 0) -> list[Turn]:
    """The turns of a session in which two clauses of opposite valence stand side by side."""
    turns = [turn for dialogue in plan_session(session, UTTERANCES, seed) for turn in dialogue]
    return [turn for turn in turns if len(turn.sentence.clauses) == 2]


def speak(turn: Turn, seed: int = 0) -> np.ndarray:
    """float64 [samples] at 16 kHz: the turn as the corpus would have it."""
    rng = np.random.default_rng(seed)
    return record(Espeak().say(prosody(turn, rng), turn.voice), rng)


def draw(model: Path, folder: Path, session: int, number: int) -> list[Path]:
    """Write both pictures into ``folder``; returns their paths.

    Raises:
        FileNotFoundError, ValueError: no usable model file, session or turn.
        RuntimeError: a package is missing.
    """
    if session not in range(1, 6):
        raise ValueError(f"session must be one of 1 to 5, got {session}")
    turns = contrasts(session)
    if not 0 <= number < len(turns):
        raise ValueError(f"number must lie in 0..{len(turns) - 1}, got {number}")
    turn = turns[number]
    recognizer = EmotionRecognizer.from_pretrained(model, backend="cpu")
    pcm = speak(turn)
    result = recognizer(pcm, turn.sentence.text)
    said = turn.sentence.clauses[turn.sentence.emphasised].adjective
    print(f"{turn.sentence.text} (stressed: {said}; meant: {FULL_NAMES[turn.label]})\n{result}")
    pictures = {"alignment": plot.alignment(result, pcm), "gates": plot.gates(result)}
    paths = [folder / f"{name}.png" for name in pictures]
    for path, figure in zip(paths, pictures.values(), strict=True):
        with replacing(path) as temporary:
            # No software version in the file: equal results give equal pictures.
            figure.savefig(temporary, format="png", dpi=DPI, metadata={"Software": None})
    return paths


def main(
    model: Annotated[Path, typer.Argument(help="A model file of GBAN.")],
    out: Annotated[Path, typer.Option(help="Folder of the pictures.")] = FOLDER,
    session: Annotated[int, typer.Option(help="Whose voices speak: 1 to 5.")] = 5,
    number: Annotated[int, typer.Option(help="Which of the session's contrasts.")] = 63,
) -> None:
    """Draw README's pictures from a sentence of the built-in corpus."""
    try:
        for path in draw(model, out, session, number):
            print(path)
    except (ValueError, OSError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None


if __name__ == "__main__":
    typer.run(main)
