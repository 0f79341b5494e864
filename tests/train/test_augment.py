"""Augmentation moves images as images, in whatever order their pixels are shown."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from ns4d.data import Permutation
from ns4d.errors import ConfigError
from ns4d.train import Augmentation
from ns4d.train.augment import image_hook
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
    augmentation: Augmentation, images: np.ndarray, permutation: Permutation, seed: int = 0
) -> np.ndarray:
    """Show the images as sequences, change them, put them together again."""
    order = permutation.order(SIDE * SIDE)
    pixels = images.reshape(COUNT, SIDE * SIDE, -1)
    hook = image_hook(augmentation, torch.from_numpy(order))
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
    image_hook(Augmentation(2, flip=True), torch.arange(SIDE * SIDE))(tokens, seeded())
    assert torch.equal(tokens, before)


def test_labels_and_lengths_are_untouched():
    dataset = tiny_dataset()
    part = SplitTensors(dataset.train, dataset.normalization, torch.device("cpu"))
    hook = image_hook(Augmentation(1), torch.arange(dataset.length))
    indices = torch.tensor([5, 3, 8])
    plain, changed = part.batch(indices), part.batch(indices, [hook], seeded())
    assert not torch.equal(plain[0], changed[0])
    assert torch.equal(plain[1], changed[1])
    assert plain[2] is changed[2] is None


def test_moved_in_pixels_are_raw_zeros():
    """Background comes before the normalization, not after it."""
    dataset = tiny_dataset()
    part = SplitTensors(dataset.train, dataset.normalization, torch.device("cpu"))
    hook = image_hook(Augmentation(3), torch.arange(dataset.length))
    tokens, _, _ = part.batch(torch.arange(20), [hook], seeded())
    background = -dataset.normalization.offset[0] / dataset.normalization.scale[0]
    assert tokens.min() == torch.tensor(background, dtype=torch.float32)


@pytest.mark.parametrize("length", [2, 63, 65])
def test_a_sequence_that_is_no_image(length):
    with pytest.raises(ConfigError) as caught:
        image_hook(Augmentation(1), torch.arange(length))
    assert str(caught.value) == (
        f"augmentation: expected square images, got sequences of {length} tokens. "
        "Set augmentation.shift=0 and augmentation.flip=false for this task."
    )


def test_a_negative_shift():
    with pytest.raises(ConfigError, match=r"augmentation.shift: expected 0 or more pixels, got -1"):
        Augmentation(shift=-1)


@pytest.mark.parametrize(
    ("augmentation", "active"),
    [(Augmentation(), False), (Augmentation(1), True), (Augmentation(flip=True), True)],
)
def test_whether_it_does_anything(augmentation, active):
    assert augmentation.active is active
