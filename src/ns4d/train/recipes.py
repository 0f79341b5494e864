"""The recipes of the built-in tasks: one row each, every hyper-parameter stated.

The schedules fit the machines we train on: digits takes seconds; 20 epochs of smnist took 74
minutes on two CPU cores shared with other work; scifar wants a GPU, ten minutes of an H100. Its
batch norm folds into the linear maps, so that the program is one of the paper's network.
Journals of trainings are in benchmarks/results, with what departs from the recipes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from ns4d.data import Dataset, Permutation
from ns4d.model import ModelConfig, Norm
from ns4d.model.config import large, small
from ns4d.train.augment import Augmentation
from ns4d.train.recipe import Optimizer, Recipe, Schedule

DIGITS = Recipe(
    task="digits",
    model=ModelConfig(inputs=1, classes=10, channels=32, modes=16, step_min=1e-2, step_max=5e-1),
    optimizer=Optimizer(rate=8e-3, ssm_rate=4e-3, decay=0.01, clip=1.0),
    schedule=Schedule(epochs=60, warmup=0.1, final=0.0),
    augmentation=Augmentation(turn=10.0, zoom=0.1),
    batch=64,
    label_smoothing=0.0,
    seed=0,
)

SMNIST = Recipe(
    task="smnist",
    model=small(),
    optimizer=Optimizer(rate=4e-3, ssm_rate=1e-3, decay=0.01, clip=1.0),
    schedule=Schedule(epochs=20, warmup=0.1, final=0.0),
    augmentation=Augmentation(shift=1, flip=False),
    batch=64,
    label_smoothing=0.0,
    seed=0,
)

PSMNIST = Recipe(
    task="psmnist",
    model=small(),
    optimizer=Optimizer(rate=4e-3, ssm_rate=1e-3, decay=0.01, clip=1.0),
    schedule=Schedule(epochs=40, warmup=0.1, final=0.0),
    augmentation=Augmentation(shift=1, flip=False),
    permutation=Permutation.BIT_REVERSAL,
    batch=64,
    label_smoothing=0.0,
    seed=0,
)

SCIFAR = Recipe(
    task="scifar",
    model=replace(large(), norm=Norm.BATCH, dropout=0.1),
    optimizer=Optimizer(rate=4e-3, ssm_rate=1e-3, decay=0.05, clip=1.0),
    schedule=Schedule(epochs=105, warmup=0.1, final=0.0),
    augmentation=Augmentation(shift=3, flip=True),
    batch=64,
    label_smoothing=0.0,
    seed=0,
)

RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {recipe.task: recipe for recipe in (DIGITS, SMNIST, PSMNIST, SCIFAR)}
)


def recipe_for(task: str, dataset: Dataset) -> Recipe:
    """The built-in recipe of a task; for the user's own data, that of digits, widened to fit.

    Sequences of one's own need not be images, so nothing changes them at random.

    Args:
        task: Name of a task or path of a `.npz`.
        dataset: The task's data.

    Returns:
        A recipe whose network has the data's inputs and classes.
    """
    if task in RECIPES:
        return RECIPES[task]
    model = replace(DIGITS.model, inputs=dataset.inputs, classes=len(dataset.classes))
    return replace(DIGITS, task=task, model=model, augmentation=Augmentation())
