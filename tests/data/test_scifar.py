"""Sequential CIFAR-10 in its packed form: its checksums, its parts, and damaged files."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np
import pytest

from ns4d.data import Dataset, Split, load_task
from ns4d.data.cifar_mosaic import SHA256, read_mosaics
from ns4d.data.measure import measure
from ns4d.data.scifar import CLASSES, PIXEL_MEAN, PIXEL_STD, load
from ns4d.errors import DataError


@pytest.fixture(scope="module")
def scifar(data_dir: Path) -> Dataset:
    return load_task("scifar", data_dir)


@pytest.fixture
def packed(data_dir: Path, tmp_path: Path) -> Path:
    """A data folder whose cifar10/ holds links to the real packed files."""
    folder = tmp_path / "cifar10"
    folder.mkdir()
    for path in (data_dir / "cifar10").iterdir():
        (folder / path.name).symlink_to(path)
    return tmp_path


def original(split: Split) -> np.ndarray:
    """The images in their original axes: image, colour, row, column."""
    return split.tokens.transpose(0, 2, 1).reshape(-1, 3, 32, 32)


def keys(split: Split) -> list[bytes]:
    """One short key per image and label."""
    digests = (hashlib.md5(image, usedforsecurity=False).digest() for image in split.tokens)
    return [d + bytes([label]) for d, label in zip(digests, split.labels, strict=True)]


def test_the_sizes(scifar: Dataset):
    assert [len(split) for _, split in scifar.splits()] == [45000, 5000, 10000]
    assert (scifar.length, scifar.inputs) == (1024, 3)
    assert (scifar.task, scifar.permutation) == ("scifar", "none")
    assert scifar.classes == CLASSES
    for _, split in scifar.splits():
        assert split.tokens.dtype == np.uint8
        assert (split.lengths == 1024).all()


def test_each_class_is_a_tenth_of_each_part(scifar: Dataset):
    for _, split in scifar.splits():
        assert np.bincount(split.labels).tolist() == [len(split) // 10] * 10


def test_the_test_part_is_the_official_one_in_order(scifar: Dataset):
    images = np.ascontiguousarray(original(scifar.test))
    assert hashlib.sha256(images).hexdigest() == SHA256["x_test"]
    labels = scifar.test.labels.astype(np.uint8)
    assert hashlib.sha256(labels).hexdigest() == SHA256["y_test"]


def test_the_first_test_images_show_what_is_known(scifar: Dataset):
    shown = [scifar.classes[label] for label in scifar.test.labels[:4]]
    assert shown == ["cat", "ship", "ship", "airplane"]


def test_pixels_are_where_the_mosaic_has_them(scifar: Dataset, data_dir: Path):
    """By another way: picked from the mosaic one by one."""
    from PIL import Image

    with Image.open(data_dir / "cifar10" / "mosaic_20.webp") as image:
        for number, row, column in ((0, 0, 0), (1, 5, 31), (50, 31, 2), (2499, 17, 9)):
            place = (32 * (number % 50) + column, 32 * (number // 50) + row)
            pixel = image.convert("RGB").getpixel(place)
            assert tuple(scifar.test.tokens[number, 32 * row + column]) == pixel


def test_the_parts_are_disjoint(scifar: Dataset):
    """No image is in two parts, none is lost: all 60,000 are different."""
    train, validation, test = (set(keys(split)) for _, split in scifar.splits())
    assert (len(train), len(validation), len(test)) == (45000, 5000, 10000)
    assert len(train | validation | test) == 60000


def test_the_validation_part_is_pinned(scifar: Dataset):
    assert scifar.validation.labels[:8].tolist() == [4, 1, 3, 1, 2, 9, 5, 4]
    assert hashlib.sha256(scifar.validation.labels).hexdigest()[:16] == "80b848e2c5b1763e"


def test_the_constants_are_those_of_the_train_pixels(scifar: Dataset):
    measured = measure(scifar.train)
    assert [round(value, 2) for value in measured.offset] == list(PIXEL_MEAN)
    assert [round(value, 2) for value in measured.scale] == list(PIXEL_STD)
    assert scifar.normalization.offset.tolist() == list(PIXEL_MEAN)
    assert scifar.normalization.scale.tolist() == list(PIXEL_STD)


def test_nothing_there_names_the_three_forms(tmp_path: Path):
    expected = (
        rf"{tmp_path}: expected cifar-10-python\.tar\.gz, the folder cifar-10-batches-py or "
        r"mosaic_00\.webp, there or in cifar10/, got none of them\. Put one there, or run "
        r"`ns4d train scifar --data-dir FOLDER`"
    )
    with pytest.raises(DataError, match=expected):
        load(tmp_path)


@pytest.mark.parametrize("below", ["", "cifar10"])
def test_the_tarball_comes_first(packed: Path, below: str):
    (packed / below / "cifar-10-python.tar.gz").write_bytes(b"unfinished")
    with pytest.raises(DataError, match=r"python\.tar\.gz: expected 170498071 bytes, got 10 bytes"):
        load(packed)


@pytest.mark.parametrize("below", ["", "cifar10"])
def test_the_unpacked_batches_come_second(packed: Path, below: str):
    (packed / below / "cifar-10-batches-py").mkdir()
    with pytest.raises(DataError, match="batches-py: expected the batch data_batch_1, got none"):
        load(packed)


def test_the_packed_form_may_lie_directly_in_the_folder(packed: Path, replace_file):
    replace_file(packed / "cifar10" / "mosaic_00.webp", b"")
    with pytest.raises(DataError, match=r"cifar10/mosaic_00\.webp: expected a WebP image"):
        load(packed / "cifar10")


def test_a_missing_mosaic_is_named(packed: Path):
    (packed / "cifar10" / "mosaic_01.webp").unlink()
    expected = r"mosaic_01\.webp: expected a WebP image, got .*Copy the packed folder again, then"
    with pytest.raises(DataError, match=expected):
        load(packed)


@pytest.mark.parametrize("kept", [0, 100, 1_000_000])
def test_a_truncated_mosaic_is_named(packed: Path, replace_file, kept: int):
    path = packed / "cifar10" / "mosaic_00.webp"
    replace_file(path, path.read_bytes()[:kept])
    with pytest.raises(DataError, match=r"mosaic_00\.webp: expected a WebP image, got"):
        load(packed)


def test_a_mosaic_of_another_size_is_named(packed: Path):
    from PIL import Image

    path = packed / "cifar10" / "mosaic_00.webp"
    path.unlink()
    Image.new("RGB", (32, 64)).save(path, lossless=True)
    with pytest.raises(DataError, match=r"expected shape \(1600, 1600, 3\), got \(64, 32, 3\)"):
        load(packed)


def test_swapped_mosaics_are_noticed(packed: Path):
    """Valid images in the wrong order: only the checksum of the whole can tell."""
    folder = packed / "cifar10"
    (folder / "mosaic_00.webp").rename(folder / "spare")
    (folder / "mosaic_01.webp").rename(folder / "mosaic_00.webp")
    (folder / "spare").rename(folder / "mosaic_01.webp")
    expected = f"x_train in mosaic_00 to 19: expected SHA-256 {SHA256['x_train']}, got "
    with pytest.raises(DataError, match=expected):
        read_mosaics(folder, "scifar")


def test_one_altered_label_is_noticed(packed: Path, replace_file):
    path = packed / "cifar10" / "labels.npz"
    with np.load(path) as file:
        arrays = dict(file)
    arrays["y_test"][77] ^= 1
    path.unlink()
    np.savez(path, **arrays)
    with pytest.raises(
        DataError, match=rf"labels\.npz, y_test: expected SHA-256 {SHA256['y_test']}"
    ):
        load(packed)


def test_a_missing_label_array_is_named(packed: Path):
    path = packed / "cifar10" / "labels.npz"
    path.unlink()
    np.savez(path, labels=np.zeros(3))
    with pytest.raises(DataError, match=r"labels\.npz: expected the key y_train, got labels"):
        load(packed)


def test_truncated_labels_are_named(packed: Path, replace_file):
    path = packed / "cifar10" / "labels.npz"
    replace_file(path, path.read_bytes()[:5000])
    expected = r"labels\.npz: expected a \.npz file .* Copy the packed folder again, then run `ns4d"
    with pytest.raises(DataError, match=expected):
        load(packed)


def test_without_pillow_it_says_what_to_install(packed: Path, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    expected = r"not installed\. Run `pip install pillow`, or use the original cifar-10-python\.tar"
    with pytest.raises(DataError, match=expected):
        load(packed)
