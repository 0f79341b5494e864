"""Random changes to training sequences that keep their label.

Images are changed as images, whatever the order in which their pixels are shown. Shifts and
mirror images are maps from pixel to source pixel and keep every value; turns and changes of size
interpolate between four pixels.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Int, Shaped
from torch import Tensor
from torch.nn import functional

from ns4d.data import Dataset, Permutation
from ns4d.errors import ConfigError

Hook = Callable[[Tensor, torch.Generator], Tensor]


@dataclass(frozen=True)
class Augmentation:
    """What is changed at random in each training sequence.

    Args:
        shift: Largest shift of an image in each direction, pixels; uncovered pixels become 0.
        flip: Whether half of the images are mirrored left to right.
        turn: Largest turn of an image about its centre in each direction, degrees.
        zoom: Largest change of its size in each direction, as a fraction of it.

    Raises:
        ConfigError: If a value is negative, not finite, or a size of zero or less.
    """

    shift: int = 0
    flip: bool = False
    turn: float = 0.0
    zoom: float = 0.0

    def __post_init__(self) -> None:
        _require("shift", self.shift >= 0, "0 or more pixels", self.shift)
        _require("turn", 0 <= self.turn <= 180, "0 to 180 degrees", self.turn)
        _require("zoom", 0 <= self.zoom < 1, "a fraction in [0, 1)", self.zoom)

    @property
    def moves(self) -> bool:
        """Whether pixels change places."""
        return self.shift > 0 or self.flip

    @property
    def warps(self) -> bool:
        """Whether pixels are interpolated."""
        return self.turn > 0 or self.zoom > 0


def _require(name: str, holds: bool, expected: str, got: object) -> None:
    if not holds:
        raise ConfigError(
            f"augmentation.{name}",
            expected=expected,
            got=str(got),
            fix="Give the largest change in either direction as a positive number.",
        )


def dataset_hooks(augmentation: Augmentation, dataset: Dataset, device: torch.device) -> list[Hook]:
    """The hooks that an augmentation asks for, for the sequences of a dataset.

    Args:
        augmentation: What to change.
        dataset: Its task shows images, in the order of its permutation.
        device: Where the sequences are.

    Returns:
        As `image_hooks`.

    Raises:
        ConfigError: If the sequences are no square images.
    """
    order = Permutation(dataset.permutation).order(dataset.length)
    return image_hooks(augmentation, torch.from_numpy(order).to(device))


def image_hooks(augmentation: Augmentation, order: Int[Tensor, " l"]) -> list[Hook]:
    """The hooks that an augmentation asks for, for images shown in the given order.

    Args:
        augmentation: What to change.
        order: Position in the image, row by row, of each token.

    Returns:
        Functions of raw tokens (b, l, i) and a random generator.

    Raises:
        ConfigError: If the number of tokens is not a square.
    """
    hooks = [warp_hook(augmentation, order)] if augmentation.warps else []
    return [*hooks, move_hook(augmentation, order)] if augmentation.moves else hooks


def warp_hook(augmentation: Augmentation, order: Int[Tensor, " l"]) -> Hook:
    """A hook that turns square images and changes their size, as `image_hooks` gives it.

    Both about the centre. Values are interpolated between the four nearest pixels, those outside
    being 0, and rounded where the tokens are whole numbers.
    """
    side, place = _side(order), torch.argsort(order)

    def change(tokens: Shaped[Tensor, "b l i"], generator: torch.Generator) -> Tensor:
        turn, zoom = 2 * torch.rand(2, len(tokens), generator=generator) - 1
        angle, size = torch.deg2rad(augmentation.turn * turn), 1 + augmentation.zoom * zoom
        x, y, zero = torch.cos(angle) / size, torch.sin(angle) / size, torch.zeros_like(size)
        source = torch.stack([x, y, zero, -y, x, zero], dim=-1).view(-1, 2, 3)
        source = _send(source, order.device)
        images = tokens[:, place].mT.float().unflatten(-1, (side, side))
        grid = functional.affine_grid(source, list(images.shape), align_corners=False)
        warped = functional.grid_sample(images, grid, align_corners=False)
        warped = warped.flatten(-2).mT[:, order]
        return (warped if tokens.is_floating_point() else warped.round()).to(tokens.dtype)

    return change


def move_hook(augmentation: Augmentation, order: Int[Tensor, " l"]) -> Hook:
    """A hook that shifts and mirrors square images, as `image_hooks` gives it."""
    side = _side(order)
    place = torch.argsort(order)
    row, column = order // side, order % side

    def change(tokens: Shaped[Tensor, "b l i"], generator: torch.Generator) -> Tensor:
        drawn = _draw(augmentation, len(tokens), generator)
        down, right, mirrored = (_send(part, order.device) for part in drawn)
        x = torch.where(mirrored, side - 1 - column, column) - right
        y = row - down
        inside = (x >= 0) & (x < side) & (y >= 0) & (y < side)
        source = place[torch.where(inside, y * side + x, 0)]
        moved = torch.gather(tokens, 1, source[..., None].expand_as(tokens))
        return moved * inside[..., None]

    return change


def _side(order: Int[Tensor, " l"]) -> int:
    side = math.isqrt(len(order))
    if side * side != len(order):
        raise ConfigError(
            "augmentation",
            expected="square images",
            got=f"sequences of {len(order)} tokens",
            fix="Set its shift, turn and zoom to 0 and its flip to false for this task.",
        )
    return side


def _send(drawn: Tensor, device: torch.device) -> Tensor:
    """From where random numbers are drawn to where the images are, without waiting."""
    if device.type != "cuda":
        return drawn.to(device)
    return drawn.pin_memory().to(device, non_blocking=True)


def _draw(
    augmentation: Augmentation, batch: int, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    span = 2 * augmentation.shift + 1
    moves = torch.randint(span, (2, batch, 1), generator=generator) - augmentation.shift
    coin = torch.randint(2, (batch, 1), generator=generator).bool()
    return moves[0], moves[1], coin & augmentation.flip
