"""Training throughput of GBAN beside the authors' protocol: every utterance padded to 7.5 s.

    python benchmarks/bench_training.py [--utterances 256] [--rounds 9] [--json FILE]

One thread, the built-in corpus, batches of 32, a whole step of each (collate, forward, backward,
Adam). The forms take turns, round by round, and do one pass over the same utterances:

    true lengths          what train/run_folds.py does: batches of about equal length
    same, padded          the same network and trainer, every utterance padded to 748 frames (7.5 s)
                          and to the longest transcript: what the lengths alone are worth
    textbook, padded      the authors' protocol: padded, and the paper's equations in off-the-shelf
                          modules, unmasked (benchmarks/training_peers.py)
    --recipe authors      their network too: additive alignment, hard sigmoids
    --reference-ops       the first, with the alignment in plain PyTorch
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from timing import spread
from training_peers import TextbookGBAN

from gban_edge import features, models, ops
from gban_edge.bundle import Standardisation
from gban_edge.config import GBANConfig
from gban_edge.text import PAD_ID, Vocabulary
from train import authors, recipes, trainer
from train.builtin import builtin_corpus, default_cache
from train.corpus import read_corpus
from train.data import Example, FeatureCache, bucketed, make_examples, prepare, shuffled
from train.folds import make_fold

FRAMES = features.frame_count(round(features.MAX_SECONDS * features.SAMPLE_RATE))
Form = Callable[[], float]


def main() -> None:
    options = arguments()
    torch.set_num_threads(1)
    examples, config = utterances(options)
    forms = all_forms(examples, config)
    times = timed(forms, options.rounds)
    report(examples, times)
    if options.json:
        record = {
            "machine": platform.machine(), "torch": torch.__version__,
            "utterances": len(examples), "rounds": options.rounds, "seconds": times,
        }  # fmt: skip
        options.json.write_text(json.dumps(record, indent=1) + "\n")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--utterances", type=int, default=256, help="in a pass, at least 32")
    parser.add_argument("--rounds", type=int, default=9, help="at least 3")
    parser.add_argument("--cache", type=Path, default=default_cache())
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every time there")
    options = parser.parse_args()
    if options.utterances < 32 or options.rounds < 3:
        parser.error("--utterances must be at least 32 and --rounds at least 3")
    return options


def utterances(options: argparse.Namespace) -> tuple[list[Example], GBANConfig]:
    """Training utterances of fold 1, drawn at random, and the sizes of a network for them."""
    corpus = read_corpus(builtin_corpus(options.cache))
    store = FeatureCache(options.cache)
    digests = prepare(corpus, store, skip_bad=False)
    part = make_fold(corpus.utterances, 1, 0).train
    chosen = [part[i] for i in np.random.default_rng(0).permutation(len(part))]
    chosen = chosen[: options.utterances]
    frames = {u.name: store.get(digests[u.name]) for u in chosen}
    standardise = Standardisation.fit(list(frames.values()))
    vocabulary = Vocabulary.build(u.text for u in part)
    return make_examples(chosen, frames, vocabulary, standardise), GBANConfig(
        len(vocabulary), dropout=0.2
    )


def all_forms(examples: list[Example], config: GBANConfig) -> dict[str, Form]:
    """Each form does one pass over the utterances with a network of its own."""
    longest = max(len(e.words) for e in examples)
    whole = [padded(e, longest) for e in examples]
    return {
        "true lengths": one_pass("default", examples, models.build("gban", config)),
        "same, padded": one_pass("default", whole, models.build("gban", config)),
        "textbook, padded": one_pass("default", whole, TextbookGBAN(config)),
        "--recipe authors": one_pass("authors", examples, authors.build("gban", config, longest)),
        "--reference-ops": one_pass(
            "default", examples, models.build("gban", config), reference=True
        ),
    }


def padded(example: Example, words: int) -> Example:
    """Zeros up to 7.5 s and up to ``words`` words, all of which count as there."""
    rest = FRAMES - len(example.speech)
    return replace(
        example, speech=np.pad(example.speech, ((0, rest), (0, 0))),
        words=example.words + [PAD_ID] * (words - len(example.words)),
    )  # fmt: skip


def one_pass(
    name: str, examples: list[Example], model: torch.nn.Module, reference: bool = False
) -> Form:
    recipe, device = recipes.get(name), torch.device("cpu")
    optimizer = trainer.make_optimizer(model, recipe)
    rng = np.random.default_rng(0)

    def run() -> float:
        order = (bucketed if recipe.bucket else shuffled)(examples, recipe.batch, rng)
        start = time.perf_counter()
        with ops.reference(reference):
            trainer.one_epoch(model, optimizer, examples, order, recipe, device)
        return time.perf_counter() - start

    return run


def timed(forms: dict[str, Form], rounds: int) -> dict[str, list[float]]:
    for form in forms.values():
        form()
    times: dict[str, list[float]] = {name: [] for name in forms}
    for _ in range(rounds):
        for name, form in forms.items():
            times[name].append(form())
    return times


def report(examples: list[Example], times: dict[str, list[float]]) -> None:
    lengths = [len(e.speech) for e in examples]
    print(
        f"{len(examples)} utterances, mean {np.mean(lengths) / 100:.2f} s of sound (padded: "
        f"{FRAMES / 100:.2f} s), torch {torch.__version__}, one thread of {platform.machine()}"
    )
    best = spread(times["true lengths"])["median"]
    print(f"{'form':18} {'utterances/s':>12} {'(slowest .. fastest)':>22} {'time ratio':>11}")
    for name, seconds in times.items():
        rate = {k: len(examples) / v for k, v in spread(seconds).items()}
        span = f"({rate['max']:.0f} .. {rate['min']:.0f})"
        ratio = spread(seconds)["median"] / best
        print(f"{name:18} {rate['median']:12.0f} {span:>22} {ratio:10.2f}x")


if __name__ == "__main__":
    main()
