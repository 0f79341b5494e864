"""Sequential CIFAR-10: the 1,024 pixels of a photograph, one per step, as RGB.

The official 10,000 test images are the test part; 5,000 of the 50,000 train images are held out
for validation, the same ones in every run.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ns4d.data.cifar_batches import BATCH_FOLDER, TARBALL, read_folder, read_tarball
from ns4d.data.cifar_mosaic import FIRST_MOSAIC, read_mosaics
from ns4d.data.dataset import Dataset, Normalization, Split
from ns4d.data.obtain import obtain, places
from ns4d.data.pinned import command
from ns4d.data.stratify import hold_out_validation
from ns4d.errors import DataError

TASK = "scifar"

# Mean and standard deviation of red, green, blue (0 to 255) over the pixels of the 45,000 train
# images. Two digits after the point: in the third the packed form differs from the original.
PIXEL_MEAN = (125.26, 122.90, 113.82)
PIXEL_STD = (62.98, 62.08, 66.66)

CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)


def load(data_dir: Path | None) -> Dataset:
    """Sequential CIFAR-10, row by row: 1,024 tokens of three bytes.

    Args:
        data_dir: The folder with the tarball, the unpacked batches or the packed form, directly
            or in cifar10/; None downloads the tarball.

    Raises:
        DataError: A file is missing, truncated or altered.
    """
    everything, test = _read(data_dir)
    kept, held = hold_out_validation(everything.labels)
    return Dataset(
        TASK,
        train=everything.select(kept),
        validation=everything.select(held),
        test=test,
        normalization=Normalization(np.array(PIXEL_MEAN), np.array(PIXEL_STD)),
        classes=CLASSES,
    )


def _read(data_dir: Path | None) -> tuple[Split, Split]:
    if data_dir is None:
        return read_tarball(obtain(TARBALL, None, TASK), TASK)
    for path in places(data_dir, TARBALL.folder, TARBALL.name):
        if path.is_file():
            return read_tarball(path, TASK)
    for path in places(data_dir, TARBALL.folder, BATCH_FOLDER):
        if path.is_dir():
            return read_folder(path, TASK)
    for path in places(data_dir, TARBALL.folder, FIRST_MOSAIC):
        if path.is_file():
            return read_mosaics(path.parent, TASK)
    raise DataError(
        str(data_dir),
        expected=f"{TARBALL.name}, the folder {BATCH_FOLDER} or {FIRST_MOSAIC}, "
        f"there or in {TARBALL.folder}/",
        got="none of them",
        fix=f"Put one there, or run {command(TASK)} with the folder that has it; "
        "with neither --data-dir nor NS4D_DATA the tarball is downloaded.",
    )
