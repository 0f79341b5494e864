"""Random changes to training sequences that keep their label.

Images are shifted and mirrored as images, whatever the order in which their pixels are shown:
each change is a map from pixel to source pixel, applied through the order of the tokens.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Int, Shaped
from torch import Tensor

from ns4d.errors import ConfigError

Hook = Callable[[Tensor, torch.Generator], Tensor]


@dataclass(frozen=True)
class Augmentation:
    """What is changed at random in each training sequence.

    Args:
        shift: Largest shift of an image in each direction, pixels; uncovered pixels become 0.
        flip: Whether half of the images are mirrored left to right.

    Raises:
        ConfigError: If the shift is negative.
    """

    shift: int = 0
    flip: bool = False

    def __post_init__(self) -> None:
        if self.shift < 0:
            raise ConfigError(
                "augmentation.shift",
                expected="0 or more pixels",
                got=str(self.shift),
                fix="Give the largest shift as a positive number.",
            )

    @property
    def active(self) -> bool:
        """Whether anything is changed at all."""
        return self.shift > 0 or self.flip


def image_hook(augmentation: Augmentation, order: Int[Tensor, " l"]) -> Hook:
    """A hook that shifts and mirrors square images shown in the given order.

    Args:
        augmentation: What to change.
        order: Position in the image, row by row, of each token.

    Returns:
        A function of raw tokens (b, l, i) and a random generator.

    Raises:
        ConfigError: If the number of tokens is not a square.
    """
    side = math.isqrt(len(order))
    if side * side != len(order):
        raise ConfigError(
            "augmentation",
            expected="square images",
            got=f"sequences of {len(order)} tokens",
            fix="Set augmentation.shift=0 and augmentation.flip=false for this task.",
        )
    place = torch.argsort(order)
    row, column = order // side, order % side

    def change(tokens: Shaped[Tensor, "b l i"], generator: torch.Generator) -> Tensor:
        drawn = _draw(augmentation, len(tokens), generator)
        down, right, mirrored = (part.to(order.device) for part in drawn)
        x = torch.where(mirrored, side - 1 - column, column) - right
        y = row - down
        inside = (x >= 0) & (x < side) & (y >= 0) & (y < side)
        source = place[torch.where(inside, y * side + x, 0)]
        moved = torch.gather(tokens, 1, source[..., None].expand_as(tokens))
        return moved * inside[..., None]

    return change


def _draw(
    augmentation: Augmentation, batch: int, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    span = 2 * augmentation.shift + 1
    moves = torch.randint(span, (2, batch, 1), generator=generator) - augmentation.shift
    coin = torch.randint(2, (batch, 1), generator=generator).bool()
    return moves[0], moves[1], coin & augmentation.flip
