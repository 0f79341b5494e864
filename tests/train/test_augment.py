"""Augmentation moves images as images, in whatever order their pixels are shown."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import torch

from ns4d.data import Permutation
from ns4d.errors import ConfigError
from ns4d.train import Augmentation
from ns4d.train.augment import Hook, image_hooks, move_hook, warp_hook
from ns4d.train.batches import SplitTensors
from train.tiny import tiny_dataset

SIDE, COUNT = 8, 300


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_images(inputs: int = 1, kind: type = np.uint8) -> np.ndarray:
    """No pixel is 0, so that a zero is one that was moved in."""
    drawn = np.random.default_rng(0).integers(1, 256, (COUNT, SIDE, SIDE, inputs))
    return drawn.astype(kind)


def shifted(image: np.ndarray, down: int, right: int) -> np.ndarray:
    """A margin of zeros, and a window moved the other way."""
    margin = max(abs(down), abs(right))
    padded = np.pad(image, ((margin, margin), (margin, margin), (0, 0)))
    top, left = margin - down, margin - right
    return padded[top : top + SIDE, left : left + SIDE]


def change(
    augmentation: Augmentation,
    images: np.ndarray,
    permutation: Permutation,
    seed: int = 0,
    hook_of: Callable[..., Hook] = move_hook,
) -> np.ndarray:
    """Show the images as sequences, change them, put them together again."""
    order = permutation.order(SIDE * SIDE)
    pixels = images.reshape(COUNT, SIDE * SIDE, -1)
    hook = hook_of(augmentation, torch.from_numpy(order))
    moved = hook(torch.from_numpy(pixels[:, order]), seeded(seed)).numpy()
    result = np.empty_like(moved)
    result[:, order] = moved
    return result.reshape(images.shape)


def explanations(image: np.ndarray, result: np.ndarray, augmentation: Augmentation) -> list:
    """Every allowed change that turns the image into the result."""
    span = range(-augmentation.shift, augmentation.shift + 1)
    mirrors = (False, True) if augmentation.flip else (False,)
    return [
        (down, right, mirror)
        for down, right, mirror in itertools.product(span, span, mirrors)
        if (shifted(image[:, ::-1] if mirror else image, down, right) == result).all()
    ]


@pytest.mark.parametrize("permutation", list(Permutation))
@pytest.mark.parametrize("augmentation", [Augmentation(2), Augmentation(1, flip=True)])
def test_each_image_is_shifted_or_mirrored(permutation, augmentation):
    """One allowed change explains each result, and every allowed change occurs."""
    images = random_images()
    results = change(augmentation, images, permutation)
    pairs = zip(images, results, strict=True)
    found = [explanations(image, result, augmentation) for image, result in pairs]
    assert all(len(changes) == 1 for changes in found)
    kinds = (2 * augmentation.shift + 1) ** 2 * (1 + augmentation.flip)
    assert len({changes[0] for changes in found}) == kinds


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_all_inputs_of_a_pixel_move_together(kind):
    images = random_images(inputs=3, kind=kind)
    results = change(Augmentation(1, flip=True), images, Permutation.BIT_REVERSAL)
    assert results.dtype == kind
    for image, result in zip(images[:20], results[:20], strict=True):
        assert explanations(image, result, Augmentation(1, flip=True))


def test_a_shift_by_nothing_changes_nothing():
    images = random_images()
    assert (change(Augmentation(), images, Permutation.BIT_REVERSAL) == images).all()


@pytest.mark.parametrize("permutation", list(Permutation))
def test_a_mirrored_image_is_mirrored_back(permutation):
    """Twice with the same random numbers is not at all; once is NumPy's fliplr, for about half."""
    images, flip = random_images(), Augmentation(flip=True)
    once = change(flip, images, permutation)
    assert (change(flip, once, permutation) == images).all()
    mirrored = (once != images).any(axis=(1, 2, 3))
    assert (once[mirrored] == images[mirrored][:, :, ::-1]).all()
    assert 0.35 * COUNT < mirrored.sum() < 0.65 * COUNT


def test_the_generator_decides():
    images, augmentation = random_images(), Augmentation(2, flip=True)
    first, again, other = (change(augmentation, images, Permutation.NONE, s) for s in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_the_originals_stay_as_they_are():
    tokens = torch.from_numpy(random_images().reshape(COUNT, -1, 1))
    before = tokens.clone()
    move_hook(Augmentation(2, flip=True), torch.arange(SIDE * SIDE))(tokens, seeded())
    assert torch.equal(tokens, before)


def test_labels_and_lengths_are_untouched():
    dataset = tiny_dataset()
    part = SplitTensors(dataset.train, dataset.normalization, torch.device("cpu"))
    hook = move_hook(Augmentation(1), torch.arange(dataset.length))
    indices = torch.tensor([5, 3, 8])
    plain, changed = part.batch(indices), part.batch(indices, [hook], seeded())
    assert not torch.equal(plain[0], changed[0])
    assert torch.equal(plain[1], changed[1])
    assert plain[2] is changed[2] is None


def test_moved_in_pixels_are_raw_zeros():
    """Background comes before the normalization, not after it."""
    dataset = tiny_dataset()
    part = SplitTensors(dataset.train, dataset.normalization, torch.device("cpu"))
    hook = move_hook(Augmentation(3), torch.arange(dataset.length))
    tokens, _, _ = part.batch(torch.arange(20), [hook], seeded())
    background = -dataset.normalization.offset[0] / dataset.normalization.scale[0]
    assert tokens.min() == torch.tensor(background, dtype=torch.float32)


@pytest.mark.parametrize("length", [2, 63, 65])
def test_a_sequence_that_is_no_image(length):
    with pytest.raises(ConfigError) as caught:
        move_hook(Augmentation(1), torch.arange(length))
    assert str(caught.value) == (
        f"augmentation: expected square images, got sequences of {length} tokens. "
        "Set its shift, turn and zoom to 0 and its flip to false for this task."
    )


@pytest.mark.parametrize("changes", [{"shift": -1}, {"turn": -1.0}, {"zoom": -1.0}])
def test_a_negative_change(changes):
    (name,) = changes
    with pytest.raises(ConfigError, match=rf"augmentation.{name}: expected .*0.*, got -1"):
        Augmentation(**changes)


@pytest.mark.parametrize(
    ("augmentation", "moves", "warps"),
    [
        (Augmentation(), False, False),
        (Augmentation(1), True, False),
        (Augmentation(flip=True), True, False),
        (Augmentation(turn=5.0), False, True),
        (Augmentation(2, zoom=0.1), True, True),
    ],
)
def test_which_hooks_it_asks_for(augmentation, moves, warps):
    assert (augmentation.moves, augmentation.warps) == (moves, warps)
    assert len(image_hooks(augmentation, torch.arange(SIDE * SIDE))) == moves + warps


def disc(radius: float) -> np.ndarray:
    """The same image however it is turned, with an edge one pixel wide."""
    at = np.arange(SIDE) - (SIDE - 1) / 2
    distance = np.hypot(at[:, None], at)
    return (200 * np.clip(radius + 0.5 - distance, 0, 1)).astype(np.uint8)[..., None]


def warped(augmentation: Augmentation, images: np.ndarray, permutation: Permutation) -> np.ndarray:
    return change(augmentation, images, permutation, hook_of=warp_hook)


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
@pytest.mark.parametrize("permutation", list(Permutation))
def test_a_warp_by_nothing_changes_nothing(permutation, kind):
    images = random_images(inputs=3, kind=kind)
    results = warped(Augmentation(), images, permutation)
    assert results.dtype == kind
    assert results == pytest.approx(images, abs=1e-3)


def test_a_turn_is_about_the_centre():
    """A disc stays, a dot off the centre moves on a circle."""
    discs = np.tile(disc(2.5), (COUNT, 1, 1, 1))
    turned = warped(Augmentation(turn=180.0), discs, Permutation.BIT_REVERSAL)
    assert np.abs(turned.astype(int) - discs).max() < 50  # a quarter of its brightness
    dots = np.zeros((COUNT, SIDE, SIDE, 1), np.uint8)
    dots[:, 1, 3] = 200
    moved = warped(Augmentation(turn=180.0), dots, Permutation.BIT_REVERSAL).astype(float)
    at = np.arange(SIDE) - (SIDE - 1) / 2
    row, column = np.einsum("bxyi,x->b", moved, at), np.einsum("bxyi,y->b", moved, at)
    mass = moved.sum((1, 2, 3))
    radius = np.hypot(row, column) / mass
    assert radius == pytest.approx(np.hypot(2.5, 0.5), abs=0.25)
    angles = np.degrees(np.arctan2(row, column))
    assert np.histogram(angles, bins=6, range=(-180, 180))[0].min() > COUNT / 20


def test_a_turn_stays_within_its_limit():
    """From the inertia of a bar, whose axis turns with it."""
    bars = np.zeros((COUNT, SIDE, SIDE, 1), np.uint8)
    bars[:, 3:5, 1:7] = 200
    turned = warped(Augmentation(turn=20.0), bars, Permutation.NONE)[..., 0].astype(float)
    at = np.arange(SIDE) - (SIDE - 1) / 2
    xx = np.einsum("bxy,y->b", turned, at**2)
    yy = np.einsum("bxy,x->b", turned, at**2)
    xy = np.einsum("bxy,x,y->b", turned, at, at)
    angles = np.degrees(np.arctan2(2 * xy, xx - yy)) / 2
    assert 16 < np.abs(angles).max() < 22
    assert abs(angles.mean()) < 3


def test_a_zoom_stays_within_its_limit():
    """The area of a disc tells its size."""
    discs = np.tile(disc(2.0), (COUNT, 1, 1, 1))
    zoomed = warped(Augmentation(zoom=0.2), discs, Permutation.NONE)
    sizes = np.sqrt(zoomed.sum((1, 2, 3)) / discs[0].sum())
    assert 0.75 < sizes.min() < 0.86
    assert 1.14 < sizes.max() < 1.25


def test_a_warp_is_the_same_in_every_order():
    images, augmentation = random_images(), Augmentation(turn=30.0, zoom=0.2)
    plain, reversed_bits = (
        warped(augmentation, images, order)
        for order in (Permutation.NONE, Permutation.BIT_REVERSAL)
    )
    assert (plain == reversed_bits).all()


@pytest.mark.parametrize("hook", [move_hook, warp_hook])
def test_no_hook_takes_a_sequence_that_is_no_image(hook):
    with pytest.raises(ConfigError, match="expected square images, got sequences of 65 tokens"):
        hook(Augmentation(1, turn=3.0), torch.arange(65))
