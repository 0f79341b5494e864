"""The fine-tuning as a whole: it learns, it selects by integers, it goes on where it stopped."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ns4d.data import Dataset, Permutation
from ns4d.engines import Machine, Reference
from ns4d.errors import ConfigError, TrainingError
from ns4d.model import Network, Norm
from ns4d.numerics import LOIHI2
from ns4d.program import Add, Program
from ns4d.quantize.qaft import QaftResult, quantization_aware_fine_tune
from ns4d.quantize.qaft_folder import RECIPE
from ns4d.quantize.qaft_recipe import QaftRecipe, qaft_recipe
from ns4d.quantize.widths import with_widths
from ns4d.train import Augmentation, Optimizer, Schedule, load_network, train
from ns4d.train.checkpoint import BEST, load_checkpoint, network_digest
from ns4d.train.journal import read_journal
from train.runs import assert_same_run, epochs
from train.tiny import SIDE, STEPS_PER_EPOCH, tiny_dataset, tiny_model, tiny_recipe

NARROW = with_widths(LOIHI2, weight_bits=3, coefficient_bits=6, message_bits=4)
REFERENCE = Reference()


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Network:
    """A float network that has learnt its task, with batch normalization to fold."""
    folder = tmp_path_factory.mktemp("float")
    recipe = tiny_recipe(
        model=tiny_model(norm=Norm.BATCH),
        optimizer=Optimizer(rate=2e-2, ssm_rate=1e-2),
        schedule=Schedule(epochs=20),
    )
    train(recipe, tiny_dataset(), folder, show=False)
    return load_network(folder)[0]


def recipe_of(network: Network, epoch_count: int = 2, **changes) -> QaftRecipe:
    recipe = qaft_recipe(network, tiny_recipe(), NARROW, epoch_count, sequences=8)
    return replace(recipe, training=replace(recipe.training, batch=8), **changes)


def augmented(recipe: QaftRecipe) -> QaftRecipe:
    """With half of the images mirrored."""
    return replace(recipe, training=replace(recipe.training, augmentation=Augmentation(flip=True)))


def tune(
    network: Network, recipe: QaftRecipe, folder: Path, dataset: Dataset | None = None, engine=None
) -> QaftResult:
    return quantization_aware_fine_tune(
        network,
        dataset or tiny_dataset(),
        recipe,
        folder,
        engine=engine or REFERENCE,
        checkpoint_seconds=0.0,
        show=False,
    )


@pytest.fixture(scope="module")
def long(trained, tmp_path_factory) -> tuple[Path, QaftResult]:
    """The folder and the result of a fine-tuning that has time to learn."""
    folder = tmp_path_factory.mktemp("long")
    recipe = recipe_of(trained, 12)
    faster = replace(recipe.training, optimizer=Optimizer(rate=1e-2, ssm_rate=4e-3, decay=0.0))
    return folder, tune(trained, replace(recipe, training=faster), folder)


def accuracy(program: Program, dataset: Dataset) -> float:
    split = dataset.validation
    scores = program.run(split.tokens.astype(np.float64), split.lengths, REFERENCE)
    return float((scores.argmax(1) == split.labels).mean())


def test_it_recovers_what_few_bits_have_cost(long):
    _, result = long
    assert result.start_accuracy < result.float_accuracy
    assert result.accuracy > result.start_accuracy
    assert result.accuracy >= result.float_accuracy - 0.05


def test_the_loss_falls(long):
    losses = [record["train_loss"] for record in epochs(long[0])]
    assert losses[-1] < losses[0] / 2


def test_its_accuracy_is_that_of_the_program_it_returns(long):
    _, result = long
    assert accuracy(result.program, tiny_dataset()) == result.accuracy


def test_the_program_of_the_best_epoch_is_selected(long):
    folder, result = long
    reached = {record["step"]: record["validation_accuracy"] for record in epochs(folder)}
    best = max(reached.values())
    assert result.accuracy == best
    assert result.progress.best_step == max(step for step in reached if reached[step] == best)
    assert load_checkpoint(folder / BEST).progress.step == result.progress.best_step


def test_the_program_says_where_it_comes_from(trained, long):
    folder, result = long
    facts = result.program.metadata.provenance
    assert facts["network"] == network_digest(trained)
    assert facts["tuned_network"] == network_digest(load_network(folder)[0])
    assert json.loads(str(facts["qaft"])) == json.loads((folder / RECIPE).read_text())
    assert json.loads(str(facts["qaft"]))["training"]["optimizer"]["rate"] == 1e-2


def test_the_network_that_it_starts_from_stays_as_it_was(trained, tmp_path):
    before = network_digest(trained)
    tune(trained, recipe_of(trained), tmp_path)
    assert network_digest(trained) == before


def test_the_test_part_is_never_looked_at(trained, tmp_path):
    dataset = tiny_dataset()
    other = replace(dataset, test=dataset.test.select(np.arange(3)))
    recipe = recipe_of(trained)
    one = tune(trained, recipe, tmp_path / "one", dataset)
    two = tune(trained, recipe, tmp_path / "two", other)
    assert one.program == two.program


def test_repeating_a_finished_run_gives_its_program_again(trained, tmp_path):
    recipe = recipe_of(trained)
    first = tune(trained, recipe, tmp_path)
    journal = read_journal(tmp_path)
    again = tune(trained, recipe, tmp_path)
    assert again == first
    assert read_journal(tmp_path) == journal


class Interrupting:
    """The reference engine, which receives Ctrl-C at its n-th trace."""

    name, batch = "interrupting", 8

    def __init__(self, at: int) -> None:
        self.left = at

    def load(self, program: Program, streams: int) -> Machine:
        return REFERENCE.load(program, streams)

    def trace(self, program: Program, u: np.ndarray) -> dict[str, np.ndarray]:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGINT)
        return REFERENCE.trace(program, u)


@pytest.mark.parametrize("at", [2, 8])
def test_an_interrupted_run_ends_as_an_uninterrupted_one(trained, tmp_path, at):
    """Traces: one before the first step, then one a step, and one at the end of each epoch."""
    recipe = augmented(recipe_of(trained))
    whole = tune(trained, recipe, tmp_path / "whole")
    with pytest.raises(TrainingError, match="repeat the same command to go on"):
        tune(trained, recipe, tmp_path / "parts", engine=Interrupting(at))
    resumed = tune(trained, recipe, tmp_path / "parts")
    assert_same_run(tmp_path / "whole", tmp_path / "parts")
    assert resumed.program == whole.program
    assert resumed.start_accuracy == whole.start_accuracy
    assert resumed.progress.step == 2 * STEPS_PER_EPOCH


def test_a_residual_network_is_fine_tuned(tmp_path):
    torch.manual_seed(2)
    network = Network(tiny_model(norm=Norm.BATCH, residual=True)).eval()
    result = tune(network, recipe_of(network), tmp_path)
    assert sum(isinstance(node, Add) for node in result.program.nodes) == len(network.stack)
    assert result.progress.step == 2 * STEPS_PER_EPOCH
    assert accuracy(result.program, tiny_dataset()) == result.accuracy
    losses = [record["train_loss"] for record in epochs(tmp_path)]
    assert losses[1] < losses[0]


def test_distillation_changes_what_is_learnt(trained, tmp_path):
    labels = tune(trained, recipe_of(trained, distillation=0.0), tmp_path / "labels")
    both = tune(trained, recipe_of(trained, distillation=1.0), tmp_path / "both")
    assert labels.program != both.program


def test_what_it_learns_from_is_augmented(trained, tmp_path):
    """The program sees the changed sequences, and raw: their bytes, in the images' order."""
    seen: list[np.ndarray] = []

    class Watching(Interrupting):
        def trace(self, program: Program, u: np.ndarray) -> dict[str, np.ndarray]:
            seen.append(u)
            return REFERENCE.trace(program, u)

    recipe, dataset = recipe_of(trained, 1), tiny_dataset("bit-reversal")
    for number, chosen in enumerate([recipe, augmented(recipe)]):
        tune(trained, chosen, tmp_path / str(number), dataset, engine=Watching(0))
    plain, mirrored = np.array(seen[1:6]), np.array(seen[8:13])
    order = Permutation.BIT_REVERSAL.order(SIDE * SIDE)
    reflection = np.arange(SIDE * SIDE).reshape(SIDE, SIDE)[:, ::-1].ravel()
    reflected = plain[:, :, np.argsort(order)[reflection][order]]
    kept = (mirrored == plain).all(axis=(2, 3))
    changed = (mirrored == reflected).all(axis=(2, 3))
    assert (kept ^ changed).all()
    assert kept.any()
    assert changed.any()


def test_a_recipe_belongs_to_one_network(trained, tmp_path):
    torch.manual_seed(1)
    other = Network(tiny_model()).eval()
    with pytest.raises(ConfigError, match="Build the recipe with qaft_recipe from this network"):
        tune(other, recipe_of(trained), tmp_path)


def test_other_data_are_refused(trained, tmp_path):
    recipe = recipe_of(trained)
    tune(trained, recipe, tmp_path)
    dataset = tiny_dataset()
    fewer = replace(dataset, train=dataset.train.select(np.arange(40)))
    with pytest.raises(ConfigError, match="expected the data that the run was trained on"):
        tune(trained, recipe, tmp_path, fewer)


def test_parameters_that_ran_away_are_named_and_their_folder_is_free(trained, tmp_path):
    """They have no integers: the error is that of a training, its remedy can be followed."""
    recipes = [
        qaft_recipe(trained, tiny_recipe(), NARROW, 2, sequences=8, rate=rate)
        for rate in (1e9, 1e-3)
    ]
    with pytest.raises(TrainingError, match=r"first in the .*Lower --rate"):
        tune(trained, recipes[0], tmp_path)
    result = tune(trained, recipes[1], tmp_path)
    starts = [line for line in read_journal(tmp_path) if line["kind"] == "start"]
    assert [line["recipe"] for line in starts] == [recipes[1].plain()]
    assert json.loads(str(result.program.metadata.provenance["qaft"])) == recipes[1].plain()


def test_a_loss_that_is_not_finite_stops_it(trained, tmp_path):
    recipe = recipe_of(trained, distillation=1e308)
    with pytest.raises(TrainingError, match="expected a finite loss and gradient"):
        tune(trained, recipe, tmp_path)
