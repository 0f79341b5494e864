"""Everything that determines the result of a QAFT, except the data."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

from ns4d.errors import ConfigError
from ns4d.model import Network, Norm
from ns4d.numerics import Arithmetic
from ns4d.quantize.options import Options
from ns4d.train import Optimizer, Recipe, Schedule
from ns4d.train.checkpoint import network_digest
from ns4d.train.settings import to_plain

RATE = 2e-3  # gives back in one epoch most of what few bits took


@dataclass(frozen=True)
class QaftRecipe:
    """One fine-tuning with the integers of one profile.

    Args:
        origin: Digest of the float network that it starts from.
        arithmetic: Widths and roundings of the program.
        training: The fine-tuning as a training: its network has batch normalization folded.
        options: How the scales are chosen, once, at the start.
        sequences: How many sequences calibrate them.
        distillation: Weight of the divergence from the float network's answers, beside the
            cross-entropy of the labels.

    Raises:
        ConfigError: If a value is impossible.
    """

    origin: str
    arithmetic: Arithmetic
    training: Recipe
    options: Options = field(default_factory=Options)
    sequences: int = 64
    distillation: float = 1.0

    def __post_init__(self) -> None:
        self._require("sequences", self.sequences >= 1, "at least 1")
        positive = 0 <= self.distillation < math.inf
        self._require("distillation", positive, "0 or a positive number")

    def plain(self) -> dict[str, Any]:
        """As JSON values, for files and for programs."""
        # An observer is known by its class, which only its text form names.
        return to_plain(self) | {"options": repr(self.options)}

    def _require(self, name: str, holds: bool, expected: str) -> None:
        if not holds:
            raise ConfigError(
                f"qaft.{name}",
                expected=expected,
                got=str(getattr(self, name)),
                fix=f"Set {name} accordingly.",
            )


def qaft_recipe(
    network: Network,
    trained: Recipe,
    arithmetic: Arithmetic,
    epochs: int,
    *,
    options: Options | None = None,
    sequences: int = 64,
    distillation: float = 1.0,
    rate: float = RATE,
) -> QaftRecipe:
    """The recipe that `ns4d quantize --qaft` takes for a network.

    Args:
        network: The trained network.
        trained: What it was trained with: task, order, augmentation, seed and sizes are kept.
        arithmetic: Widths and roundings of the program.
        epochs: Passes over the training part.
        options, sequences, distillation: As in `QaftRecipe`.
        rate: Peak learning rate of the weights; the state-space parameters take 0.3 of it.
    """
    training = replace(
        trained,
        model=replace(network.config, norm=_folded(network.config.norm), dropout=0.0),
        optimizer=Optimizer(rate=rate, ssm_rate=0.3 * rate, decay=0.0, clip=1.0),
        schedule=Schedule(epochs=epochs, warmup=0.02, final=0.0),
        batch=32,
        label_smoothing=0.0,
        start=None,  # the origin says it
        teacher=None,  # it is the origin
        distillation=1.0,
        temperature=1.0,
        bfloat16=False,
    )
    origin = network_digest(network)
    return QaftRecipe(origin, arithmetic, training, options or Options(), sequences, distillation)


def _folded(norm: Norm) -> Norm:
    return Norm.NONE if norm is Norm.BATCH else norm
