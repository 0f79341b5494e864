"""Permuted MNIST is sequential MNIST in another order, by default the one of the S4 code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ns4d.data import Dataset, Permutation, load_task
from ns4d.data.psmnist import load
from ns4d.errors import DataError


@pytest.fixture(scope="module")
def psmnist(data_dir: Path) -> Dataset:
    return load_task("psmnist", data_dir)


def test_the_order_is_bit_reversal(psmnist: Dataset, smnist: Dataset):
    order = Permutation.BIT_REVERSAL.order(784)
    assert psmnist.permutation == "bit-reversal"
    for (_, shown), (_, original) in zip(psmnist.splits(), smnist.splits(), strict=True):
        assert np.array_equal(shown.tokens, original.tokens[:, order])


def test_the_first_tokens_of_the_first_test_image(psmnist: Dataset, smnist: Dataset):
    pixels = smnist.test.tokens[0, :, 0]
    expected = [pixels[position] for position in (0, 512, 256, 768, 128, 640, 384, 64)]
    assert psmnist.test.tokens[0, :8, 0].tolist() == expected


def test_labels_and_normalization_are_those_of_smnist(psmnist: Dataset, smnist: Dataset):
    assert (psmnist.task, psmnist.classes) == ("psmnist", smnist.classes)
    assert np.array_equal(psmnist.normalization.offset, smnist.normalization.offset)
    assert np.array_equal(psmnist.normalization.scale, smnist.normalization.scale)
    for (_, shown), (_, original) in zip(psmnist.splits(), smnist.splits(), strict=True):
        assert np.array_equal(shown.labels, original.labels)


def test_the_other_order_is_taken_by_name(data_dir: Path, smnist: Dataset):
    found = load_task("psmnist", data_dir, Permutation.RANDOM_92916)
    order = np.random.RandomState(92916).permutation(784)
    assert (found.task, found.permutation) == ("psmnist", "random-92916")
    assert np.array_equal(found.test.tokens, smnist.test.tokens[:, order])


def test_a_missing_file_names_this_task(tmp_path: Path):
    with pytest.raises(DataError, match="run `ns4d train psmnist --data-dir FOLDER`"):
        load(tmp_path)
