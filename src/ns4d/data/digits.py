"""Scikit-learn's bundled 8x8 digits: 64 pixels, one per step, no download.

There is no official split: 20 % are the test part and 10 % of the rest validation, class by
class, with the constant seeds of `ns4d.data.stratify`.

Source    E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI, 1998.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ns4d.data.dataset import Dataset, Normalization, Split
from ns4d.data.stratify import hold_out_test, hold_out_validation
from ns4d.errors import DataError

# Mean and standard deviation of the pixels (0 to 16) of the train part, all positions together,
# rounded to four digits after the point.
PIXEL_MEAN = 4.8726
PIXEL_STD = 6.0131

CLASSES = tuple("0123456789")


def load(data_dir: Path | None) -> Dataset:
    """The digits, row by row: 64 tokens with values 0 to 16.

    Args:
        data_dir: Not used, the images come with scikit-learn.

    Raises:
        DataError: scikit-learn is not installed.
    """
    del data_dir
    everything = _read()
    rest, test = hold_out_test(everything.labels)
    kept, held = hold_out_validation(everything.labels[rest])
    return Dataset(
        "digits",
        train=everything.select(rest[kept]),
        validation=everything.select(rest[held]),
        test=everything.select(test),
        normalization=Normalization(np.array([PIXEL_MEAN]), np.array([PIXEL_STD])),
        classes=CLASSES,
    )


def _read() -> Split:
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise DataError(
            "task digits",
            expected="the package scikit-learn, which brings the images",
            got="it is not installed",
            fix='Run `pip install "ns4d[train]"`.',
        ) from error
    pixels, labels = load_digits(return_X_y=True)
    tokens = pixels.astype(np.uint8)[:, :, None]
    return Split(tokens, labels.astype(np.int64), np.full(len(tokens), 64, dtype=np.int64))
