#!/usr/bin/env python3
"""Test the models of a finished run with imperfect words: WA against word error rate.

    python train/word_errors.py RUN                    word error rates 0-50%, and no words at all
    python train/word_errors.py RUN --against RUN2     beside a run trained otherwise
                                                       (run_folds.py --word-dropout)

Top to bottom: the run and its corpus -> the same test transcripts with more and more errors ->
every model file on the test part of its own fold -> word-errors.json, word-errors.md and
figures/word-errors.png in RUN. Nothing is trained.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from gban_edge import bundle, models, ops
from gban_edge.labels import LABELS
from gban_edge.text import tokenize
from train import data, runfolder
from train import word_error_report as report
from train.corpus import Corpus, Utterance
from train.corruption import corrupt, measured_wer
from train.finished import (
    FinishedRun,
    Frames,
    check_comparable,
    device_of,
    open_finished,
    read_json,
    reread,
)
from train.folds import make_fold
from train.metrics import score
from train.progress import Reporter
from train.tasks import Task
from train.trainer import predict, stable_seed

DEFAULT_RATES, DEFAULT_MODELS = "0,10,20,30,40,50", "gban,h_t,h_s"


@dataclass(frozen=True)
class Conditions:
    """The test part of one fold, and what of its transcripts is heard.

    ``heard`` holds for each rate a list of draws, a draw being a transcript for each utterance;
    ``wer`` the measured word error rate of each draw.
    """

    test: list[Utterance]
    heard: list[list[list[str]]]
    wer: list[list[float]]

    @property
    def majority(self) -> float:
        """The share of the most frequent label: the WA of always guessing it."""
        labels = [utterance.label for utterance in self.test]
        return max(map(labels.count, labels)) / len(labels)


def run(
    folder: Path, against: Path | None, rates: list[float], draws: int, names: list[str],
    iemocap: Path | None, cache: Path | None,
) -> None:  # fmt: skip
    """Evaluate the run, or both runs, and write the three files into the first one's folder."""
    torch.set_num_threads(1)  # as in training; more would add up in another order
    reporter = Reporter()
    runs = [open_finished(path, names, reporter) for path in (folder, against) if path is not None]
    check_comparable(runs)
    with runfolder.locked(folder / "lock", f"the run in {folder}", wait=5.0):
        corpus, frames = reread(runs[0], iemocap, cache, reporter)
        folds = {n: hear(corpus, n, rates, draws) for n in runs[0].settings["folds"]}
        with reporter.counting("models evaluated", sum(len(r.tasks) for r in runs)) as step:
            rows = [evaluate_run(finished, folds, frames, step) for finished in runs]
        found = report.summarise(
            names_of(runs), rows, rates, draws, [fold.wer for fold in folds.values()],
            [fold.majority for fold in folds.values()],
        )  # fmt: skip
        report.write(folder, found)
    print(report.table(found))
    reporter.say(f"\nTable, text and figure: {folder / 'word-errors.md'}")


def hear(corpus: Corpus, number: int, rates: Sequence[float], draws: int) -> Conditions:
    """Fold ``number``'s test part with its transcripts at every rate, the same for every model.

    Wrong words are those of the other sessions' speakers, as frequent as these say them. Each
    utterance has a random stream of its own in each draw, whatever the rate.
    """
    test = make_fold(corpus.utterances, number, seed=0).test  # a seed decides validation alone
    others = [u for u in corpus.utterances if u.session != number]
    vocabulary = [word for u in others for word in tokenize(u.text)]
    spoken = {u.name: tokenize(u.text) for u in test}
    heard, wer = [], []
    for rate in rates:
        drawn = [
            [corrupt(words, rate, vocabulary, stream(name, k)) for name, words in spoken.items()]
            for k in range(draws if rate else 1)
        ]
        heard.append([[" ".join(words) for words in transcripts] for transcripts in drawn])
        wer.append([measured_wer(list(spoken.values()), transcripts) for transcripts in drawn])
    return Conditions(test, heard, wer)


def stream(utterance: str, draw: int) -> np.random.Generator:
    """The random stream that decides an utterance's errors."""
    return np.random.default_rng(stable_seed("word errors", utterance, draw))


def evaluate_run(
    finished: FinishedRun, folds: dict[int, Conditions], frames: Frames, step: Callable[[], None]
) -> list[dict[str, Any]]:
    """A row for each trained model of the run, see :func:`evaluate`."""
    rows = []
    for task in finished.tasks:
        rows.append(evaluate(finished, task, folds[task.fold], frames))
        step()
    return rows


def evaluate(
    finished: FinishedRun, task: Task, conditions: Conditions, frames: Frames
) -> dict[str, Any]:
    """WA of one trained model with every transcript of its test part, and without words.

    Returns:
        model, fold, seed, ``reads_words``, ``wa`` (for each rate a list of draws) and
        ``no_words``. A model that reads no words is evaluated once.

    Raises:
        ValueError: with the true transcripts it does not score what is stored with it.
    """
    loaded = bundle.load(finished.file(task, "model.safetensors"))
    network = models.from_bundle(loaded).to(device_of(finished))
    vocabulary = loaded.vocabulary
    examples = data.make_examples(conditions.test, frames, vocabulary, loaded.standardisation)

    def wa(transcripts: Sequence[str]) -> float:
        pairs = zip(examples, transcripts, strict=True)
        logits = predict(network, [replace(e, words=vocabulary.encode(t)) for e, t in pairs]).logits
        return score([e.label for e in examples], logits.argmax(axis=1), len(LABELS)).wa

    with ops.reference(finished.settings["reference_ops"]):
        clean = wa([u.text for u in conditions.test])
        check_reproduced(finished, task, clean)
        reads = any(isinstance(module, nn.Embedding) for module in network.modules())
        with_errors = conditions.heard[1:] if reads else []
        scores = [[clean], *([wa(texts) for texts in drawn] for drawn in with_errors)]
        nothing = wa([""] * len(examples)) if reads else clean
    return {
        "model": task.model, "fold": task.fold, "seed": task.seed, "reads_words": reads,
        "wa": scores if reads else scores * len(conditions.heard), "no_words": nothing,
    }  # fmt: skip


def names_of(runs: Sequence[FinishedRun]) -> list[str]:
    """What the runs are called: by their word dropout where they differ in it."""
    if len({finished.word_dropout for finished in runs}) == len(runs):
        return [f"word dropout {finished.word_dropout:g}" for finished in runs]
    names = [finished.folder.resolve().name for finished in runs]
    return names if len(set(names)) == len(runs) else [str(finished.folder) for finished in runs]


def check_reproduced(finished: FinishedRun, task: Task, wa: float) -> None:
    """Refuse a model that is not, or does not run as, the one that the run tested."""
    stored = read_json(finished.file(task, "result.json"))["wa"]
    if wa != stored:
        raise ValueError(
            f"{finished.folder}: {task.name} scores WA {wa:.6f} with the true transcripts, but "
            f"{stored:.6f} is stored with it: the model file, the code or the processor is another"
        )


def parse_rates(text: str) -> list[float]:
    """ "10,20" per cent -> [0.0, 0.1, 0.2]: in order, 0 always among them."""
    try:
        percent = {float(part) for part in text.split(",")} | {0.0}
    except ValueError:
        raise ValueError(f"rates must be numbers joined by commas, got {text!r}") from None
    if not all(0 <= rate <= 100 for rate in percent):
        raise ValueError(f"rates must lie in 0-100 per cent, got {text!r}")
    return [rate / 100 for rate in sorted(percent)]


def parse_models(text: str) -> list[str]:
    """ "gban, h_t" -> the names; ValueError lists the known ones."""
    names = list(dict.fromkeys(name.strip() for name in text.split(",")))
    unknown = [name for name in names if name not in models.names()]
    if unknown:
        raise ValueError(f"models must be among {list(models.names())}, got {unknown}")
    return names


def main(
    folder: Annotated[
        Path, typer.Argument(metavar="RUN", help="Folder of a finished run of run_folds.py.")
    ],
    against: Annotated[
        Path | None, typer.Option(metavar="RUN2", help="A second run, drawn dashed.")
    ] = None,
    rates: Annotated[
        str, typer.Option(help="Expected word error rates, per cent.")
    ] = DEFAULT_RATES,
    draws: Annotated[int, typer.Option(help="Draws of the errors to average over.")] = 3,
    models: Annotated[str, typer.Option(help="Names joined by commas.")] = DEFAULT_MODELS,
    iemocap: Annotated[
        Path | None, typer.Option(help="Where the run's corpus is now, if it was moved.")
    ] = None,
    cache: Annotated[
        Path | None, typer.Option(help="Where features are kept now, if not as in the run.")
    ] = None,
) -> None:
    """Test the models of a finished run with word errors and without words; trains nothing."""
    try:
        if draws < 1:
            raise ValueError(f"draws must be at least 1, got {draws}")
        run(folder, against, parse_rates(rates), draws, parse_models(models), iemocap, cache)
    except (ValueError, OSError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        print("stopped; nothing was written", file=sys.stderr)
        raise SystemExit(130) from None


if __name__ == "__main__":
    typer.run(main)
