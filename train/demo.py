#!/usr/bin/env python3
"""A few new clips of the built-in corpus, and what a model trained on it makes of them.

    python train/demo.py                  or: gban-edge demo
    python train/demo.py --model FILE --clips 4 --seed 7 --save clips/

Takes the first fold's GBAN of the newest run below runs/ on the built-in corpus, or trains one.
The clips' sentences are drawn anew, and their two speakers are those that the model's fold did not
train on.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Annotated

import numpy as np
import soundfile
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from gban_edge import EmotionRecognizer
from gban_edge.checkout import TRAINING, require
from gban_edge.features import SAMPLE_RATE
from gban_edge.predict_output import Answer
from gban_edge.predict_table import show
from gban_edge.streams import check_folder, finish, prepare, sentence
from gban_edge.terminal import complain, text
from train.espeak import Espeak
from train.turns import CONTRAST, EMOTIONS, VERSION, Turn, plan_session
from train.voice import prosody, record

ROOT = Path(__file__).resolve().parent.parent
FOLD = re.compile(r"-fold([1-5])-")  # of a task's folder
BUILTIN = "gban-edge synthesised"
SESSION = 1  # whose speakers speak to a model of which no fold is known
# The corpus and its features included, on a machine that others were using too.
TRAINING_TAKES = "1 to 2 minutes on 2 cores (72 s measured on 2 of an AMD EPYC)"


def newest_model(folders: list[Path]) -> Path | None:
    """The first GBAN, by fold and seed, of the last run that learnt the built-in corpus.

    Tasks that are not finished count for nothing. Not the last written model: which task ends last
    is chance, and the fold chooses the speakers.
    """
    found = [
        _trained(settings.parent)
        for runs in folders
        for settings in runs.glob("*/settings.json")
        if _is_useful(settings)
    ]
    last = max(filter(None, found), key=lambda run: max(map(_written, run)), default=[None])
    return last[0]


def _trained(run: Path) -> list[Path]:
    """The GBAN model files of a run's finished tasks, by fold and seed."""
    models = run.glob("tasks/gban-fold*/model.safetensors")
    return sorted(model for model in models if (model.parent / "result.json").is_file())


def _written(path: Path) -> float:
    return path.stat().st_mtime


def _is_useful(settings: Path) -> bool:
    """Whether a run's corpus is the built-in one, and not the few utterances of a smoke run."""
    try:
        stored = json.loads(settings.read_text("utf-8"))
        return stored["corpus"] == BUILTIN and stored["utterances"] >= 1000
    except (ValueError, KeyError, TypeError):
        return False


def train_one(console: Console, runs: Path) -> Path:
    """Train fold 1 of GBAN below ``runs`` and return its model file."""
    require(TRAINING, "training")
    out = runs / f"{datetime.now():%Y%m%d-%H%M%S}-demo"
    console.print(f"training one fold of GBAN on the built-in corpus into {out}: {TRAINING_TAKES}",
                  markup=False, highlight=False, soft_wrap=True)  # fmt: skip
    script = [sys.executable, str(ROOT / "train" / "run_folds.py")]
    done = subprocess.run([*script, "--models", "gban", "--folds", "1", "--out", str(out)])
    if done.returncode:
        raise RuntimeError(f"training failed with status {done.returncode}; see above")
    return out / "tasks" / "gban-fold1-seed0" / "model.safetensors"


def session_of(model: Path) -> int:
    """The session that a model of run_folds.py was not trained on: its fold's."""
    fold = FOLD.search(model.resolve().parent.name)
    return int(fold.group(1)) if fold else SESSION


def draw(session: int, clips: int, seed: int) -> list[Turn]:
    """``clips`` turns of the four emotions, taking turns, half of the sentences contrasts."""
    turns = [turn for dialogue in plan_session(session, 240, seed) for turn in dialogue]
    order = np.random.default_rng([seed, session, VERSION, 2]).permutation(len(turns))
    contrasts = round(CONTRAST * 4)  # of four rounds
    chosen = []
    for number in range(clips):
        label = list(EMOTIONS)[number % len(EMOTIONS)]
        clauses = 2 if number // len(EMOTIONS) % 4 < contrasts else 1
        shuffled = (turns[i] for i in order if turns[i] not in chosen)
        chosen.append(
            next(t for t in shuffled if t.label == label and len(t.sentence.clauses) == clauses)
        )
    return chosen


def spoken(turn: Turn) -> str:
    """The sentence, with the deciding clause's adjective in capitals."""
    clause = turn.sentence.clauses[turn.sentence.emphasised]
    said = turn.sentence.text.replace(clause.adjective, clause.adjective.upper())
    return re.sub(r"\bi\b", "I", said)


def hear(
    model: Path, turns: list[Turn], seed: int, save: Path | None
) -> tuple[list[Answer], EmotionRecognizer]:
    """Speak the turns, and what the model says of each."""
    recognizer = EmotionRecognizer.from_pretrained(model)
    espeak, rng = Espeak(), np.random.default_rng([seed, VERSION, 3])
    answers = []
    for number, turn in enumerate(turns, start=1):
        pcm = record(espeak.say(prosody(turn, rng), turn.voice), rng)
        name = f"clip {number}"
        if save is not None:
            save.mkdir(parents=True, exist_ok=True)
            soundfile.write(save / f"{number}-{turn.label}.wav", pcm, SAMPLE_RATE, "PCM_16")
            (save / f"{number}-{turn.label}.txt").write_text(turn.sentence.text + "\n", "utf-8")
        result = recognizer(pcm, turn.sentence.text)
        answers.append(Answer(name, spoken(turn), result))
    return answers, recognizer


def run(model: Path | None, clips: int, seed: int, retrain: bool, save: Path | None) -> None:
    console = Console()
    if save is not None:
        check_folder(save, f"--save {save}")  # before it trains
    folders = list(dict.fromkeys((Path("runs").resolve(), ROOT / "runs")))
    if model is None and not retrain:
        model = newest_model(folders)
    if model is None:
        model = train_one(console, folders[0])
    turns = draw(session_of(model), clips, seed)
    answers, recognizer = hear(model, turns, seed, save)
    say(console, introduction(model, len(turns)))
    said = Table.grid(padding=(0, 2))
    for answer, turn in zip(answers, turns, strict=True):
        said.add_row("", answer.file, "lively" if turn.high else "calm", text(answer.words))
    console.print(said)
    console.print()
    meant = {answer.file: turn.label for answer, turn in zip(answers, turns, strict=True)}
    show(console, answers, recognizer.labels, recognizer.backend, meant, words=False)
    right = sum(answer.label == meant[answer.file] for answer in answers)
    console.print(f"{right} of {len(answers)} as they were meant. The voices and sentences are "
                  "synthetic: this says nothing about people.", highlight=False)  # fmt: skip
    say(console, what_next(model, seed, save))


def say(console: Console, said: str) -> None:
    """Text as it is, paths and commands unbroken."""
    console.print(text_lines(said), soft_wrap=True)


def text_lines(said: str) -> Text:
    return Text("\n").join(text(line) for line in said.splitlines())


def introduction(model: Path, clips: int) -> str:
    """What is to be heard, for somebody who has read nothing."""
    known = FOLD.search(model.resolve().parent.name)
    new = "\nThe model was trained without these two voices." if known else ""
    said = f"{clips} new sentence{'s' * (clips > 1)}"
    return f"""
A computer's voice says {said}. How it speaks is half of the emotion,
lively or calm; what the stressed word (in capitals) means is the other half:

  lively and good: hap (happy)      lively and bad: ang (angry)
  calm and good:   neu (neutral)    calm and bad:   sad
{new}
model {shell(model)}

what is said, and how:"""


def what_next(model: Path, seed: int, save: Path | None) -> str:
    """Commands to try, as they can be pasted."""
    clips = shell(save or Path("clips"))
    commands = [
        (f"demo --model $MODEL --save {clips}", "keeps the clips as files"),
        (f"predict $MODEL {clips}", "the words from the .txt beside"),
        (f"predict $MODEL {clips} --no-words", "by sound alone: worse"),
        (f"demo --model $MODEL --seed {seed + 1}", "other sentences"),
        ("listen $MODEL --asr pocketsphinx", "from the microphone"),
        ("serve $MODEL --asr pocketsphinx", "a page for the browser"),
    ][save is not None :]
    lines = [f"  gban-edge {command:36}  # {what}" for command, what in commands]
    return "\n".join(["", "Try next:", f"  export MODEL={shell(model)}", *lines])


def shell(path: Path) -> str:
    """A path as a shell takes it, from the current folder where it is in there."""
    with suppress(ValueError):
        path = path.resolve().relative_to(Path.cwd())
    return shlex.quote(str(path))


def main(
    model: Annotated[
        Path | None, typer.Option(help="A model file; else of the newest run.")
    ] = None,
    clips: Annotated[int, typer.Option(min=1, max=40, help="How many to speak.")] = 8,
    seed: Annotated[int, typer.Option(min=1, help="Other sentences.")] = 1,
    retrain: Annotated[bool, typer.Option("--retrain", help="Train anyway.")] = False,
    save: Annotated[Path | None, typer.Option(help="Folder for the clips.")] = None,
) -> None:
    """Hear a few new clips of the built-in corpus with a model trained on it."""
    try:
        run(model, clips, seed, retrain, save)
    except (ValueError, OSError, RuntimeError) as error:
        complain(f"error: {sentence(error)}")
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    prepare()
    try:
        typer.run(main)
    except SystemExit as end:
        sys.exit(finish(end.code if isinstance(end.code, int) else 1))
