#!/usr/bin/env python3
"""Write the built-in corpus: really synthesised speech in IEMOCAP's own layout and formats.

    python train/synthesise.py OUT [--utterances 1200] [--seed 0]

Five sessions of two speakers each (ten distinct espeak-ng voices), 16 kHz 16-bit mono WAV with
additive noise, labels and transcripts as IEMOCAP has them, its quirks included: ``._*`` files,
turns labelled xxx / fru / sur / exc, ``XX`` ids and ``M:`` lines in the transcripts, CRLF line
ends, and sub-folders of EmoEvaluation that must not be read.

How the emotion is carried
    arousal, high or low, by prosody alone: rate, pitch, pitch range and loudness (SSML);
    valence, positive or negative, by the words alone (:mod:`train.sentences`).

        happy = high + positive      angry = high + negative
        sad   = low  + negative      neutral = low + positive

    In a fraction phi = ``CONTRAST`` = 1/2 of the utterances two clauses of opposite valence stand
    side by side, and the one that is *emphasised* (its adjective slower, higher, louder) decides.
    The text does not say which: every such text is spoken three times, twice with the emphasis on
    its later clause, once on its earlier one.

The best accuracy possible, classes being equally frequent
    speech alone   .500   arousal is heard; valence is a coin. This is for a listener who knows
                          no words: one who recognised them from the sound would need no text.
    words alone    .417   (1 - phi/3) / 2: arousal is a coin; valence is known, save that in a
                          contrast "the later clause" is right two times in three.
    both, deaf to which word was stressed   .833 = 1 - phi/3
    both, aligned 1.000
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from xml.sax.saxutils import escape

import numpy as np
import soundfile
import typer

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from gban_edge.files import write_bytes, write_json, write_text
from train.espeak import SAMPLE_RATE, Espeak
from train.processes import end_with_parent
from train.sentences import TIMES, Sentence, draw_contrasts, draw_single

VERSION = 1  # of this recipe: raised when the same arguments would give another corpus
MANIFEST = "SYNTHESISED.json"
UTTERANCES = 1200
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

Spans = list[tuple[float, float]]  # start and end of each turn, in seconds


@dataclass(frozen=True)
class Turn:
    """One utterance to be spoken: everything that the files say about it."""

    name: str  # Ses01F_impro01_F000
    label: str
    voice: str
    pitch: int
    sentence: Sentence
    high: bool


def prosody(turn: Turn, rng: np.random.Generator) -> str:
    """The SSML of a turn: arousal over the whole, emphasis on the deciding clause.

    The deciding adjective is slower, higher and louder; in a contrast its clause is a little
    higher and louder too, and the other clause's adjective is passed over quickly.
    """
    if turn.high:
        rate, pitch, spread = rng.uniform(112, 135), rng.uniform(20, 40), rng.uniform(40, 90)
        volume = rng.uniform(50, 65)
    else:
        rate, pitch, spread = rng.uniform(75, 95), rng.uniform(-35, -10), rng.uniform(-70, -30)
        volume = rng.uniform(30, 42)
    pitch += turn.pitch
    stress = rng.uniform(50, 80)
    contrast = len(turn.sentence.clauses) > 1
    parts = []
    for place, clause in enumerate(turn.sentence.clauses):
        opening, word = escape(clause.opening), escape(clause.adjective)
        if place == turn.sentence.emphasised:
            word = _spoken(word, rate * 0.65, pitch + stress, volume * 1.9)
            if contrast:
                opening = _spoken(opening, rate, pitch + 0.4 * stress, volume * 1.4)
        else:
            word = _spoken(word, rate * 1.15, pitch - 15, volume * 0.8)
        parts.append(f"{opening} {word}")
    sentence = f", {turn.sentence.joint} ".join(parts) + "."
    return f"<speak>{_spoken(sentence, rate, pitch, volume, spread)}</speak>"


def _spoken(
    text: str, rate: float, pitch: float, volume: float, spread: float | None = None
) -> str:
    """An SSML prosody element; percentages of the voice's own values, pitch as a difference."""
    width = "" if spread is None else f' range="{spread:+.0f}%"'
    values = f'rate="{rate:.0f}%" pitch="{pitch:+.0f}%" volume="{volume:.0f}"{width}'
    return f"<prosody {values}>{text}</prosody>"


def record(clean: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Put a microphone's gain (+-3 dB) and noise (18-30 dB below the speech) on clean speech."""
    level = float(np.sqrt(np.mean(clean**2)))
    noise = rng.standard_normal(len(clean))
    colour = rng.uniform(0.0, 0.9)  # white to low-pass
    for _ in range(2):
        noise = noise + colour * np.concatenate([[0.0], noise[:-1]])
    noise *= level * 10 ** (-rng.uniform(18, 30) / 20) / np.sqrt(np.mean(noise**2))
    return np.clip((clean + noise) * 10 ** (rng.uniform(-3, 3) / 20), -1.0, 1.0)


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


def write_session(root: Path, session: int, utterances: int, seed: int) -> dict[str, int]:
    """Speak and write one session below ``root``; returns the count of each label."""
    espeak = Espeak()
    rng = np.random.default_rng([seed, session, VERSION, 1])
    folder = root / f"Session{session}"
    counts: dict[str, int] = {}
    for number, turns in enumerate(plan_session(session, utterances, seed)):
        dialogue = turns[0].name.rsplit("_", 1)[0]
        wavs = folder / "sentences" / "wav" / dialogue
        wavs.mkdir(parents=True)
        clock, spans = 2.0, []
        for turn in turns:
            pcm = record(espeak.say(prosody(turn, rng), turn.voice), rng)
            soundfile.write(wavs / f"{turn.name}.wav", pcm, SAMPLE_RATE, subtype="PCM_16")
            seconds = len(pcm) / SAMPLE_RATE
            spans.append((clock, clock + seconds))
            clock += seconds + float(rng.uniform(0.2, 1.5))
            counts[turn.label] = counts.get(turn.label, 0) + 1
        write_bytes(wavs / f"._{turns[0].name}.wav", b"\x00\x05\x16\x07 not a sound")
        _write_labels(folder / "dialog" / "EmoEvaluation", dialogue, turns, spans, number)
        _write_words(folder / "dialog" / "transcriptions", dialogue, turns, spans, number)
    return counts


def _write_labels(
    folder: Path, dialogue: str, turns: list[Turn], spans: Spans, number: int
) -> None:
    lines = ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]", ""]
    for turn, (start, end) in zip(turns, spans, strict=True):
        scores = [4.0 if turn.sentence.positive else 2.0, 4.0 if turn.high else 2.0, 3.0]
        lines += [
            f"[{start:.4f} - {end:.4f}]\t{turn.name}\t{turn.label}\t"
            f"[{scores[0]:.4f}, {scores[1]:.4f}, {scores[2]:.4f}]",
            "C-E2:\tSynthesised;\t()",
            f"A-E3:\tval {scores[0]:.0f}; act {scores[1]:.0f}; dom  3;\t()",
            "",
        ]
    ends = "\r\n" if number % 3 == 1 else "\n"
    write_bytes(folder / f"{dialogue}.txt", ends.join(lines).encode())
    write_bytes(folder / f"._{dialogue}.txt", b"\x00\x05\x16\x07 not text \xff\xfe")
    # One evaluator's own votes: IEMOCAP has such files in sub-folders, with labels that disagree.
    vote = f"{turns[0].name}\t:Frustration;\t()\n"
    write_text(folder / "Categorical" / f"{dialogue}_e1_cat.txt", vote)


def _write_words(folder: Path, dialogue: str, turns: list[Turn], spans: Spans, number: int) -> None:
    lines = []
    for place, (turn, (start, end)) in enumerate(zip(turns, spans, strict=True)):
        lines.append(f"{turn.name} [{start:08.4f}-{end:08.4f}]: {turn.sentence.text}")
        if place % 10 == 4:
            lines.append("M: [LAUGHTER]")
        if place % 10 == 7:
            lines.append(
                f"{dialogue}_{'FM'[place % 2]}XX{place % 10} [{end:08.4f}-{end:08.4f}]: Mm."
            )
    lines.append("")
    ends = "\r\n" if number % 3 == 2 else "\n"
    write_bytes(folder / f"{dialogue}.txt", ends.join(lines).encode())
    write_bytes(folder / f"._{dialogue}.txt", b"\x00\x05\x16\x07 not text \xff\xfe")


def synthesise(out: Path, utterances: int = UTTERANCES, seed: int = 0) -> Path:
    """Write the corpus to ``out``, whole or not at all.

    ``utterances`` labelled turns are shared evenly by the five sessions. The folder is made under
    a temporary name and renamed. Raises ValueError for a bad count, FileExistsError where ``out``
    already stands.
    """
    if utterances < 100 or utterances % 20:
        raise ValueError(f"utterances must be a multiple of 20, at least 100, got {utterances}")
    if seed < 0:
        raise ValueError(f"seed must be at least 0, got {seed}")
    if out.exists():
        raise FileExistsError(f"{out} already exists; give another folder or remove it")
    out.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".part", dir=out.parent))
    try:
        counts = _write_sessions(part, utterances // len(SPEAKERS), seed)
        manifest = {
            "corpus": "gban-edge synthesised",
            "version": VERSION,
            "seed": seed,
            "utterances": utterances,
            "contrast": CONTRAST,
            "counts": counts,
        }
        write_json(part / MANIFEST, manifest)
        part.chmod(0o755)
        part.rename(out)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return out


def _write_sessions(root: Path, utterances: int, seed: int) -> dict[str, dict[str, int]]:
    """Write the sessions side by side, each in a process of its own: its synthesiser is new."""
    context = multiprocessing.get_context("spawn")
    pools = [
        ProcessPoolExecutor(1, context, initializer=end_with_parent, initargs=(os.getpid(),))
        for _ in SPEAKERS
    ]
    try:
        jobs = [
            pool.submit(write_session, root, session, utterances, seed)
            for session, pool in enumerate(pools, start=1)
        ]
        return {f"Session{i}": job.result() for i, job in enumerate(jobs, start=1)}
    except BrokenProcessPool as error:
        raise RuntimeError("a synthesiser process died; nothing was kept, try again") from error
    finally:
        for pool in pools:
            pool.shutdown(wait=False, cancel_futures=True)


def main(
    out: Annotated[Path, typer.Argument(help="Folder to make; it must not exist yet.")],
    utterances: Annotated[
        int, typer.Option(help="Labelled utterances, a multiple of 20.")
    ] = UTTERANCES,
    seed: Annotated[int, typer.Option(help="Another seed, another corpus.")] = 0,
) -> None:
    """Synthesise the built-in corpus in IEMOCAP's layout (needs the extra [train])."""
    try:
        synthesise(out, utterances, seed)
    except (ValueError, FileExistsError, RuntimeError, OSError) as error:
        raise SystemExit(f"error: {error}") from error
    print(f"{utterances} labelled utterances in {out}")


if __name__ == "__main__":
    typer.run(main)
