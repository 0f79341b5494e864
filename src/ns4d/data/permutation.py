"""The named orders in which the tokens of a sequence are shown.

Two orders are in use under the name "permuted sequential MNIST", with different accuracies:
    bit reversal    the S4 and S5 code: write the positions 0 .. 2^m - 1 (the next power of two)
                    with their m bits reversed, and keep those below the length            (1)
    random 92916    elsewhere: numpy.random.RandomState(92916).permutation(length)         (2)
The name is stored with every trained model.

Source    bitreversal_permutation in state-spaces/s4, src/dataloaders/utils/permutations.py.
"""

from __future__ import annotations

from enum import Enum

import numpy as np
from jaxtyping import Int64

RANDOM_SEED = 92916


class Permutation(Enum):
    """The order of the tokens; the value is the name stored in files."""

    NONE = "none"
    BIT_REVERSAL = "bit-reversal"
    RANDOM_92916 = "random-92916"

    def order(self, length: int) -> Int64[np.ndarray, " l"]:
        """The source position of each token: shown[k] = original[order[k]].

        Args:
            length: Tokens per sequence.
        """
        if self is Permutation.BIT_REVERSAL:
            return bit_reversed_order(length)
        if self is Permutation.RANDOM_92916:
            # RandomState, not default_rng: NumPy guarantees its stream never changes.
            return np.random.RandomState(RANDOM_SEED).permutation(length).astype(np.int64)
        return np.arange(length, dtype=np.int64)


def bit_reversed_order(length: int) -> Int64[np.ndarray, " l"]:
    """Equation (1). For a power of two this order is its own inverse.

    Args:
        length: Tokens per sequence; for 784 the positions have 10 bits.
    """
    bits = max(length - 1, 0).bit_length()
    positions = np.arange(1 << bits, dtype=np.int64)
    reversed_positions = np.zeros_like(positions)
    for bit in range(bits):
        reversed_positions |= ((positions >> bit) & 1) << (bits - 1 - bit)
    return reversed_positions[reversed_positions < length]
