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

import typer

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

SMOKE = {"utterances": 100, "epochs": 2}
DEFAULT_MODELS = "gban,h_s,h_t"


def run(
    iemocap: Path | None = None,
    glove: Path | None = None,
    extra_vocab: int = 0,
    models: str = DEFAULT_MODELS,
    folds: str = "1-5",
    seeds: int = 1,
    recipe: str = "default",
    epochs: int | None = None,
    l2: float | None = None,
    validation: str = "random",
    merge_excited: bool = False,
    allow_partial: bool = False,
    skip_bad: bool = False,
    out: Path | None = None,
    resume: bool = False,
    smoke: bool = False,
    jobs: int | None = None,
    device: str = "auto",
    cache: Path | None = None,
) -> Path:
    """Do the job and return the run folder; errors are exceptions with a message for people."""
    from train import corpus as corpora
    from train import data, figures, folds as splits, grid, recipes, report, runfolder
    from train.builtin import builtin_corpus, default_cache
    from train.processes import cores
    from train.progress import Reporter
    from train.tasks import Shared, Task, result_of, seconds_of

    # Settings: refuse what is wrong before anything is made.
    chosen = _models(models)
    numbers = splits.parse_folds(folds)
    if seeds < 1:
        raise ValueError(f"seeds must be at least 1, got {seeds}")
    if jobs is not None and jobs < 1:
        raise ValueError(f"jobs must be at least 1, got {jobs}")
    if validation not in ("random", "speaker"):
        raise ValueError(f"validation must be 'random' or 'speaker', got {validation!r}")
    if smoke and epochs is None:
        epochs = SMOKE["epochs"]
    if epochs is not None and epochs < 1:
        raise ValueError(f"epochs must be at least 1, got {epochs}")
    if l2 is not None and l2 < 0:
        raise ValueError(f"l2 must be at least 0, got {l2}")
    settings_recipe = recipes.get(recipe).with_overrides(epochs=epochs, l2=l2)
    if extra_vocab < 0 or (extra_vocab and glove is None):
        raise ValueError(f"extra_vocab must be at least 0 and needs --glove, got {extra_vocab}")
    if glove is not None and not glove.is_file():
        raise FileNotFoundError(f"GloVe file {glove} does not exist")
    folder = runfolder.choose(out, resume)
    hardware = _device(device)
    cache = cache or default_cache()
    reporter = Reporter()

    # Corpus and features.
    if iemocap is None:
        utterances = SMOKE["utterances"] if smoke else None
        iemocap = builtin_corpus(cache, utterances, reporter.say)
    corpus = corpora.read_corpus(iemocap, merge_excited, allow_partial)
    reporter.say(f"{corpus.name} in {iemocap}\n{corpora.format_counts(corpus.counts())}")
    store = data.FeatureCache(cache)
    with reporter.counting("features", len(corpus.utterances)) as step:
        digests = data.prepare(corpus, store, skip_bad, step)
    for note in corpus.notes:
        reporter.say(f"note: {note}")
    for kind, count in sorted(corpus.skipped.items()):
        reporter.say(f"skipped: {count} x {kind}")

    settings: dict[str, Any] = {
        "corpus": corpus.name,
        "fingerprint": data.fingerprint(corpus, digests),
        "utterances": len(corpus.utterances),
        "notes": corpus.notes,
        "skipped": dict(sorted(corpus.skipped.items())),
        "models": chosen,
        "folds": numbers,
        "seeds": list(range(seeds)),
        "recipe": settings_recipe.to_dict(),
        "validation": validation,
        "merge_excited": merge_excited,
        "glove": glove.name if glove else None,
        "extra_vocab": extra_vocab,
        "device": hardware,
    }
    with runfolder.locked(folder / "lock", f"the run in {folder}", wait=5.0):
        runfolder.open_run(folder, settings)

        # The grid.
        shared = Shared(
            run=folder, cache=cache, utterances=tuple(corpus.utterances), digests=digests,
            recipe=settings_recipe, validation=validation, glove=glove,
            extra_vocab=extra_vocab, device=hardware,
        )  # fmt: skip
        tasks = [Task(m, f, s) for s in range(seeds) for f in numbers for m in chosen]
        results = {task: result_of(shared, task) for task in tasks}
        waiting = [task for task in tasks if results[task] is None]
        workers = jobs or (1 if hardware == "cuda" else cores())
        with reporter.training(
            len(tasks), len(tasks) - len(waiting), settings_recipe.epochs
        ) as view:
            for task, result in grid.run_grid(shared, waiting, workers, view.epoch):
                results[task] = result
                view.finished(task, result, seconds_of(shared, task))

        # Tables and figures.
        finished = [result for result in results.values() if result is not None]
        summary = report.write_tables(folder, settings, finished)
        figures.write_figures(folder, summary, finished)
    print(f"\nWA (weighted accuracy), test session of each fold\n\n{report.fold_table(summary, 'wa')}")
    print(f"\nUA (unweighted accuracy)\n\n{report.fold_table(summary, 'ua')}")
    reporter.say(f"\nTables, figures and models: {folder}")
    return folder


def _models(text: str) -> list[str]:
    from gban_edge import models

    names = [name.strip() for name in text.split(",")]
    if names == ["all"]:
        return list(models.names())
    unknown = [name for name in names if name not in models.names()]
    if unknown:
        raise ValueError(f"models must be 'all' or among {list(models.names())}, got {unknown}")
    return list(dict.fromkeys(names))


def _device(name: str) -> str:
    import torch

    if name not in ("auto", "cpu", "cuda"):
        raise ValueError(f"device must be auto, cpu or cuda, got {name!r}")
    if name == "cuda" and not torch.cuda.is_available():
        raise RuntimeError(
            f"device cuda: this torch ({torch.__version__}) finds no GPU; use --device cpu"
        )
    return "cuda" if name != "cpu" and torch.cuda.is_available() else "cpu"


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
    out: Annotated[Path | None, typer.Option(help="Run folder.  [default: runs/<date-time>]")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out, or with the newest.")] = False,
    smoke: Annotated[bool, typer.Option("--smoke", help="The whole path on a tiny corpus, under a minute; learns little.")] = False,
    jobs: Annotated[int | None, typer.Option(help="Tasks at a time; results do not depend on it.  [default: one a core]")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    cache: Annotated[Path | None, typer.Option(help="Where corpora and features are kept.  [default: ~/.cache/gban-edge]")] = None,
) -> None:  # fmt: skip
    """Train and cross-validate GBAN and what it is compared with, by session."""
    arguments = dict(locals())
    try:
        run(**arguments)
    except (ValueError, OSError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        print("stopped; the same command with --resume goes on", file=sys.stderr)
        raise SystemExit(130) from None


if __name__ == "__main__":
    typer.run(main)
