"""The bundled digits: complete, split the same way every time, no folder needed."""

from __future__ import annotations

import hashlib
import sys

import numpy as np
import pytest

from ns4d.data import Dataset
from ns4d.data.digits import PIXEL_MEAN, PIXEL_STD, load
from ns4d.data.measure import measure
from ns4d.errors import DataError


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load(None)


def rows(dataset: Dataset) -> list[bytes]:
    """Every image with its label, whatever part it is in."""
    return sorted(
        token.tobytes() + bytes([label])
        for _, split in dataset.splits()
        for token, label in zip(split.tokens, split.labels, strict=True)
    )


def test_the_sizes(digits: Dataset):
    assert [len(split) for _, split in digits.splits()] == [1294, 144, 359]
    assert (digits.length, digits.inputs) == (64, 1)
    assert (digits.task, digits.permutation) == ("digits", "none")
    assert digits.classes == tuple("0123456789")


def test_the_values_are_0_to_16(digits: Dataset):
    for _, split in digits.splits():
        assert split.tokens.dtype == np.uint8
        assert split.tokens.max() == 16
        assert (split.lengths == 64).all()


def test_the_parts_are_the_bundled_images(digits: Dataset):
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    pairs = zip(pixels.astype(np.uint8), labels, strict=True)
    assert rows(digits) == sorted(image.tobytes() + bytes([label]) for image, label in pairs)


def test_each_digit_is_split_in_proportion(digits: Dataset):
    total = sum(np.bincount(split.labels) for _, split in digits.splits())
    test = np.bincount(digits.test.labels)
    validation = np.bincount(digits.validation.labels)
    assert np.abs(test - 0.2 * total).max() <= 1
    assert np.abs(validation - 0.1 * (total - test)).max() <= 1


def test_the_parts_are_pinned(digits: Dataset):
    """Another split would make old results incomparable."""
    found = [hashlib.sha256(split.tokens.tobytes()).hexdigest() for _, split in digits.splits()]
    assert [digest[:16] for digest in found[1:]] == ["5bf8d1f766689eba", "e617d9dba963b9ad"]


def test_the_constants_are_those_of_the_train_pixels(digits: Dataset):
    measured = measure(digits.train)
    assert round(measured.offset[0], 4) == PIXEL_MEAN
    assert round(measured.scale[0], 4) == PIXEL_STD
    assert digits.normalization.offset.tolist() == [PIXEL_MEAN]
    assert digits.normalization.scale.tolist() == [PIXEL_STD]


def test_without_scikit_learn_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(DataError, match=r'not installed\. Run `pip install "ns4d\[train\]"`'):
        load(None)
