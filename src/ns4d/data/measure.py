"""Measures the normalization of a train part: mean 0, standard deviation 1 per input channel.

offset = mean over the real tokens of the train part                                   (1)
scale  = their standard deviation (of the population); 1 for a channel that never changes  (2)
"""

from __future__ import annotations

import math

import numpy as np

from ns4d.data.dataset import Normalization, Split


def measure(train: Split) -> Normalization:
    """Equations (1) and (2): exact for bytes, in float64 for measurements.

    Args:
        train: The train part, and nothing else: what is measured on the test part leaks it.
    """
    steps = np.arange(train.tokens.shape[1])
    real = steps < train.lengths[:, None]
    measure_channel = _measure_bytes if train.tokens.dtype == np.uint8 else _measure_floats
    channels = [
        measure_channel(train.tokens[:, :, channel][real])
        for channel in range(train.tokens.shape[2])
    ]
    offset, scale = np.array(channels, dtype=np.float64).T
    return Normalization(offset.copy(), scale.copy())


def _measure_bytes(values: np.ndarray) -> tuple[float, float]:
    # Whole numbers of any size until the last division: the same result on every machine.
    counts = np.bincount(values, minlength=256).tolist()
    total = sum(value * count for value, count in enumerate(counts))
    squares = sum(value * value * count for value, count in enumerate(counts))
    variance = (len(values) * squares - total * total) / len(values) ** 2
    return total / len(values), math.sqrt(variance) if variance else 1.0


def _measure_floats(values: np.ndarray) -> tuple[float, float]:
    # Compared exactly: the computed deviation of a constant channel is a rounding error, not 0.
    if values.min() == values.max():
        return float(values[0]), 1.0
    return float(values.mean(dtype=np.float64)), float(values.std(dtype=np.float64))
