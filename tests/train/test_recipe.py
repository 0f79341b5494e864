"""A recipe: impossible values cannot be built, and rates follow its schedule."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ns4d.data import TASKS, Permutation
from ns4d.errors import ConfigError
from ns4d.train import RECIPES, Optimizer, Schedule
from ns4d.train.recipes import recipe_for
from train.tiny import tiny_dataset, tiny_recipe

NAN, INFINITY = math.nan, math.inf


@pytest.mark.parametrize(
    ("build", "name", "values", "expected"),
    [
        (Optimizer, "rate", (0.0, -1.0, NAN, INFINITY), "a positive number"),
        (Optimizer, "ssm_rate", (0.0, -1.0, NAN, INFINITY), "a positive number"),
        (Optimizer, "clip", (0.0, -1.0, NAN, INFINITY), "a positive number"),
        (Optimizer, "decay", (-0.1, 1.0, NAN), r"a number in \[0, 1\)"),
        (Schedule, "epochs", (0, -1), "at least 1"),
        (Schedule, "warmup", (-0.1, 1.0, NAN), r"a fraction in \[0, 1\)"),
        (Schedule, "final", (-0.1, 1.1, NAN), r"a fraction in \[0, 1\]"),
        (tiny_recipe, "batch", (0, -8), "at least 1"),
        (tiny_recipe, "seed", (-1,), "0 or more"),
        (tiny_recipe, "label_smoothing", (-0.1, 1.0, NAN), r"a probability in \[0, 1\)"),
    ],
)
def test_an_impossible_value_names_its_setting(build, name, values, expected):
    group = "" if build is tiny_recipe else build.__name__.lower() + r"\."
    for value in values:
        text = rf"^{group}{name}: expected {expected}, got {value}\. Set {group}{name} accordingly"
        with pytest.raises(ConfigError, match=text):
            build(**{name: value})


def test_the_limits_themselves_are_possible():
    Optimizer(decay=0.0)
    Schedule(epochs=1, warmup=0.0, final=0.0)
    Schedule(final=1.0)
    tiny_recipe(batch=1, seed=0, label_smoothing=0.0)


schedules = st.builds(
    Schedule,
    epochs=st.just(1),
    warmup=st.floats(0, 1, exclude_max=True),
    final=st.floats(0, 1),
)


@given(schedules, st.integers(1, 300))
def test_the_rate_climbs_to_its_peak_then_falls_to_its_end(schedule, steps):
    factors = [schedule.factor(step, steps) for step in range(steps)]
    warm = min(steps, max(1, round(schedule.warmup * steps)))
    assert all(0 < factor <= 1 for factor in factors) or schedule.final == 0
    assert all(0 <= factor <= 1 for factor in factors)
    assert factors[warm - 1] == pytest.approx(1)
    assert factors[:warm] == pytest.approx([(step + 1) / warm for step in range(warm)])
    falling = factors[warm - 1 :]
    assert falling == sorted(falling, reverse=True)
    assert min(falling) >= min(schedule.final, 1)


@given(schedules, st.integers(2, 300))
def test_the_fall_is_half_a_cosine(schedule, steps):
    """Symmetric about its middle, and `final` is where it would be at the step after the last."""
    warm = max(1, round(schedule.warmup * steps))
    falling = [schedule.factor(step, steps) for step in range(warm, steps + 1)]
    assert falling[0] == pytest.approx(1 if warm < steps else falling[0])
    sums = [a + b for a, b in zip(falling, reversed(falling), strict=True)]
    assert sums == pytest.approx([falling[0] + falling[-1]] * len(sums))
    if warm < steps:
        assert falling[-1] == pytest.approx(schedule.final, abs=1e-12)


def test_a_schedule_in_numbers():
    schedule = Schedule(epochs=1, warmup=0.2, final=0.5)
    factors = [schedule.factor(step, 10) for step in range(10)]
    assert factors[:3] == [0.5, 1.0, 1.0]
    assert factors[6] == pytest.approx(0.75)
    assert factors[9] == pytest.approx(0.5 + 0.25 * (1 + math.cos(math.pi * 7 / 8)))


def test_every_task_has_its_recipe():
    assert RECIPES.keys() == TASKS.keys()
    assert all(name == recipe.task for name, recipe in RECIPES.items())
    assert RECIPES["psmnist"].permutation is Permutation.BIT_REVERSAL


def test_own_data_gets_a_network_that_fits():
    dataset = tiny_dataset()
    recipe = recipe_for("my/own.npz", dataset)
    assert (recipe.task, recipe.model.inputs, recipe.model.classes) == ("my/own.npz", 1, 3)
    assert recipe_for("smnist", dataset) is RECIPES["smnist"]
