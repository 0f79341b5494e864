"""Sequential MNIST against the published facts, then with its files damaged."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest

from ns4d.data import Dataset
from ns4d.data.measure import measure
from ns4d.data.smnist import (
    PIXEL_MEAN,
    PIXEL_STD,
    TEST_IMAGES,
    TEST_LABELS,
    TRAIN_IMAGES,
    TRAIN_LABELS,
    load,
)
from ns4d.errors import DataError

FILES = (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS)

# Images per digit, 0 to 9, of the original files.
TRAIN_COUNTS = (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949)
TEST_COUNTS = (980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009)

PUBLISHED_MD5 = ("f68b3c2d", "d53e105e", "9fb629c4", "ec29112d")


def counts(labels: np.ndarray) -> tuple[int, ...]:
    return tuple(np.bincount(labels, minlength=10).tolist())


def rows(tokens: np.ndarray) -> list[bytes]:
    return sorted(image.tobytes() for image in tokens)


@pytest.mark.parametrize(("file", "md5"), list(zip(FILES, PUBLISHED_MD5, strict=True)))
def test_the_pinned_files_are_the_published_ones(data_dir: Path, file, md5: str):
    content = (data_dir / "mnist" / file.name).read_bytes()
    assert hashlib.md5(content, usedforsecurity=False).hexdigest().startswith(md5)
    assert file.read(data_dir / "mnist" / file.name, "smnist") == content


def test_the_sizes(smnist: Dataset):
    assert [len(split) for _, split in smnist.splits()] == [54000, 6000, 10000]
    assert (smnist.length, smnist.inputs) == (784, 1)
    assert (smnist.task, smnist.permutation) == ("smnist", "none")
    assert smnist.classes == tuple("0123456789")


def test_tokens_are_bytes_and_every_sequence_is_full(smnist: Dataset):
    for _, split in smnist.splits():
        assert split.tokens.dtype == np.uint8
        assert (split.lengths == 784).all()


def test_the_label_counts_are_the_published_ones(smnist: Dataset):
    together = np.concatenate([smnist.train.labels, smnist.validation.labels])
    assert counts(together) == TRAIN_COUNTS
    assert counts(smnist.test.labels) == TEST_COUNTS


def test_validation_is_a_tenth_of_each_digit(smnist: Dataset):
    found = np.array(counts(smnist.validation.labels))
    assert np.abs(found - np.array(TRAIN_COUNTS) / 10).max() <= 1


def test_train_and_validation_are_the_official_train_images(smnist: Dataset, data_dir: Path):
    """Each image once, none from the test part: read with the gzip module alone."""
    raw = gzip.decompress((data_dir / "mnist" / TRAIN_IMAGES.name).read_bytes())
    official = np.frombuffer(raw, dtype=np.uint8, offset=16).reshape(60000, 784, 1)
    assert rows(official) == sorted(rows(smnist.train.tokens) + rows(smnist.validation.tokens))


def test_the_parts_share_no_image(smnist: Dataset):
    train, validation, test = (set(rows(split.tokens)) for _, split in smnist.splits())
    assert not train & validation
    assert not train & test
    assert not validation & test


def test_the_test_part_is_the_official_one_in_order(smnist: Dataset, data_dir: Path):
    raw = gzip.decompress((data_dir / "mnist" / TEST_IMAGES.name).read_bytes())
    assert smnist.test.tokens.tobytes() == raw[16:]
    raw = gzip.decompress((data_dir / "mnist" / TEST_LABELS.name).read_bytes())
    assert smnist.test.labels.astype(np.uint8).tobytes() == raw[8:]


def test_the_validation_part_is_pinned(smnist: Dataset):
    """Another held-out part would make old results incomparable."""
    digest = hashlib.sha256(smnist.validation.tokens.tobytes()).hexdigest()
    assert digest[:16] == "13d24d34c11754a9"
    assert smnist.validation.labels[:8].tolist() == [4, 2, 7, 7, 8, 4, 1, 2]


def test_another_training_seed_holds_out_the_same(smnist: Dataset, data_dir: Path):
    np.random.seed(12345)
    again = load(data_dir)
    assert np.array_equal(again.validation.tokens, smnist.validation.tokens)
    assert np.array_equal(again.train.labels, smnist.train.labels)


def test_the_constants_are_those_of_the_train_pixels(smnist: Dataset):
    measured = measure(smnist.train)
    assert round(measured.offset[0], 4) == PIXEL_MEAN
    assert round(measured.scale[0], 4) == PIXEL_STD
    assert smnist.normalization.offset.tolist() == [PIXEL_MEAN]
    assert smnist.normalization.scale.tolist() == [PIXEL_STD]


def test_the_files_may_lie_directly_in_the_folder(mnist_copy: Path, smnist: Dataset):
    found = load(mnist_copy / "mnist")
    assert np.array_equal(found.test.tokens, smnist.test.tokens)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_missing_file_is_named(mnist_copy: Path, file):
    (mnist_copy / "mnist" / file.name).unlink()
    expected = rf"expected the file mnist/{file.name} or {file.name}, got neither"
    with pytest.raises(DataError, match=expected):
        load(mnist_copy)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_truncated_file_is_named(mnist_copy: Path, replace_file, file):
    path = mnist_copy / "mnist" / file.name
    replace_file(path, path.read_bytes()[:1000])
    expected = (
        rf"{file.name}: expected {file.size} bytes, got 1000 bytes\. Fetch .* again from http"
    )
    with pytest.raises(DataError, match=expected):
        load(mnist_copy)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_an_altered_file_is_named(mnist_copy: Path, replace_file, file):
    path = mnist_copy / "mnist" / file.name
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    replace_file(path, bytes(content))
    expected = rf"{file.name}: expected SHA-256 {file.sha256}, got .* `ns4d train smnist --data-dir"
    with pytest.raises(DataError, match=expected):
        load(mnist_copy)


def test_swapped_files_are_noticed(mnist_copy: Path, replace_file, data_dir: Path):
    test_labels = (data_dir / "mnist" / TEST_LABELS.name).read_bytes()
    replace_file(mnist_copy / "mnist" / TRAIN_LABELS.name, test_labels)
    with pytest.raises(
        DataError, match=r"train-labels-idx1-ubyte\.gz: expected 28881 bytes, got 4"
    ):
        load(mnist_copy)
