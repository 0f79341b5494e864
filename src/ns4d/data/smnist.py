"""Sequential MNIST: the 784 pixels of a digit, one per step.

The official 10,000 test images are the test part; 6,000 of the 60,000 train images are held out
for validation, the same ones in every run.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from ns4d.data.dataset import Dataset, Normalization, Split
from ns4d.data.idx import read_idx
from ns4d.data.obtain import obtain
from ns4d.data.pinned import PinnedFile
from ns4d.data.stratify import hold_out_validation
from ns4d.errors import DataError

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)

# Sizes and SHA-256 of the original files, whose MD5 are f68b3c2d..., d53e105e..., 9fb629c4... and
# ec29112d..., as their authors published them.
TRAIN_IMAGES = PinnedFile(
    "train-images-idx3-ubyte.gz",
    "mnist",
    9912422,
    "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    MIRRORS,
)
TRAIN_LABELS = PinnedFile(
    "train-labels-idx1-ubyte.gz",
    "mnist",
    28881,
    "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    MIRRORS,
)
TEST_IMAGES = PinnedFile(
    "t10k-images-idx3-ubyte.gz",
    "mnist",
    1648877,
    "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    MIRRORS,
)
TEST_LABELS = PinnedFile(
    "t10k-labels-idx1-ubyte.gz",
    "mnist",
    4542,
    "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    MIRRORS,
)

# Mean and standard deviation of the pixels (0 to 255) of the 54,000 train images, all positions
# together, rounded to four digits after the point.
PIXEL_MEAN = 33.3380
PIXEL_STD = 78.5914

CLASSES = tuple("0123456789")


def load(data_dir: Path | None) -> Dataset:
    """Sequential MNIST, row by row: 784 tokens of one byte.

    Args:
        data_dir: The folder with the four files, or with mnist/; None downloads them.

    Raises:
        DataError: A file is missing, truncated or altered.
    """
    return load_pixels(data_dir, "smnist")


def load_pixels(data_dir: Path | None, task: str) -> Dataset:
    """MNIST as sequences, under the name of the task they are for."""
    everything = _read_part(TRAIN_IMAGES, TRAIN_LABELS, data_dir, task)
    kept, held = hold_out_validation(everything.labels)
    return Dataset(
        task,
        train=everything.select(kept),
        validation=everything.select(held),
        test=_read_part(TEST_IMAGES, TEST_LABELS, data_dir, task),
        normalization=Normalization(np.array([PIXEL_MEAN]), np.array([PIXEL_STD])),
        classes=CLASSES,
    )


def _read_part(images: PinnedFile, labels: PinnedFile, data_dir: Path | None, task: str) -> Split:
    pixels = _read(images, 3, data_dir, task)
    digits = _read(labels, 1, data_dir, task).astype(np.int64)
    if len(pixels) != len(digits):
        fix = "Fetch both original files again."
        raise DataError(
            labels.name, expected=f"{len(pixels)} labels", got=str(len(digits)), fix=fix
        )
    tokens = pixels.reshape(len(pixels), -1, 1)
    return Split(tokens, digits, np.full(len(tokens), tokens.shape[1], dtype=np.int64))


def _read(
    file: PinnedFile, axes: int, data_dir: Path | None, task: str
) -> UInt8[np.ndarray, "*shape"]:
    path = obtain(file, data_dir, task)
    return read_idx(file.read(path, task), axes, str(path))
