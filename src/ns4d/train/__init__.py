"""Training: recipes, one readable loop, resumable checkpoints."""

from ns4d.train.augment import Augmentation
from ns4d.train.checkpoint import load_network
from ns4d.train.evaluate import Evaluation, evaluate
from ns4d.train.loop import TrainingResult, train
from ns4d.train.recipe import Optimizer, Recipe, Schedule
from ns4d.train.recipes import RECIPES
from ns4d.train.settings import override

__all__ = [
    "RECIPES",
    "Augmentation",
    "Evaluation",
    "Optimizer",
    "Recipe",
    "Schedule",
    "TrainingResult",
    "evaluate",
    "load_network",
    "override",
    "train",
]
