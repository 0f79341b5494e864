"""Data and recipes so small that a training takes a tenth of a second."""

from __future__ import annotations

from typing import Any

import numpy as np

from ns4d.data import Dataset, Normalization, Split
from ns4d.model import ModelConfig, Norm
from ns4d.train import Augmentation, Optimizer, Recipe, Schedule

SIDE, CLASSES = 4, 3
STEPS_PER_EPOCH, EPOCHS = 5, 3
STEPS = STEPS_PER_EPOCH * EPOCHS


def tiny_split(count: int, seed: int) -> Split:
    """Noisy images of SIDE × SIDE pixels whose brightness tells the class."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % CLASSES
    noise = generator.integers(0, 60, (count, SIDE * SIDE, 1))
    tokens = (noise + 40 * labels[:, None, None]).astype(np.uint8)
    return Split(tokens, labels, np.full(count, SIDE * SIDE))


def tiny_dataset(permutation: str = "none") -> Dataset:
    """43 train sequences: with batches of 8, three are left out of each epoch."""
    return Dataset(
        "tiny",
        train=tiny_split(43, seed=1),
        validation=tiny_split(21, seed=2),
        test=tiny_split(21, seed=3),
        normalization=Normalization(np.array([70.0]), np.array([40.0])),
        classes=("dark", "grey", "bright"),
        permutation=permutation,
    )


def tiny_model(**changes: Any) -> ModelConfig:
    """Two layers of eight channels."""
    sizes = {"inputs": 1, "classes": CLASSES, "channels": 8, "modes": 4, "layers": 2}
    return ModelConfig(**sizes | changes)


def tiny_recipe(**changes: Any) -> Recipe:
    """Nothing random but weights and order."""
    return Recipe(
        **{
            "task": "tiny",
            "model": tiny_model(),
            "optimizer": Optimizer(rate=1e-2, ssm_rate=4e-3),
            "schedule": Schedule(epochs=EPOCHS),
            "batch": 8,
        }
        | changes
    )


def restless_recipe(**changes: Any) -> Recipe:
    """Everything random that a recipe offers, so that a resumed run could go wrong."""
    return tiny_recipe(
        **{
            "model": tiny_model(dropout=0.2, norm=Norm.BATCH),
            "augmentation": Augmentation(shift=1, flip=True),
            "label_smoothing": 0.1,
            "seed": 3,
        }
        | changes
    )
