"""Permuted sequential MNIST: the pixels of `smnist` in a fixed scrambled order.

The order is bit reversal, as in the S4 and S5 code; `load_task` takes the other one by name.
"""

from __future__ import annotations

from pathlib import Path

from ns4d.data.dataset import Dataset
from ns4d.data.permutation import Permutation
from ns4d.data.reorder import reorder
from ns4d.data.smnist import load_pixels


def load(data_dir: Path | None) -> Dataset:
    """MNIST in bit-reversed order: 784 tokens of one byte.

    Args:
        data_dir: The folder with the four files, or with mnist/; None downloads them.

    Raises:
        DataError: A file is missing, truncated or altered.
    """
    return reorder(load_pixels(data_dir, "psmnist"), Permutation.BIT_REVERSAL)
