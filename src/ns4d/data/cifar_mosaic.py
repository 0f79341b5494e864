"""Reads CIFAR-10 from its packed form: 24 lossless WebP mosaics of 2,500 images each.

A mosaic has 50 x 50 tiles of 32 x 32 RGB pixels, in the original order of the images: 20 mosaics
of train images, 4 of test images. 103 of the 60,000 images differ a little from the original.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64, UInt8

from ns4d.data.dataset import Split
from ns4d.data.npz import read_npz
from ns4d.data.pinned import command
from ns4d.errors import DataError

FIRST_MOSAIC = "mosaic_00.webp"
TRAIN_MOSAICS = range(20)
TEST_MOSAICS = range(20, 24)

TILES = 50
PIXELS = 32

# Of the arrays in their original order of axes: image, colour, row, column.
SHA256 = {
    "x_train": "14febc41e645aa4584d150a5993735578ccea5c92d217898515b985f396d67f2",
    "y_train": "2b7cd2f24487317614016b72ffd53071c3062f592f0eb300c18a770d41ae1253",
    "x_test": "ed893735ff82c0178f2cd31343a1d5ab993eeae4f3b919d9c1436789336729f1",
    "y_test": "cec8a24a1e92aa2ecaa0bbd3dbfa86bf6cd8759fbd209a832824c8cf0afca9d5",
}


def read_mosaics(folder: Path, task: str) -> tuple[Split, Split]:
    """The train and test images of the packed form.

    Args:
        folder: The folder with mosaic_00.webp to mosaic_23.webp and labels.npz.
        task: The task they are for, named in messages.

    Raises:
        DataError: A file is missing, unreadable or altered, or Pillow is not installed.
    """
    train, test = _read_labels(folder / "labels.npz", task)
    return (
        _to_split(_read_pixels(folder, TRAIN_MOSAICS, "x_train", task), train),
        _to_split(_read_pixels(folder, TEST_MOSAICS, "x_test", task), test),
    )


def _to_split(tokens: UInt8[np.ndarray, "b 1024 3"], labels: Int64[np.ndarray, " b"]) -> Split:
    return Split(tokens, labels, np.full(len(tokens), PIXELS * PIXELS, dtype=np.int64))


def _read_pixels(
    folder: Path, mosaics: Sequence[int], key: str, task: str
) -> UInt8[np.ndarray, "b 1024 3"]:
    count = TILES * TILES
    tokens = np.empty((len(mosaics) * count, PIXELS * PIXELS, 3), dtype=np.uint8)
    digest = hashlib.sha256()
    for position, number in enumerate(mosaics):
        tiles = _read_mosaic(folder / f"mosaic_{number:02d}.webp", task)
        digest.update(tiles.transpose(0, 2, 1).tobytes())
        tokens[position * count : (position + 1) * count] = tiles
    _check(
        f"{folder}, {key} in mosaic_{mosaics[0]:02d} to {mosaics[-1]:02d}",
        digest.hexdigest(),
        key,
        task,
    )
    return tokens


def _read_mosaic(path: Path, task: str) -> UInt8[np.ndarray, "2500 1024 3"]:
    image_module = _pillow_image()
    try:
        with image_module.open(path) as image:
            pixels = np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError) as error:
        raise _refusal(str(path), "a WebP image", str(error), task) from error
    side = TILES * PIXELS
    if pixels.shape != (side, side, 3):
        raise _refusal(str(path), f"shape ({side}, {side}, 3)", str(pixels.shape), task)
    tiles = pixels.reshape(TILES, PIXELS, TILES, PIXELS, 3).transpose(0, 2, 1, 3, 4)
    return tiles.reshape(TILES * TILES, PIXELS * PIXELS, 3)


def _read_labels(path: Path, task: str) -> tuple[Int64[np.ndarray, " b"], Int64[np.ndarray, " c"]]:
    arrays = read_npz(path, _fix(task))
    for key in ("y_train", "y_test"):
        if key not in arrays:
            raise _refusal(str(path), f"the key {key}", ", ".join(arrays) or "no keys", task)
        _check(f"{path}, {key}", hashlib.sha256(arrays[key].tobytes()).hexdigest(), key, task)
    return arrays["y_train"].astype(np.int64), arrays["y_test"].astype(np.int64)


def _check(where: str, found: str, key: str, task: str) -> None:
    if found != SHA256[key]:
        raise _refusal(where, f"SHA-256 {SHA256[key]}", found, task)


def _refusal(where: str, expected: str, got: str, task: str) -> DataError:
    return DataError(where, expected=expected, got=got, fix=_fix(task))


def _fix(task: str) -> str:
    return f"Copy the packed folder again, then run {command(task)}."


def _pillow_image() -> Any:
    try:
        from PIL import Image
    except ImportError as error:
        raise DataError(
            "packed CIFAR-10",
            expected="the package Pillow, which reads WebP",
            got="it is not installed",
            fix="Run `pip install pillow`, or use the original cifar-10-python.tar.gz.",
        ) from error
    return Image
