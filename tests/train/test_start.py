"""A training that begins with a trained network instead of random weights."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ns4d.errors import ConfigError
from ns4d.train import Optimizer, Recipe, train
from ns4d.train.checkpoint import BEST, Checkpoint, load_selected, network_digest
from ns4d.train.journal import read_journal
from ns4d.train.origins import START
from train.runs import assert_same_run, latest, train_until
from train.tiny import STEPS_PER_EPOCH, restless_recipe, tiny_dataset, tiny_model, tiny_recipe


@pytest.fixture
def first(finished) -> Checkpoint:
    return load_selected(finished)


def following(first: Checkpoint, **changes: object) -> Recipe:
    recipe = replace(restless_recipe(), model=first.recipe.model, start=first.digest, seed=4)
    return replace(recipe, **changes)


def test_the_digest_of_a_checkpoint_names_its_network(first):
    assert first.digest == network_digest(first.build_network())


def test_with_rates_of_nothing_the_network_stays_what_it_was(tmp_path):
    """Batch norm is left out: its averages follow the data at any rate."""
    train(tiny_recipe(), tiny_dataset(), tmp_path / "first", show=False)
    start = load_selected(tmp_path / "first")
    still = Optimizer(rate=1e-30, ssm_rate=1e-30)
    recipe = tiny_recipe(optimizer=still, start=start.digest, seed=5)
    train(recipe, tiny_dataset(), tmp_path / "second", start=start, show=False)
    assert load_selected(tmp_path / "second").digest == start.digest


def test_the_first_network_is_kept_beside_the_second(first, tmp_path):
    train(following(first), tiny_dataset(), tmp_path, start=first, show=False)
    assert load_selected(tmp_path / START).digest == first.digest
    assert load_selected(tmp_path).recipe.start == first.digest
    assert load_selected(tmp_path).digest != first.digest


def test_every_beginning_is_kept_back_to_random_weights(first, tmp_path):
    folder = tmp_path / "second"
    train(following(first), tiny_dataset(), folder, start=first, show=False)
    second, third = load_selected(folder), tmp_path / "third"
    train(following(second), tiny_dataset(), third, start=second, show=False)
    chain = [load_selected(run) for run in (third, third / START, third / START / START)]
    assert [run.recipe.start for run in chain] == [second.digest, first.digest, None]
    assert [run.digest for run in chain[1:]] == [second.digest, first.digest]
    assert read_journal(third / START) == read_journal(folder)
    assert not (third / START / START / START).exists()


def test_stopped_and_resumed_is_uninterrupted(first, tmp_path):
    """Going on needs the first network no more: the checkpoint has all."""
    recipe, whole, parts = following(first), tmp_path / "whole", tmp_path / "parts"
    train(recipe, tiny_dataset(), whole, start=first, show=False)
    train_until(STEPS_PER_EPOCH + 2, recipe, parts, start=first)
    assert latest(parts).progress.step == STEPS_PER_EPOCH + 2
    train(recipe, tiny_dataset(), parts, show=False)
    assert_same_run(parts, whole)


@pytest.mark.parametrize("other", ["0" * 64, None])
def test_another_network_than_the_recipe_s_is_refused(first, tmp_path, other):
    recipe = following(first, start=other)
    with pytest.raises(
        ConfigError, match=rf"as the recipe says, got the network {first.digest[:12]}"
    ):
        train(recipe, tiny_dataset(), tmp_path, start=first, show=False)
    assert not list(tmp_path.iterdir())


def test_a_recipe_that_names_a_network_needs_it(first, tmp_path):
    with pytest.raises(ConfigError, match=rf"expected the network {first.digest[:12]}.*random"):
        train(following(first), tiny_dataset(), tmp_path, show=False)
    assert not list(tmp_path.iterdir())


def test_dropout_may_change_and_the_architecture_may_not(first, tmp_path):
    model = replace(first.recipe.model, dropout=0.4)
    train(following(first, model=model), tiny_dataset(), tmp_path / "a", start=first, show=False)
    wider = tiny_model(channels=16, norm=first.recipe.model.norm)
    shortcut = replace(first.recipe.model, residual=True)  # the same parameters mean something else
    for other in (wider, shortcut):
        recipe = following(first, model=other)
        with pytest.raises(ConfigError, match="only dropout may be another"):
            train(recipe, tiny_dataset(), tmp_path / "b", start=first, show=False)


def test_a_folder_belongs_to_one_beginning(first, tmp_path):
    train(following(first), tiny_dataset(), tmp_path, start=first, show=False)
    kept = (tmp_path / BEST).read_bytes()
    with pytest.raises(ConfigError, match=rf"start={first.digest} \(now None\)"):
        train(following(first, start=None), tiny_dataset(), tmp_path, show=False)
    assert (tmp_path / BEST).read_bytes() == kept
