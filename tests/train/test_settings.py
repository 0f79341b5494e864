"""Settings as data: there and back, and single values replaced by name."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

import pytest

from ns4d.data import Permutation
from ns4d.errors import ConfigError
from ns4d.model import Mixer, Norm
from ns4d.train import RECIPES, Recipe, override
from ns4d.train.settings import differences, from_plain, to_plain
from train.altered import leaves, put
from train.tiny import restless_recipe, tiny_recipe

EVERY_RECIPE = [*RECIPES.values(), restless_recipe(), tiny_recipe(permutation=Permutation.NONE)]
NAMES = [".".join(path) for path in leaves(to_plain(tiny_recipe()))]


def value_at(settings: Any, path: str) -> Any:
    for name in path.split("."):
        settings = getattr(settings, name)
    return settings


def as_typed(value: Any) -> str:
    """A value as a user types it."""
    if value is None:
        return "default"
    value = value.value if isinstance(value, Enum) else value
    return str(value).lower() if isinstance(value, bool) else str(value)


def complaint(*assignments: str) -> str:
    with pytest.raises(ConfigError) as caught:
        override(tiny_recipe(), assignments)
    return str(caught.value)


@pytest.mark.parametrize("recipe", EVERY_RECIPE)
def test_there_and_back_through_json(recipe):
    plain = json.loads(json.dumps(to_plain(recipe)))
    restored = from_plain(Recipe, plain)
    assert restored == recipe
    for name in NAMES:
        assert type(value_at(restored, name)) is type(value_at(recipe, name)), name


def test_absent_fields_take_their_defaults():
    """A file written before a setting existed."""
    plain = to_plain(tiny_recipe())
    del plain["bfloat16"], plain["schedule"]["final"], plain["model"]["norm"]
    assert from_plain(Recipe, plain) == tiny_recipe()


def test_a_whole_number_stands_for_a_number():
    plain = to_plain(tiny_recipe())
    plain["optimizer"]["clip"] = 2
    clip = from_plain(Recipe, plain).optimizer.clip
    assert (clip, type(clip)) == (2.0, float)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("batch", "8", "recipe.batch: expected a whole number, got '8'. Check the value."),
        ("batch", 8.0, "recipe.batch: expected a whole number, got 8.0. Check the value."),
        ("batch", True, "recipe.batch: expected a whole number, got True. Check the value."),
        ("task", 3, "recipe.task: expected a text, got 3. Check the value."),
        ("bfloat16", 1, "recipe.bfloat16: expected true or false, got 1. Check the value."),
        ("label_smoothing", None, "recipe.label_smoothing: expected a number, got None."),
        ("label_smoothing", True, "recipe.label_smoothing: expected a number, got True."),
        ("permutation", "bit-revers", "Did you mean 'bit-reversal'?"),
        ("model.norm", None, "recipe.model.norm: expected one of none, batch, layer, got None."),
        ("model.norm", [], "recipe.model.norm: expected one of none, batch, layer, got []."),
        ("model", 3, "recipe.model: expected a group of values, got 3. Check the value."),
        ("model.chanels", 3, "got 'chanels'. Did you mean 'channels'?"),
    ],
)
def test_a_plain_value_that_does_not_fit(name, value, text):
    plain = to_plain(tiny_recipe())
    put(plain, tuple(name.split(".")), value)
    with pytest.raises(ConfigError) as caught:
        from_plain(Recipe, plain, "recipe")
    assert text in str(caught.value)


@pytest.mark.parametrize("missing", ["task", "model"])
def test_a_field_without_default_must_be_there(missing):
    plain = to_plain(tiny_recipe())
    del plain[missing]
    with pytest.raises(ConfigError, match=f"settings.{missing}: expected a value, got nothing"):
        from_plain(Recipe, plain)


@pytest.mark.parametrize("recipe", EVERY_RECIPE)
def test_each_value_overridden_by_itself_changes_nothing(recipe):
    for name in NAMES:
        same = override(recipe, [f"{name}={as_typed(value_at(recipe, name))}"])
        assert same == recipe, name
        assert type(value_at(same, name)) is type(value_at(recipe, name)), name


@pytest.mark.parametrize(
    ("assignment", "name", "value"),
    [
        ("batch=16", "batch", 16),
        ("task=a=b.npz", "task", "a=b.npz"),
        ("model.channels=32", "model.channels", 32),
        ("optimizer.rate=1e-4", "optimizer.rate", 1e-4),
        ("optimizer.rate=1", "optimizer.rate", 1.0),
        ("schedule.epochs=7", "schedule.epochs", 7),
        ("augmentation.flip=true", "augmentation.flip", True),
        ("model.norm=batch", "model.norm", Norm.BATCH),
        ("model.mixer=glu", "model.mixer", Mixer.GLU),
        ("permutation=bit-reversal", "permutation", Permutation.BIT_REVERSAL),
        ("permutation=none", "permutation", Permutation.NONE),
    ],
)
def test_one_value_is_replaced(assignment, name, value):
    before = tiny_recipe()
    after = override(before, [assignment])
    assert value_at(after, name) == value
    assert type(value_at(after, name)) is type(value)
    changed = {n for n in NAMES if value_at(after, n) != value_at(before, n)}
    assert changed == {name}
    assert before == tiny_recipe(), "the original is left alone"


def test_several_values_in_order():
    recipe = override(tiny_recipe(), ["model.channels=2", "batch=3", "model.channels=5"])
    assert (recipe.model.channels, recipe.batch) == (5, 3)
    assert override(tiny_recipe(), []) == tiny_recipe()


def test_only_the_whole_is_checked():
    """Both limits of the step beyond the old ones, whichever is named first."""
    low, high = "model.step_min=0.6", "model.step_max=0.9"
    for assignments in itertools.permutations([low, high, "model.channels=3", "batch=9"]):
        recipe = override(tiny_recipe(), assignments)
        model = recipe.model
        assert (model.step_min, model.step_max, model.channels) == (0.6, 0.9, 3)
        assert recipe.batch == 9
    assert tiny_recipe().model.step_max < 0.6
    assert "step_min" in complaint(low)


def test_no_value_is_called_default():
    psmnist = RECIPES["psmnist"]
    assert override(psmnist, ["permutation=default"]) == replace(psmnist, permutation=None)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("model.chanels", "model.channels"),
        ("model.channel", "model.channels"),
        ("modle.channels", "model.channels"),
        ("channels", "model.channels"),
        ("chanels", "model.channels"),
        ("rate", "optimizer.rate"),
        ("optimizer.epochs", "schedule.epochs"),
        ("epoch", "schedule.epochs"),
        ("lable_smoothing", "label_smoothing"),
        ("batch.size", "batch"),
        ("model.channels.x", "model.channels"),
        ("augmentation.mirror.flip", "augmentation.flip"),
    ],
)
def test_a_wrong_name_is_answered_by_the_nearest(typed, meant):
    assert complaint(f"{typed}=1") == (
        f"override {typed}: expected the name of a single value, got no such name. "
        f"Did you mean {meant!r}?"
    )


@pytest.mark.parametrize("typed", ["", "xyzzy", "q.w"])
def test_a_name_like_no_other_is_answered_by_all(typed):
    assert complaint(f"{typed}=1").endswith(f"got no such name. Valid names: {', '.join(NAMES)}.")


@pytest.mark.parametrize("typed", ["foo", "", "batch"])
def test_an_assignment_assigns(typed):
    assert complaint(typed) == (
        f"override {typed!r}: expected NAME=VALUE, got no '='. Valid names: {', '.join(NAMES)}."
    )


def test_a_group_is_no_value():
    assert complaint("schedule=3") == (
        "override schedule: expected the name of a single value, got a group of values. "
        "Valid names: schedule.epochs, schedule.warmup, schedule.final."
    )


@pytest.mark.parametrize(
    ("assignment", "text"),
    [
        ("batch=1.5", "override batch: expected a whole number, got '1.5'. Check the value."),
        ("batch=", "override batch: expected a whole number, got ''. Check the value."),
        ("optimizer.rate=fast", "override optimizer.rate: expected a number, got 'fast'."),
        ("bfloat16=yes", "override bfloat16: expected one of true, false, got 'yes'."),
        ("bfloat16=True", "got 'True'. Did you mean 'true'?"),
        (
            "model.norm=bacth",
            "expected one of none, batch, layer, got 'bacth'. Did you mean 'batch'?",
        ),
        ("permutation=bits", "one of none, bit-reversal, random-92916, default, got 'bits'."),
        ("batch=0", "batch: expected at least 1, got 0. Set batch accordingly."),
        ("model.dropout=1", "model.dropout: expected a probability in [0, 1), got 1.0."),
        ("optimizer.rate=nan", "optimizer.rate: expected a positive number, got nan."),
        ("batch=none", "override batch: expected a whole number, got 'none'."),
    ],
)
def test_a_value_that_does_not_fit(assignment, text):
    assert text in complaint(assignment)


def test_any_frozen_dataclass_will_do():
    @dataclass(frozen=True)
    class Point:
        x: float = 1.0
        label: str | None = None

    globals()["Point"] = Point
    assert override(Point(), ["x=2", "label=a"]) == Point(2.0, "a")
    assert override(Point(label="a"), ["label=default"]) == Point()


class TestDifferences:
    def test_each_changed_value_is_named_with_both(self):
        plain = to_plain(tiny_recipe())
        changed = override(tiny_recipe(), ["batch=7", "model.layers=9", "augmentation.shift=3"])
        before = {name: value_at(tiny_recipe(), name) for name in NAMES}
        assert set(differences(plain, to_plain(changed)).split(", ")) == {
            f"{name}={before[name]} (now {now})"
            for name, now in (("batch", 7), ("model.layers", 9), ("augmentation.shift", 3))
        }

    def test_the_same_have_none(self):
        assert differences(to_plain(tiny_recipe()), to_plain(tiny_recipe())) == ""

    def test_a_value_that_only_one_has_is_named(self):
        assert differences({"a": 1}, {"a": 1, "b": {"c": 2}}) == "b.c=? (now 2)"
        assert differences({"a": 1, "b": {"c": 2}}, {"a": 1}) == "b.c=2 (now ?)"
        assert differences({"a": 1}, {"a": 1, "b": None}) == "b=? (now None)"
