import numpy as np
import pytest
import torch
from helpers import SMALL

from gban_edge import models, ops
from train import recipes
from train.data import Example
from train.trainer import best_epoch, predict, train

RECIPE = recipes.get("default").with_overrides(epochs=4, batch=8)


def examples(count=40, seed=0):
    """Utterances whose class can be heard (loudness) and read (a word)."""
    rng = np.random.default_rng(seed)
    made = []
    for i in range(count):
        label = int(rng.integers(4))
        speech = rng.standard_normal((int(rng.integers(0, 80)), 52)) + (label // 2) * 2
        made.append(Example(f"u{i}", speech.astype(np.float32), [2 + label % 2, 5], label))
    return made


def network(seed=0):
    torch.manual_seed(seed)
    return models.build("gban", SMALL)


def weights(model):
    return {k: v.clone() for k, v in model.state_dict().items()}


def same(one, two):
    return all(torch.equal(one[k], two[k]) for k in one)


def test_two_trainings_are_equal_to_the_last_bit(tmp_path):
    runs = []
    for i in range(2):
        model = network()
        torch.rand(i)  # the state of the global generator must not matter
        history = train(model, examples(), examples(9, 1), RECIPE, "s", tmp_path / f"{i}.pt")
        runs.append((history, weights(model)))
    assert runs[0][0] == runs[1][0]
    assert same(runs[0][1], runs[1][1])
    model = network()
    other = train(model, examples(), examples(9, 1), RECIPE, "t", tmp_path / "other.pt")
    assert other != runs[0][0]


def test_native_and_reference_alignment_take_the_same_first_steps(tmp_path):
    """One epoch of five steps: rounding has not yet grown beyond 1e-4 of the loss."""
    losses = []
    for enabled in (False, True):
        with ops.reference(enabled):
            history = train(
                network(), examples(), examples(9, 1), RECIPE.with_overrides(epochs=1), "s",
                tmp_path / f"{enabled}.pt",
            )  # fmt: skip
        losses.append((history[0]["train_loss"], history[0]["validation_loss"]))
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-4)


class KilledError(Exception):
    pass


def test_a_training_stopped_after_any_epoch_goes_on_as_if_it_had_not(tmp_path):
    whole = network()
    gold = train(whole, examples(), examples(9, 1), RECIPE, "s", tmp_path / "whole.pt")
    for last in range(1, RECIPE.epochs):

        def stop(row, last=last):
            if row["epoch"] == last:
                raise KilledError

        path = tmp_path / f"{last}.pt"
        with pytest.raises(KilledError):
            train(network(), examples(), examples(9, 1), RECIPE, "s", path, stop)
        model = network(99)  # what it is started with must not matter
        assert train(model, examples(), examples(9, 1), RECIPE, "s", path) == gold
        assert same(weights(model), weights(whole))


def test_it_learns_and_keeps_the_best_epoch(tmp_path):
    recipe = RECIPE.with_overrides(epochs=25, patience=25, learning_rate=0.01, dropout=0.0)
    model = network()
    history = train(model, examples(80), examples(40, 1), recipe, "s", tmp_path / "c.pt")
    losses = [row["validation_loss"] for row in history]
    assert min(losses) < 0.7 * losses[0]
    best = history[int(np.argmin(losses))]
    logits = predict(model, examples(40, 1)).logits
    truth = [e.label for e in examples(40, 1)]
    assert np.mean(logits.argmax(axis=1) == truth) == pytest.approx(best["validation_wa"])
    assert best["validation_wa"] > 0.8


def test_early_stopping(tmp_path):
    recipe = RECIPE.with_overrides(epochs=200, patience=3, learning_rate=0.05)
    history = train(network(), examples(), examples(9, 1), recipe, "s", tmp_path / "c.pt")
    losses = [row["validation_loss"] for row in history]
    assert len(history) < 200
    assert len(history) == int(np.argmin(losses)) + 1 + 3


def test_accuracy_can_decide_instead_of_loss(tmp_path):
    recipe = RECIPE.with_overrides(
        epochs=200, patience=4, learning_rate=0.02, monitor="accuracy", dropout=0.0
    )
    model = network()
    history = train(model, examples(), examples(30, 1), recipe, "s", tmp_path / "c.pt")
    accuracies = [row["validation_wa"] for row in history]
    kept = int(np.argmax(accuracies))  # the first of equals
    assert best_epoch(history, "accuracy") == kept + 1
    assert len(history) == kept + 1 + 4 < 200
    losses = [row["validation_loss"] for row in history]
    assert int(np.argmin(losses)) != kept, "this case tells the two apart"
    logits = predict(model, examples(30, 1)).logits
    truth = [e.label for e in examples(30, 1)]
    assert np.mean(logits.argmax(axis=1) == truth) == pytest.approx(accuracies[kept])


def test_clipping_each_gradient_by_itself(monkeypatch, tmp_path):
    """Norms that Adam sees: each at most the limit; together more, where each is held alone."""
    seen = {}
    plain = torch.optim.Adam.step

    def look(self, *arguments):
        parameters = [p for group in self.param_groups for p in group["params"]]
        norms = [float(p.grad.norm()) for p in parameters if p.grad is not None]
        seen.setdefault("each", []).append(max(norms))
        seen.setdefault("all", []).append(sum(n * n for n in norms) ** 0.5)
        return plain(self, *arguments)

    monkeypatch.setattr(torch.optim.Adam, "step", look)
    for each in (False, True):
        seen.clear()
        recipe = RECIPE.with_overrides(epochs=1, clip=0.01, clip_each=each)
        train(network(), examples(), examples(9, 1), recipe, "s", tmp_path / f"{each}.pt")
        assert max(seen["each"]) <= 0.0101
        assert (max(seen["all"]) > 0.0101) == each


def test_batches_of_any_length_and_beta2_change_the_steps(tmp_path):
    losses = {}
    for name, values in {
        "plain": {}, "again": {}, "batches": {"bucket": False}, "beta2": {"beta2": 0.9},
        "words": {"word_dropout": 0.5},
    }.items():  # fmt: skip
        recipe = RECIPE.with_overrides(epochs=2, **values)
        path = tmp_path / f"{name}.pt"
        losses[name] = train(network(), examples(), examples(9, 1), recipe, "s", path)[1]
    assert losses["again"] == losses["plain"]
    assert len({row["train_loss"] for row in losses.values()}) == 4


def test_l2_shrinks_the_weights(tmp_path):
    sizes = []
    for l2 in (0.0, 0.05):
        model = network()
        recipe = RECIPE.with_overrides(l2=l2, learning_rate=0.01, epochs=8, patience=99)
        train(model, examples(), examples(9, 1), recipe, "s", tmp_path / f"{l2}.pt")
        sizes.append(sum(float(p.detach().square().sum()) for p in model.parameters()))
    assert sizes[1] < 0.7 * sizes[0]


def test_predictions_are_in_the_order_of_the_examples():
    model = network().eval()
    items = examples(30)
    whole = predict(model, items)
    for i in (0, 7, 29):
        one = predict(model, items[i : i + 1])
        np.testing.assert_allclose(whole.logits[i], one.logits[0], atol=1e-6)
        np.testing.assert_allclose(whole.gates[i], one.gates[0], atol=1e-6)


def test_a_foreign_checkpoint_is_refused(tmp_path):
    path = tmp_path / "c.pt"
    for content in (b"", b"not a checkpoint"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="remove it to start over"):
            train(network(), examples(), examples(9, 1), RECIPE, "s", path)
    torch.save({"model": models.build("h_s", SMALL).state_dict()}, path)
    with pytest.raises(ValueError, match="remove it to start over"):
        train(network(), examples(), examples(9, 1), RECIPE, "s", path)


def test_divergence_is_said(tmp_path):
    recipe = RECIPE.with_overrides(learning_rate=1e30, clip=0.0)
    with pytest.raises(ValueError, match="training diverged"):
        train(network(), examples(), examples(9, 1), recipe, "s", tmp_path / "c.pt")


def test_recipes():
    paper = recipes.get("paper")
    assert (paper.learning_rate, paper.batch, paper.dropout) == (1e-4, 32, 0.5)
    assert paper.l2 == 0.0
    assert paper.with_overrides(l2=0.01, epochs=None).l2 == 0.01
    with pytest.raises(ValueError, match="'paper'"):
        recipes.get("papier")
