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
from pathlib import Path
from typing import Annotated

import numpy as np
import soundfile
import typer

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from gban_edge.features import SAMPLE_RATE
from gban_edge.files import write_bytes, write_json, write_text
from train.corpus import MANIFEST
from train.espeak import Espeak
from train.processes import end_with_parent
from train.turns import CONTRAST, SPEAKERS, VERSION, Turn, plan_session
from train.voice import prosody, record

UTTERANCES = 1200
Spans = list[tuple[float, float]]  # start and end of each turn, in seconds


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
