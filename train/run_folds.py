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
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from gban_edge import features
from gban_edge.files import write_json
from train import cluster, data, grid, runfolder, words
from train import corpus as corpora
from train.builtin import builtin_corpus
from train.options import Options, check
from train.progress import Reporter
from train.tasks import Shared, Task, result_of, seconds_of

SMOKE_UTTERANCES = 100
DEFAULT_MODELS = "gban,h_s,h_t"
WORD_VECTORS = "word-vectors.safetensors"


def run(options: Options) -> None:
    """The main job, from a corpus to tables and figures in the run folder."""
    from train import report  # here, since a worker imports this file too, and draws nothing

    reporter = Reporter()
    corpus, digests = gather(options, reporter)
    glove = read_glove(options, corpus, reporter)
    settings = settings_of(options, corpus, digests, glove)
    with runfolder.locked(options.folder / "lock", f"the run in {options.folder}", wait=5.0):
        runfolder.open_run(options.folder, settings)
        note_corpus(options, corpus)
        if glove is not None:
            words.store(glove, options.folder / WORD_VECTORS)
        train_grid(options, corpus, digests, reporter)
        summary = report.build(options.folder)
    print(
        f"\nWA (weighted accuracy), test session of each fold\n\n{report.fold_table(summary, 'wa')}"
    )
    print(f"\nUA (unweighted accuracy)\n\n{report.fold_table(summary, 'ua')}")
    if options.smoke:
        reporter.say("\nA smoke run shows that every step works; it is too short to learn.")
    reporter.say(f"\nReport, tables, figures and models: {options.folder / 'report.html'}")


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


def note_corpus(options: Options, corpus: corpora.Corpus) -> None:
    """Where the corpus and its features lie, for programs that look at a finished run."""
    write_json(options.folder / "corpus.json", {
        "root": str(corpus.root.resolve()), "cache": str(options.cache.resolve()),
        "merge_excited": options.merge_excited, "allow_partial": options.allow_partial,
        "skip_bad": options.skip_bad,
    })  # fmt: skip


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
) -> None:
    """Do every task, model x fold x seed, that has no result yet."""
    from train import report

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
    waiting = [task for task in tasks if result_of(shared, task) is None]
    if waiting:
        gpu = torch.cuda.get_device_name() if options.device == "cuda" else None
        report.record_environment(options.folder, gpu=gpu)
    done = len(tasks) - len(waiting)
    with reporter.training(len(tasks), done, options.recipe.epochs) as view:
        if options.ray:
            finished = cluster.run_on_ray(shared, waiting, options.ray, view.epoch)
        else:
            finished = grid.run_grid(shared, waiting, options.jobs, view.epoch)
        for task, result in finished:
            view.finished(task, result, seconds_of(shared, task))


def main(
    iemocap: Annotated[Path | None, typer.Option(help="IEMOCAP_full_release, or any corpus in its layout. Without it the built-in corpus is synthesised and cached.")] = None,
    glove: Annotated[Path | None, typer.Option(help="GloVe text file of 300 dimensions (the paper: 840B).")] = None,
    extra_vocab: Annotated[int, typer.Option(help="Also keep the N most frequent further GloVe words.")] = 0,
    models: Annotated[str, typer.Option(help="Names joined by commas, or 'all'.")] = DEFAULT_MODELS,
    folds: Annotated[str, typer.Option(help="Like 1-5 or 2,4; fold n is tested on session n.")] = "1-5",
    seeds: Annotated[int, typer.Option(help="Trainings of each model on each fold.")] = 1,
    recipe: Annotated[str, typer.Option(help="'default' (trains well), 'paper' (the literal text) or 'authors' (as their public code does).")] = "default",
    epochs: Annotated[int | None, typer.Option(help="At most so many epochs, instead of the recipe's.")] = None,
    l2: Annotated[float | None, typer.Option(help="Weight of sum(W^2) in the loss, instead of the recipe's.")] = None,
    word_dropout: Annotated[float, typer.Option(help="Probability that a word, and that a whole transcript, is lost in training.")] = 0.0,
    validation: Annotated[str, typer.Option(help="'random' (5%, stratified) or 'speaker' (one training speaker).")] = "random",
    merge_excited: Annotated[bool, typer.Option("--merge-excited", help="Count 'exc' as 'hap' (IEMOCAP: 5,531 utterances).")] = False,
    allow_partial: Annotated[bool, typer.Option("--allow-partial", help="Accept a part of the corpus; prints both tables.")] = False,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave out unusable sound files, counted.")] = False,
    out: Annotated[Path | None, typer.Option(help="Run folder (default: runs/<date-time>).")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out, or with the newest.")] = False,
    smoke: Annotated[bool, typer.Option("--smoke", help="The whole path on a tiny corpus, under a minute; learns little.")] = False,
    jobs: Annotated[int | None, typer.Option(help="Tasks at a time; results do not depend on it (default: one a core).")] = None,
    ray: Annotated[str | None, typer.Option(help="`local`: this machine's cores or GPUs; HOST:PORT: an existing cluster.")] = None,
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
