"""Measures the normalization of a train part: mean 0, standard deviation 1 per input channel.

offset = mean over the real tokens of the train part                                   (1)
scale  = their standard deviation (of the population); 1 for a channel that never changes  (2)
"""

from __future__ import annotations

import numpy as np

from ns4d.data.dataset import Normalization, Split


def measure(train: Split) -> Normalization:
    """Equations (1) and (2), in float64.

    Args:
        train: The train part, and nothing else: what is measured on the test part leaks it.
    """
    steps = np.arange(train.tokens.shape[1])
    real = steps < train.lengths[:, None]
    channels = [
        _measure_channel(train.tokens[:, :, channel][real].astype(np.float64))
        for channel in range(train.tokens.shape[2])
    ]
    offset, scale = np.array(channels, dtype=np.float64).T
    return Normalization(offset.copy(), scale.copy())


def _measure_channel(values: np.ndarray) -> tuple[float, float]:
    # Compared exactly: the computed deviation of a constant channel is a rounding error, not 0.
    if values.min() == values.max():
        return float(values[0]), 1.0
    return float(values.mean()), float(values.std())
