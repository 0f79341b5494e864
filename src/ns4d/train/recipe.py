"""A recipe: everything that determines the result of a training, except the data."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from ns4d.data import Permutation
from ns4d.errors import ConfigError
from ns4d.model import ModelConfig
from ns4d.train.augment import Augmentation


def _require(where: str, holds: bool, expected: str, got: object) -> None:
    if not holds:
        raise ConfigError(where, expected=expected, got=str(got), fix=f"Set {where} accordingly.")


@dataclass(frozen=True)
class Optimizer:
    """AdamW with two rates; A, B and the step of the SSM take the second and no decay.

    Args:
        rate: Peak learning rate of all other parameters.
        ssm_rate: Peak learning rate of A, B and the step.
        decay: Weight decay of all other parameters.
        clip: Largest norm of the gradient; longer ones are scaled down.
    """

    rate: float = 4e-3
    ssm_rate: float = 1e-3
    decay: float = 0.01
    clip: float = 1.0

    def __post_init__(self) -> None:
        for name in ("rate", "ssm_rate", "clip"):
            value = getattr(self, name)
            _require(f"optimizer.{name}", 0 < value < math.inf, "a positive number", value)
        _require("optimizer.decay", 0 <= self.decay < 1, "a number in [0, 1)", self.decay)


@dataclass(frozen=True)
class Schedule:
    """Linear warm-up, then a cosine to the final rate.

    Args:
        epochs: Passes over the training part.
        warmup: Fraction of all steps spent warming up.
        final: Last rate as a fraction of the peak.
    """

    epochs: int = 10
    warmup: float = 0.1
    final: float = 0.0

    def __post_init__(self) -> None:
        _require("schedule.epochs", self.epochs >= 1, "at least 1", self.epochs)
        _require("schedule.warmup", 0 <= self.warmup < 1, "a fraction in [0, 1)", self.warmup)
        _require("schedule.final", 0 <= self.final <= 1, "a fraction in [0, 1]", self.final)

    def factor(self, step: int, steps: int) -> float:
        """Rate at a step (counted from 0) of so many, relative to the peak."""
        warm = max(1, round(self.warmup * steps))
        if step < warm:
            return (step + 1) / warm
        progress = (step - warm) / max(1, steps - warm)
        return self.final + (1 - self.final) * (1 + math.cos(math.pi * progress)) / 2


@dataclass(frozen=True)
class Recipe:
    """One training.

    Args:
        task: Name of the task, or path of the user's own `.npz`.
        model: The network.
        optimizer: Rates, decay, clipping.
        schedule: Epochs and the course of the rates.
        augmentation: Random changes to the training images.
        permutation: Order of the tokens; None keeps the task's own.
        batch: Sequences per step, over all processes.
        label_smoothing: Probability mass spread over all classes.
        seed: Seeds weights, order, dropout and augmentation; never the split.
        start: Digest of the trained network to begin from (`network_digest`); None begins with
            random weights.
        teacher: Digest of the network whose answers are learnt beside the labels, if any.
        distillation: Weight of the divergence from the teacher's answers.
        temperature: That at which the answers are compared; see `ns4d.train.teacher`.
        bfloat16: Mixed precision for the linear maps, and for what PyTorch's autocast lowers in a
            teacher; the SSM stays in float32.

    Raises:
        ConfigError: If a value is impossible.
    """

    task: str
    model: ModelConfig
    optimizer: Optimizer = field(default_factory=Optimizer)
    schedule: Schedule = field(default_factory=Schedule)
    augmentation: Augmentation = field(default_factory=Augmentation)
    permutation: Permutation | None = None
    batch: int = 64
    label_smoothing: float = 0.0
    seed: int = 0
    start: str | None = None
    teacher: str | None = None
    distillation: float = 1.0
    temperature: float = 1.0
    bfloat16: bool = False

    def __post_init__(self) -> None:
        _require("batch", self.batch >= 1, "at least 1", self.batch)
        _require("seed", self.seed >= 0, "0 or more", self.seed)
        mass = self.label_smoothing
        _require("label_smoothing", 0 <= mass < 1, "a probability in [0, 1)", mass)
        weight = self.distillation
        _require("distillation", 0 <= weight < math.inf, "0 or a positive number", weight)
        alone = self.teacher is None
        _require("distillation", not alone or weight == 1, "1 without a teacher", weight)
        heat = self.temperature
        _require("temperature", 0 < heat < math.inf, "a positive number", heat)
        _require("temperature", not alone or heat == 1, "1 without a teacher", heat)
