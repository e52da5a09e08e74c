"""What the engines' precisions cost in accuracy, on the test speakers of a finished run.

    python benchmarks/engine_accuracy.py RUN                 models of the paper's network, gban
    python benchmarks/engine_accuracy.py RUN --models gban,h_s --seeds 0

Every model file of the run hears the test part of its own fold, as training tested it: PyTorch in
float64, to which the others are held, PyTorch in float32 as it was trained, the CPU engine in every
precision and, where there is a GPU, the CUDA engine. Nothing is trained; a minute for 15 models.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from gban_edge import bundle, models, ops
from gban_edge.calibration import softmax
from gban_edge.core import native
from gban_edge.runtime import cuda
from train.data import Example, make_examples
from train.finished import FinishedRun, Frames, open_finished, reread
from train.folds import make_fold
from train.markdown import table
from train.metrics import score
from train.progress import Reporter
from train.tasks import Task
from train.trainer import predict
from train.word_errors import check_reproduced, parse_models

Array = NDArray[Any]
GOLD, TRAINED = "torch float64", "torch float32"
PRECISIONS = {"cpu": ("fp32", "fp16", "int8"), "cuda": ("fp32", "fp16")}
HEAD = ("", "WA", "UA", "loss of WA", "other labels", "their margin", "probability off by")


class InFloat64(nn.Module):
    """A network in float64 that is called as it is in float32."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network.double()

    def forward(self, speech: torch.Tensor, *others: torch.Tensor) -> Any:
        return self.network(speech.double(), *others)


def main() -> None:
    options = arguments()
    torch.set_num_threads(1)  # as in training; more would add up in another order
    try:
        rows = run(options)
    except (ValueError, OSError, RuntimeError) as error:
        raise SystemExit(f"error: {error}") from None
    print(as_table(rows))
    if options.json:
        record = {"run": str(options.run), "isa": native().current_isa(), "rows": rows}
        options.json.write_text(json.dumps(record, indent=1) + "\n")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of a finished run of train/run_folds.py")
    parser.add_argument("--models", default="gban", help="names joined by commas (default gban)")
    parser.add_argument("--seeds", metavar="0,1", help="some of the run's seeds (default all)")
    parser.add_argument("--cache", type=Path, help="where features are now, if not as in the run")
    parser.add_argument("--iemocap", type=Path, help="where the run's corpus is, if it was moved")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure there")
    return parser.parse_args()


def run(options: argparse.Namespace) -> list[dict[str, Any]]:
    """A row for each model and form, see :func:`compare`."""
    reporter = Reporter()
    finished = open_finished(options.run, parse_models(options.models), reporter)
    tasks = chosen(finished.tasks, options.seeds)
    corpus, frames = reread(finished, options.iemocap, options.cache, reporter)
    rows = []
    with reporter.counting("models evaluated", len(tasks)) as step:
        for model in finished.models:
            found = []
            for task in (task for task in tasks if task.model == model):
                # A seed decides validation alone.
                test = make_fold(corpus.utterances, task.fold, seed=0).test
                found.append(evaluate(finished, task, test, frames))
                step()
            rows += compare(model, found)
    return rows


def chosen(tasks: Sequence[Task], seeds: str | None) -> list[Task]:
    """The tasks of some seeds, "0,1"; ValueError where there are none of one."""
    if seeds is None:
        return list(tasks)
    there = {str(task.seed) for task in tasks}
    wanted = {seed.strip() for seed in seeds.split(",")}
    if not wanted <= there:
        raise ValueError(f"seeds must be among {sorted(there)} joined by commas, got {seeds!r}")
    return [task for task in tasks if str(task.seed) in wanted]


def evaluate(
    finished: FinishedRun, task: Task, test: Sequence[Any], frames: Frames
) -> tuple[list[int], dict[str, Array]]:
    """True labels [n], and by form the probabilities [n, C], of one model's test utterances.

    Raises:
        ValueError: PyTorch in float32 does not score what is stored with the model.
    """
    path = finished.file(task, "model.safetensors")
    loaded = bundle.load(path)
    examples = make_examples(test, frames, loaded.vocabulary, loaded.standardisation)
    labels = [example.label for example in examples]
    found = in_torch(loaded, examples, finished.settings["reference_ops"])
    wa = score(labels, found[TRAINED].argmax(axis=1), len(loaded.labels)).wa
    check_reproduced(finished, task, wa)
    speech = [frames[example.name] for example in examples]  # engines standardise by themselves
    words = [np.array(example.words, np.int32) for example in examples]
    for form, engine in engines(path, task.model).items():
        found[form] = np.stack([one["probabilities"] for one in engine.run(speech, words)])
    return labels, found


def in_torch(
    loaded: bundle.Bundle, examples: list[Example], reference_ops: bool
) -> dict[str, Array]:
    """Probabilities [n, C] of the network as it was trained, and by its equations in float64."""
    with ops.reference(reference_ops):
        trained = predict(models.from_bundle(loaded), examples).logits
    with ops.reference(True):
        gold = predict(InFloat64(models.from_bundle(loaded)), examples).logits
    return {name: softmax(logits, loaded.temperature)
            for name, logits in ((GOLD, gold), (TRAINED, trained))}  # fmt: skip


def engines(path: Path, model: str) -> dict[str, Any]:
    """Those that run ``model`` here, by form."""
    here = {f"cpu {p}": native().Engine(str(path), p) for p in PRECISIONS["cpu"]}
    if model == "gban" and cuda.unavailable() is None:
        here |= {f"cuda {p}": native().CudaEngine(str(path), p) for p in PRECISIONS["cuda"]}
    return here


def compare(
    model: str, found: Sequence[tuple[list[int], dict[str, Array]]]
) -> list[dict[str, Any]]:
    """Every form beside float64, over the models of one name.

    Returns:
        for each form ``wa`` and ``ua``, means over the models; of all ``utterances`` those with
        ``other_labels`` than float64, and the greatest ``margin`` between its two greatest
        probabilities among these (None where there are none); ``probability``, the greatest
        difference of one.
    """
    gold = np.concatenate([forms[GOLD] for _, forms in found])
    ordered = np.sort(gold, axis=1)
    rows = []
    for form in found[0][1]:
        scores = [score(y, p[form].argmax(axis=1), gold.shape[1]) for y, p in found]
        ours = np.concatenate([forms[form] for _, forms in found])
        other = ours.argmax(axis=1) != gold.argmax(axis=1)
        margins = (ordered[:, -1] - ordered[:, -2])[other]
        rows.append({
            "model": model, "form": form, "models": len(found), "utterances": len(gold),
            "wa": float(np.mean([s.wa for s in scores])),
            "ua": float(np.mean([s.ua for s in scores])),
            "other_labels": int(other.sum()),
            "margin": float(margins.max()) if len(margins) else None,
            "probability": float(np.abs(ours - gold).max()),
        })  # fmt: skip
    return rows


def as_table(rows: Sequence[dict[str, Any]]) -> str:
    gold = {row["model"]: row["wa"] for row in rows if row["form"] == GOLD}
    cells = [
        [f"{row['model']}, {row['form']}", f"{row['wa']:.4f}", f"{row['ua']:.4f}",
         f"{gold[row['model']] - row['wa']:+.4f}", f"{row['other_labels']} of {row['utterances']}",
         "" if row["margin"] is None else f"{row['margin']:.1e}",
         "" if row["form"] == GOLD else f"{row['probability']:.1e}"]
        for row in rows
    ]  # fmt: skip
    return table(HEAD, cells)


if __name__ == "__main__":
    main()
