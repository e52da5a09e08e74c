"""One network, one training: epochs, early stopping, a checkpoint that survives a kill."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from gban_edge.files import replacing
from train.data import Example, bucketed, collate, shuffled, with_words_dropped
from train.recipes import Recipe

State = dict[str, torch.Tensor]
OnEpoch = Callable[[dict[str, Any]], None]
EVALUATION_BATCH = 64


@dataclass(frozen=True)
class Predictions:
    """Logits [n, C] in the order of the examples, and the mean gates of each (or None)."""

    logits: np.ndarray
    gates: np.ndarray | None  # [n, 2]: mean z_p, mean z_q


def stable_seed(*parts: object) -> int:
    """A seed that depends on ``parts`` alone: the same in every process and on every machine."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:7], "big")


def train(
    model: nn.Module,
    training: Sequence[Example],
    validation: Sequence[Example],
    recipe: Recipe,
    seed: str,
    checkpoint: Path,
    on_epoch: OnEpoch = lambda _: None,
) -> list[dict[str, Any]]:
    """Train ``model`` in place to its best validation loss; returns a row an epoch.

    After every epoch all that the next one needs is written to ``checkpoint``; a call that finds
    the file goes on from it. Randomness is drawn anew from ``seed`` and the epoch's number, so a
    training that was killed and one that was not do the same steps.
    """
    device = next(model.parameters()).device
    optimizer = make_optimizer(model, recipe)
    history, best = _restore(checkpoint, model, optimizer)
    while len(history) < recipe.epochs and not _should_stop(history, recipe):
        epoch = len(history) + 1
        torch.manual_seed(stable_seed(seed, "epoch", epoch))
        rng = np.random.default_rng(stable_seed(seed, "order", epoch))
        heard = with_words_dropped(
            training, recipe.word_dropout, np.random.default_rng(stable_seed(seed, "words", epoch))
        )
        order = (
            bucketed(training, recipe.batch, rng)
            if recipe.bucket
            else shuffled(training, recipe.batch, rng)
        )
        loss = one_epoch(model, optimizer, heard, order, recipe, device)
        history.append({"epoch": epoch, "train_loss": loss, **_validate(model, validation)})
        if best_epoch(history, recipe.monitor) == epoch:
            best = {k: v.detach().clone() for k, v in model.state_dict().items()}
        with replacing(checkpoint) as temporary:
            state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
            torch.save({**state, "history": history, "best": best}, temporary)
        on_epoch(history[-1])
    model.load_state_dict(best)
    return history


def predict(model: nn.Module, examples: Sequence[Example]) -> Predictions:
    """Run ``model`` over ``examples`` in evaluation mode."""
    device = next(model.parameters()).device
    model.eval()
    logits: dict[int, np.ndarray] = {}
    gates: dict[int, list[float]] = {}
    with torch.inference_mode():
        for indices in bucketed(examples, EVALUATION_BATCH):
            batch = collate([examples[i] for i in indices], device)
            output = model(batch.speech, batch.speech_lengths, batch.words, batch.word_counts)
            for row, i in enumerate(indices):
                logits[i] = output.logits[row].cpu().numpy()
                if output.gates is not None:
                    gates[i] = [float(z[row].mean()) for z in output.gates]
    order = range(len(examples))
    stacked = np.array([gates[i] for i in order]) if gates else None
    return Predictions(np.stack([logits[i] for i in order]), stacked)


def make_optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Adam, its update fused over all parameters."""
    return torch.optim.Adam(
        model.parameters(), lr=recipe.learning_rate, betas=(0.9, recipe.beta2), fused=True
    )


def one_epoch(model, optimizer, examples, order, recipe: Recipe, device) -> float:
    """One pass over ``examples`` in the batches of ``order``; returns the mean loss."""
    model.train()
    weights = [p for name, p in model.named_parameters() if "weight" in name]
    total = 0.0
    for indices in order:
        batch = collate([examples[i] for i in indices], device)
        output = model(batch.speech, batch.speech_lengths, batch.words, batch.word_counts)
        loss = nn.functional.cross_entropy(output.logits, batch.labels)
        if recipe.l2:
            loss = loss + recipe.l2 * sum(w.square().sum() for w in weights)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        _clip(model, recipe)
        optimizer.step()
        total += float(loss.detach()) * len(indices)
    mean = total / len(examples)
    if not np.isfinite(mean):
        raise ValueError(f"training diverged: the loss is {mean}; try a smaller learning rate")
    return mean


def _clip(model: nn.Module, recipe: Recipe) -> None:
    if recipe.clip and recipe.clip_each:
        for parameter in model.parameters():
            nn.utils.clip_grad_norm_(parameter, recipe.clip)
    elif recipe.clip:
        nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)


def _validate(model: nn.Module, examples: Sequence[Example]) -> dict[str, float]:
    logits = torch.from_numpy(predict(model, examples).logits).double()
    labels = torch.tensor([e.label for e in examples])
    return {
        "validation_loss": float(nn.functional.cross_entropy(logits, labels)),
        "validation_wa": float((logits.argmax(dim=1) == labels).double().mean()),
    }


def best_epoch(history: list[dict[str, Any]], monitor: str = "loss") -> int:
    """The epoch with the least validation loss, or the greatest accuracy; the first of equals."""
    if monitor == "accuracy":
        return min(history, key=lambda row: (-row["validation_wa"], row["epoch"]))["epoch"]
    return min(history, key=lambda row: (row["validation_loss"], row["epoch"]))["epoch"]


def _should_stop(history: list[dict[str, Any]], recipe: Recipe) -> bool:
    return bool(history) and len(history) - best_epoch(history, recipe.monitor) >= recipe.patience


def _restore(checkpoint: Path, model: nn.Module, optimizer) -> tuple[list[dict[str, Any]], State]:
    if not checkpoint.is_file():
        return [], {}
    device = next(model.parameters()).device
    try:
        saved = torch.load(checkpoint, map_location=device, weights_only=True)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
    except (OSError, RuntimeError, KeyError, ValueError, EOFError, pickle.UnpicklingError) as error:
        raise ValueError(
            f"{checkpoint}: not a checkpoint of this training ({error}); remove it to start over"
        ) from error
    return saved["history"], saved["best"]
