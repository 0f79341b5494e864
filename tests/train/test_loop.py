"""The loop as a whole: it learns, it selects, it refuses what does not fit together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from ns4d.data import Permutation
from ns4d.errors import ConfigError
from ns4d.model import Network
from ns4d.train import Optimizer, Schedule, evaluate, load_network, train
from ns4d.train.checkpoint import BEST, LATEST, load_checkpoint
from train.runs import assert_same_run, epochs, latest
from train.tiny import STEPS, tiny_dataset, tiny_model, tiny_recipe


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    """The folder of a training of `tiny_recipe`."""
    folder = tmp_path_factory.mktemp("plain")
    train(tiny_recipe(), tiny_dataset(), folder, show=False)
    return folder


@pytest.fixture(scope="module")
def long(tmp_path_factory) -> Path:
    """The folder of a training that has time to learn."""
    folder = tmp_path_factory.mktemp("long")
    fast = Optimizer(rate=2e-2, ssm_rate=1e-2)
    recipe = tiny_recipe(schedule=Schedule(epochs=20), optimizer=fast)
    train(recipe, tiny_dataset(), folder, show=False)
    return folder


def test_it_learns(long):
    """From a third right by chance to everything, on sequences it has never seen."""
    dataset = tiny_dataset()
    network, _ = load_network(long)
    losses = [record["train_loss"] for record in epochs(long)]
    assert losses[-1] < losses[0] / 3
    assert evaluate(network, dataset.test, dataset.normalization).accuracy > 0.95


def test_the_best_epoch_is_selected(tmp_path):
    """The most accurate on the validation part, the later one of equals, and often not the last."""
    dataset, recipe = tiny_dataset(), tiny_recipe(schedule=Schedule(epochs=12))
    shuffled = np.random.default_rng(4).permutation(dataset.validation.labels)
    dataset = replace(dataset, validation=replace(dataset.validation, labels=shuffled))
    progress = train(recipe, dataset, tmp_path, show=False).progress
    reached = {record["step"]: record["validation_accuracy"] for record in epochs(tmp_path)}
    best = max(reached.values())
    steps = [step for step, accuracy in reached.items() if accuracy == best]
    assert len(steps) > 1
    assert steps[-1] < progress.step, "the last of all would be no choice"
    assert (progress.best_accuracy, progress.best_step) == (best, steps[-1])
    found = evaluate(load_network(tmp_path)[0], dataset.validation, dataset.normalization)
    assert found.accuracy == best
    assert load_checkpoint(tmp_path / BEST).progress.step == steps[-1]


def test_the_figures_of_an_epoch_are_its_own(tmp_path):
    """With one step an epoch, what the network of the epoch before makes of the train part."""
    dataset = tiny_dataset()
    recipe = tiny_recipe(batch=len(dataset.train), schedule=Schedule(epochs=4))
    before = []

    def look(tokens: Tensor, generator: torch.Generator) -> Tensor:
        if (tmp_path / LATEST).exists():
            network = Network(recipe.model)
            latest(tmp_path).restore_network(network)
            before.append(evaluate(network, dataset.train, dataset.normalization))
        return tokens

    train(recipe, dataset, tmp_path, hooks=[look], show=False)
    records = epochs(tmp_path)[1:]
    assert [r["train_accuracy"] for r in records] == [found.accuracy for found in before]
    losses = [r["train_loss"] for r in records]
    assert losses == pytest.approx([found.loss for found in before], rel=1e-5)


def test_the_result_is_what_is_on_disk(tmp_path):
    result = train(tiny_recipe(), tiny_dataset(), tmp_path, show=False)
    assert result.folder == tmp_path
    assert result.progress == latest(tmp_path).progress
    assert result.progress.step == STEPS
    assert result.progress.seconds > 0


def test_the_seed_decides_the_weights(plain, tmp_path):
    """And no other random state does."""
    torch.manual_seed(99)
    for seed in (0, 1):
        train(tiny_recipe(seed=seed), tiny_dataset(), tmp_path / str(seed), show=False)
    assert_same_run(tmp_path / "0", plain)
    weights = [latest(folder).network["encoder.weight"] for folder in (plain, tmp_path / "1")]
    assert not torch.equal(*weights)


@pytest.mark.parametrize(
    ("changes", "differs"),
    [
        ({"label_smoothing": 0.3}, True),
        ({"model": tiny_model(dropout=0.3)}, True),
        ({"optimizer": replace(tiny_recipe().optimizer, clip=1e-3)}, True),
        ({"optimizer": replace(tiny_recipe().optimizer, decay=0.9)}, True),
        ({"optimizer": replace(tiny_recipe().optimizer, clip=1e6)}, False),
    ],
)
def test_each_setting_has_an_effect(plain, tmp_path, changes, differs):
    """A gradient far below the limit is not clipped."""
    train(tiny_recipe(**changes), tiny_dataset(), tmp_path, show=False)
    before, after = latest(plain).network, latest(tmp_path).network
    assert any(not torch.equal(before[name], after[name]) for name in before) == differs


def test_a_step_is_that_of_plain_torch(tmp_path):
    """One step of the whole train part, written out."""
    dataset = tiny_dataset()
    recipe = tiny_recipe(batch=100, schedule=Schedule(epochs=1, warmup=0.0))
    train(recipe, dataset, tmp_path, show=False)
    torch.manual_seed(recipe.seed)
    network = Network(recipe.model)
    raw = torch.from_numpy(dataset.train.tokens).float()
    labels = torch.from_numpy(dataset.train.labels)
    loss = torch.nn.functional.cross_entropy(network((raw - 70) / 40), labels)
    loss.backward()
    (record,) = epochs(tmp_path)
    assert record["train_loss"] == pytest.approx(loss.item(), rel=1e-5)
    trained = latest(tmp_path).network
    for name, parameter in network.named_parameters():
        special = name.rsplit(".", 1)[-1] in ("log_decay", "frequency", "b", "log_step")
        rate, decay = (4e-3, 0.0) if ".ssm." in name and special else (1e-2, 0.01)
        clear = parameter.grad.abs() > 1e-4  # elsewhere Adam's first step is not quite the sign
        expected = parameter * (1 - rate * decay) - rate * parameter.grad.sign()
        torch.testing.assert_close(
            trained[name][clear], expected.detach()[clear], rtol=0, atol=2e-5
        )


def test_mixed_precision_keeps_parameters_in_float32(plain, tmp_path):
    train(tiny_recipe(bfloat16=True), tiny_dataset(), tmp_path, show=False)
    mixed, full = latest(tmp_path).network, latest(plain).network
    assert {tensor.dtype for tensor in mixed.values()} == {torch.float32}
    assert any(not torch.equal(mixed[name], full[name]) for name in mixed)
    final = [epochs(folder)[-1]["train_loss"] for folder in (tmp_path, plain)]
    assert final[0] == pytest.approx(final[1], rel=0.05)


def test_a_batch_larger_than_the_data_is_all_of_them(tmp_path):
    recipe = tiny_recipe(batch=1000, schedule=Schedule(epochs=2))
    assert train(recipe, tiny_dataset(), tmp_path, show=False).progress.step == 2


def test_the_network_must_fit_the_data(tmp_path):
    recipe = tiny_recipe(model=tiny_model(inputs=2, classes=7))
    with pytest.raises(ConfigError) as caught:
        train(recipe, tiny_dataset(), tmp_path, show=False)
    assert str(caught.value) == (
        "model: expected inputs=1 and classes=3, as in tiny, got inputs=2 and classes=7. "
        "Set model.inputs=1 model.classes=3."
    )
    assert list(Path(tmp_path).iterdir()) == []


def test_the_data_must_be_in_the_order_of_the_recipe(tmp_path):
    recipe = tiny_recipe(permutation=Permutation.BIT_REVERSAL)
    with pytest.raises(ConfigError) as caught:
        train(recipe, tiny_dataset(), tmp_path, show=False)
    assert str(caught.value) == (
        "permutation: expected none, the order of the data, got bit-reversal. "
        "Load the data in the order of the recipe: load_task(..., recipe.permutation)."
    )
    train(recipe, tiny_dataset("bit-reversal"), tmp_path, show=False)
    train(tiny_recipe(), tiny_dataset("bit-reversal"), tmp_path / "own", show=False)
