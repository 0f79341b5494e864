"""The recipes of the built-in tasks: one row each, every hyper-parameter stated.

The schedules fit the machines we train on: digits trains in about a minute and smnist in about
an hour on two CPU cores; scifar wants a GPU.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ns4d.data import Permutation
from ns4d.model import ModelConfig
from ns4d.model.config import large, small
from ns4d.train.augment import Augmentation
from ns4d.train.recipe import Optimizer, Recipe, Schedule

DIGITS = Recipe(
    task="digits",
    model=ModelConfig(inputs=1, classes=10, channels=32, modes=16),
    optimizer=Optimizer(rate=8e-3, ssm_rate=4e-3, decay=0.01, clip=1.0),
    schedule=Schedule(epochs=60, warmup=0.1, final=0.0),
    augmentation=Augmentation(shift=0, flip=False),
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
    model=large(),
    optimizer=Optimizer(rate=4e-3, ssm_rate=1e-3, decay=0.01, clip=1.0),
    schedule=Schedule(epochs=100, warmup=0.1, final=0.0),
    augmentation=Augmentation(shift=0, flip=False),
    batch=64,
    label_smoothing=0.0,
    seed=0,
)

RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {recipe.task: recipe for recipe in (DIGITS, SMNIST, PSMNIST, SCIFAR)}
)
