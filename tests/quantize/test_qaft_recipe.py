"""The recipe of a fine-tuning, and profiles with other widths: checked values, and what is kept."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ns4d.data import Permutation
from ns4d.errors import ConfigError
from ns4d.model import Network, Norm
from ns4d.numerics import LOIHI2, WIDE, Arithmetic
from ns4d.quantize import OBSERVERS, Percentile
from ns4d.quantize.fold import fold_batch_norm
from ns4d.quantize.qaft_recipe import QaftRecipe, qaft_recipe
from ns4d.quantize.widths import with_widths
from ns4d.train import Augmentation, Recipe
from ns4d.train.checkpoint import network_digest
from train.tiny import restless_recipe, tiny_model, tiny_recipe


def recipe_for(trained: Recipe, **settings) -> QaftRecipe:
    return qaft_recipe(Network(trained.model), trained, LOIHI2, 3, **settings)


def test_it_keeps_task_order_augmentation_and_seed_and_drops_the_rest():
    trained = replace(restless_recipe(), permutation=Permutation.NONE)
    training = recipe_for(trained).training
    assert (training.task, training.seed) == (trained.task, trained.seed)
    assert training.permutation is Permutation.NONE
    assert training.schedule.epochs == 3
    assert training.model.dropout == 0.0
    assert training.augmentation == trained.augmentation != Augmentation()
    assert training.label_smoothing == 0.0
    assert not training.bfloat16


@pytest.mark.parametrize("norm", [Norm.NONE, Norm.BATCH])
def test_its_network_is_the_folded_one(norm):
    network = Network(tiny_model(norm=norm)).eval()
    recipe = qaft_recipe(network, tiny_recipe(model=network.config), LOIHI2, 1)
    folded = fold_batch_norm(network)
    assert recipe.training.model == folded.config
    assert recipe.origin == network_digest(network)
    assert Network(recipe.training.model).state_dict().keys() == folded.state_dict().keys()


def test_its_plain_form_tells_every_change():
    """It decides whether a folder is gone on with."""
    recipe = recipe_for(tiny_recipe())
    assert json.loads(json.dumps(recipe.plain())) == recipe.plain()
    changes = [
        {"origin": "other"},
        {"arithmetic": WIDE},
        {"training": replace(recipe.training, seed=9)},
        {"options": replace(recipe.options, headroom=2.0)},
        {"options": replace(recipe.options, fold_b=not recipe.options.fold_b)},
        {"options": replace(recipe.options, certified=True)},
        {"sequences": 9},
        {"distillation": 0.25},
    ]
    for change in changes:
        assert replace(recipe, **change).plain() != recipe.plain(), change


def test_its_plain_form_tells_observers_apart_that_have_no_fields():
    """Maximum and MeanSquaredError hold nothing: only their names differ."""
    recipe = recipe_for(tiny_recipe())
    observers = [*OBSERVERS.values(), Percentile(99.0)]
    plain = [
        replace(recipe, options=replace(recipe.options, observer=observer)).plain()
        for observer in observers
    ]
    for k, one in enumerate(plain):
        assert plain.index(one) == k, observers[k]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sequences": 0}, "qaft.sequences: expected at least 1, got 0"),
        ({"distillation": -1.0}, "qaft.distillation: expected 0 or a positive number, got -1.0"),
        ({"distillation": float("inf")}, "qaft.distillation: expected 0 or a positive number"),
        ({"distillation": float("nan")}, "qaft.distillation: expected 0 or a positive number"),
    ],
)
def test_impossible_values_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        recipe_for(tiny_recipe(), **settings)


bits = st.none() | st.integers(4, 16)


@given(st.sampled_from((LOIHI2, WIDE)), bits, bits, bits, bits)
def test_widths_are_replaced_and_nothing_else(
    arithmetic: Arithmetic,
    weight: int | None,
    coefficient: int | None,
    message: int | None,
    state: int | None,
):
    changed = with_widths(arithmetic, weight, coefficient, message, state)
    given_widths = {"weight": weight, "coefficient": coefficient, "message": message}
    for name, width in (given_widths | {"state": state}).items():
        field = f"{name}_bits"
        assert getattr(changed, field) == (width or getattr(arithmetic, field))
    assert changed.product_rounding is arithmetic.product_rounding
    assert changed.accumulator_bits == arithmetic.accumulator_bits
    same = replace(changed, name=arithmetic.name) == arithmetic
    assert (changed.name == arithmetic.name) == same


def test_a_profile_is_named_after_its_widths():
    assert with_widths(LOIHI2, 4, 8, 6).name == "loihi2-w4c8m6"
    assert with_widths(WIDE, state_bits=16).name == "wide-s16"
    assert with_widths(LOIHI2) == LOIHI2
    assert with_widths(LOIHI2, weight_bits=LOIHI2.weight_bits) == LOIHI2


def test_a_width_that_no_program_has_is_refused():
    with pytest.raises(ConfigError, match="weight_bits: expected an integer from 2 to 16"):
        with_widths(LOIHI2, weight_bits=17)
