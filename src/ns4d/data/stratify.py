"""Holds sequences out of a set, class by class, the same ones every time.

The seeds are constants of the project: a training seed never changes which sequences are held
out, so runs with different seeds are compared on the same validation part.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Int64

TEST_SEED = 20240
TEST_FRACTION = 0.2
VALIDATION_SEED = 20241
VALIDATION_FRACTION = 0.1


def hold_out(
    labels: Int64[np.ndarray, " b"], fraction: float, seed: int
) -> tuple[Int64[np.ndarray, " kept"], Int64[np.ndarray, " held"]]:
    """Split positions in two, each class in proportion.

    Counts are rounded on the running total, so that their sum is round(b * fraction) and not
    off by one per class; but no class gives one more than its share, or its last sequence.

    Args:
        labels: The class of each sequence, shape (b,).
        fraction: The part to hold out, 0 to 1.
        seed: A constant of the caller.

    Returns:
        The kept and the held-out positions, each ascending.
    """
    # RandomState, not default_rng: NumPy guarantees its stream never changes.
    generator = np.random.RandomState(seed)
    held = np.zeros(len(labels), dtype=bool)
    seen = taken = 0
    for label in np.unique(labels):
        members = generator.permutation(np.flatnonzero(labels == label))
        seen += len(members)
        owed = max(round(seen * fraction) - taken, 0)
        count = min(owed, math.ceil(len(members) * fraction), len(members) - 1)
        taken += count
        held[members[:count]] = True
    return np.flatnonzero(~held), np.flatnonzero(held)


def hold_out_test(
    labels: Int64[np.ndarray, " b"],
) -> tuple[Int64[np.ndarray, " kept"], Int64[np.ndarray, " held"]]:
    """The fixed test part (20 %) of a set that has no official one."""
    return hold_out(labels, TEST_FRACTION, TEST_SEED)


def hold_out_validation(
    labels: Int64[np.ndarray, " b"],
) -> tuple[Int64[np.ndarray, " kept"], Int64[np.ndarray, " held"]]:
    """The fixed validation part (10 %) of a train part."""
    return hold_out(labels, VALIDATION_FRACTION, VALIDATION_SEED)
