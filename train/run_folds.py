#!/usr/bin/env python3
"""Train and cross-validate GBAN and what it is compared with. This is the project's main job.

    python train/run_folds.py                             the built-in corpus, five folds
    python train/run_folds.py --smoke                     the whole path in under a minute
    python train/run_folds.py --resume                    go on after a kill, with equal results
    python train/run_folds.py --iemocap DIR --glove glove.840B.300d.txt --recipe paper --seeds 5

Top to bottom: read the corpus -> features (cached) -> a grid of tasks, model x fold x seed ->
tables and figures in the run folder.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from gban_edge import features
from gban_edge import models as registry
from train import corpus as corpora
from train import data, figures, grid, recipes, report, runfolder, words
from train import folds as splits
from train.builtin import builtin_corpus, default_cache
from train.processes import cores
from train.progress import Reporter
from train.tasks import Shared, Task, result_of, seconds_of

SMOKE_UTTERANCES, SMOKE_EPOCHS = 100, 2
DEFAULT_MODELS = "gban,h_s,h_t"
WORD_VECTORS = "word-vectors.safetensors"


@dataclass(frozen=True)
class Options:
    """The command's options, checked; :func:`main` says what each means."""

    iemocap: Path | None
    glove: Path | None
    extra_vocab: int
    models: list[str]
    folds: list[int]
    seeds: int
    recipe: recipes.Recipe
    validation: str
    merge_excited: bool
    allow_partial: bool
    skip_bad: bool
    smoke: bool
    jobs: int
    device: str
    reference_ops: bool
    cache: Path
    folder: Path


def run(options: Options) -> None:
    """The main job, from a corpus to tables and figures in the run folder."""
    reporter = Reporter()
    corpus, digests = gather(options, reporter)
    glove = read_glove(options, corpus, reporter)
    settings = settings_of(options, corpus, digests, glove)
    with runfolder.locked(options.folder / "lock", f"the run in {options.folder}", wait=5.0):
        runfolder.open_run(options.folder, settings)
        if glove is not None:
            words.store(glove, options.folder / WORD_VECTORS)
        results = train_grid(options, corpus, digests, reporter)
        summary = report.write_tables(options.folder, settings, results)
        figures.write_figures(options.folder, summary, results)
    print(
        f"\nWA (weighted accuracy), test session of each fold\n\n{report.fold_table(summary, 'wa')}"
    )
    print(f"\nUA (unweighted accuracy)\n\n{report.fold_table(summary, 'ua')}")
    if options.smoke:
        reporter.say("\nA smoke run shows that every step works; it is too short to learn.")
    reporter.say(f"\nTables, figures and models: {options.folder}")


def gather(options: Options, reporter: Reporter) -> tuple[corpora.Corpus, dict[str, str]]:
    """Read (or first synthesise) the corpus and make sure that its features are cached."""
    root = options.iemocap
    if root is None:
        root = builtin_corpus(
            options.cache, SMOKE_UTTERANCES if options.smoke else None, reporter.say
        )
    corpus = corpora.read_corpus(root, options.merge_excited, options.allow_partial)
    reporter.say(f"{corpus.name} in {root}\n{corpora.format_counts(corpus.counts())}")
    store = data.FeatureCache(options.cache)
    with reporter.counting("features", len(corpus.utterances)) as step:
        digests = data.prepare(corpus, store, options.skip_bad, step)
    for note in corpus.notes:
        reporter.say(f"note: {note}")
    for kind, count in sorted(corpus.skipped.items()):
        reporter.say(f"skipped: {count} x {kind}")
    return corpus, digests


def read_glove(options: Options, corpus: corpora.Corpus, reporter: Reporter) -> words.GloVe | None:
    """Read the word vectors that the corpus needs, where a GloVe file was given."""
    if options.glove is None:
        return None
    transcripts = [u.text for u in corpus.utterances]
    glove = words.read(options.glove, transcripts, options.extra_vocab)
    reporter.say(glove.summary())
    return glove


def settings_of(
    options: Options,
    corpus: corpora.Corpus,
    digests: dict[str, str],
    glove: words.GloVe | None,
) -> dict[str, Any]:
    """Everything that decides a result: stored with it, and compared when a run is resumed."""
    return {
        "corpus": corpus.name,
        "fingerprint": data.fingerprint(corpus, digests),
        "utterances": len(corpus.utterances),
        "notes": corpus.notes,
        "skipped": dict(sorted(corpus.skipped.items())),
        "models": options.models,
        "folds": options.folds,
        "seeds": list(range(options.seeds)),
        "recipe": options.recipe.to_dict(),
        "validation": options.validation,
        "merge_excited": options.merge_excited,
        "glove": words.fingerprint(glove) if glove else None,
        "extra_vocab": options.extra_vocab,
        "device": options.device,
        "reference_ops": options.reference_ops,
        "frontend": features.VERSION,
    }


def train_grid(
    options: Options, corpus: corpora.Corpus, digests: dict[str, str], reporter: Reporter
) -> list[dict[str, Any]]:
    """Do every task, model x fold x seed, that has no result yet; returns all results."""
    shared = Shared(
        run=options.folder, cache=options.cache, utterances=tuple(corpus.utterances),
        digests=digests, recipe=options.recipe, validation=options.validation,
        word_vectors=options.folder / WORD_VECTORS if options.glove else None,
        extra_vocab=options.extra_vocab, device=options.device,
        reference_ops=options.reference_ops,
    )  # fmt: skip
    tasks = [
        Task(model, fold, seed)
        for seed in range(options.seeds)
        for fold in options.folds
        for model in options.models
    ]
    results = {task: result_of(shared, task) for task in tasks}
    waiting = [task for task in tasks if results[task] is None]
    done = len(tasks) - len(waiting)
    with reporter.training(len(tasks), done, options.recipe.epochs) as view:
        for task, result in grid.run_grid(shared, waiting, options.jobs, view.epoch):
            results[task] = result
            view.finished(task, result, seconds_of(shared, task))
    return [result for result in results.values() if result is not None]


def check_models(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if names == ["all"]:
        return list(registry.names())
    unknown = [name for name in names if name not in registry.names()]
    if unknown:
        raise ValueError(f"models must be 'all' or among {list(registry.names())}, got {unknown}")
    return list(dict.fromkeys(names))


def check_device(name: str) -> str:
    if name not in ("auto", "cpu", "cuda"):
        raise ValueError(f"device must be auto, cpu or cuda, got {name!r}")
    if name == "cuda" and not torch.cuda.is_available():
        raise RuntimeError(
            f"device cuda: this torch ({torch.__version__}) finds no GPU; use --device cpu"
        )
    return "cuda" if name != "cpu" and torch.cuda.is_available() else "cpu"


def at_least(name: str, value: float | None, least: float) -> None:
    if value is not None and value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")


def check(
    iemocap: Path | None, glove: Path | None, extra_vocab: int, models: str, folds: str, seeds: int,
    recipe: str, epochs: int | None, l2: float | None, validation: str, merge_excited: bool,
    allow_partial: bool, skip_bad: bool, out: Path | None, resume: bool, smoke: bool,
    jobs: int | None, device: str, reference_ops: bool, cache: Path | None,
) -> Options:  # fmt: skip
    """Refuse what is wrong before anything is read or made."""
    for name, value, least in (
        ("seeds", seeds, 1), ("jobs", jobs, 1), ("epochs", epochs, 1), ("l2", l2, 0),
        ("extra-vocab", extra_vocab, 0),
    ):  # fmt: skip
        at_least(name, value, least)
    if validation not in ("random", "speaker"):
        raise ValueError(f"validation must be 'random' or 'speaker', got {validation!r}")
    if extra_vocab and glove is None:
        raise ValueError("extra-vocab takes its words from a GloVe file: give --glove too")
    if glove is not None and not glove.is_file():
        raise FileNotFoundError(f"GloVe file {glove} does not exist")
    if smoke and epochs is None:
        epochs = SMOKE_EPOCHS
    hardware = check_device(device)
    return Options(
        iemocap, glove, extra_vocab, check_models(models), splits.parse_folds(folds), seeds,
        recipes.get(recipe).with_overrides(epochs=epochs, l2=l2), validation, merge_excited,
        allow_partial, skip_bad, smoke, jobs or (1 if hardware == "cuda" else cores()), hardware,
        reference_ops, cache or default_cache(), runfolder.choose(out, resume),
    )  # fmt: skip


def main(
    iemocap: Annotated[Path | None, typer.Option(help="IEMOCAP_full_release, or any corpus in its layout. Without it the built-in corpus is synthesised and cached.")] = None,
    glove: Annotated[Path | None, typer.Option(help="GloVe text file of 300 dimensions (the paper: 840B).")] = None,
    extra_vocab: Annotated[int, typer.Option(help="Also keep the N most frequent further GloVe words.")] = 0,
    models: Annotated[str, typer.Option(help="Names joined by commas, or 'all'.")] = DEFAULT_MODELS,
    folds: Annotated[str, typer.Option(help="Like 1-5 or 2,4; fold n is tested on session n.")] = "1-5",
    seeds: Annotated[int, typer.Option(help="Trainings of each model on each fold.")] = 1,
    recipe: Annotated[str, typer.Option(help="'default' (trains well) or 'paper' (the literal text).")] = "default",
    epochs: Annotated[int | None, typer.Option(help="At most so many epochs, instead of the recipe's.")] = None,
    l2: Annotated[float | None, typer.Option(help="Weight of sum(W^2) in the loss, instead of the recipe's.")] = None,
    validation: Annotated[str, typer.Option(help="'random' (5%, stratified) or 'speaker' (one training speaker).")] = "random",
    merge_excited: Annotated[bool, typer.Option("--merge-excited", help="Count 'exc' as 'hap' (IEMOCAP: 5,531 utterances).")] = False,
    allow_partial: Annotated[bool, typer.Option("--allow-partial", help="Accept a part of the corpus; prints both tables.")] = False,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave out unusable sound files, counted.")] = False,
    out: Annotated[Path | None, typer.Option(help="Run folder (default: runs/<date-time>).")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out, or with the newest.")] = False,
    smoke: Annotated[bool, typer.Option("--smoke", help="The whole path on a tiny corpus, under a minute; learns little.")] = False,
    jobs: Annotated[int | None, typer.Option(help="Tasks at a time; results do not depend on it (default: one a core).")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    reference_ops: Annotated[bool, typer.Option("--reference-ops", help="Plain PyTorch instead of the native core's alignment, to compare.")] = False,
    cache: Annotated[Path | None, typer.Option(help="Where corpora and features are kept (default: ~/.cache/gban-edge).")] = None,
) -> None:  # fmt: skip
    """Train and cross-validate GBAN and what it is compared with, by session."""
    arguments = dict(locals())
    try:
        run(check(**arguments))
    except (ValueError, OSError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        print("stopped; the same command with --resume goes on", file=sys.stderr)
        raise SystemExit(130) from None


if __name__ == "__main__":
    typer.run(main)
