"""Choose the integers that stand for real numbers, so that nothing can overflow.

mantissas   v ≈ m · 2^-s     the largest |m| of a channel uses the full width           (1)
multiplier  g ≈ q · 2^-e     one exponent e for all channels, q per channel             (2)
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from ns4d.errors import RangeError
from ns4d.numerics import nearest

EXPONENT_MAX = 62
# Far below any shift's reach, and its reciprocal is still a double.
SMALLEST = 1e-250


def floor_log2(values: Float[np.ndarray, "..."]) -> Int[np.ndarray, "..."]:
    """⌊log2 v⌋ of positive values, exact at powers of two."""
    return np.frexp(values)[1].astype(np.int64) - 1


def filling_shift(
    values: Float[np.ndarray, "h k"], largest: int, shift_max: Int[np.ndarray, " h"] | int
) -> Int[np.ndarray, " h"]:
    """The shift s of (1) per channel.

    Args:
        values: Real numbers, one channel per row, none beyond `largest`.
        largest: Largest integer of the format.
        shift_max: Largest shift allowed, in each row.

    Returns:
        Shifts, at least 0.
    """
    peak = np.abs(values).max(1)
    safe = np.where(peak > 0, np.maximum(peak, SMALLEST), 1.0)
    return np.clip(floor_log2(largest / safe), 0, shift_max)


def mantissas(
    values: Float[np.ndarray, "h k"], largest: int, shift: Int[np.ndarray, " h"]
) -> Int[np.ndarray, "h k"]:
    """The integers m of (1) for given shifts, clipped to their width.

    Args:
        values: Real numbers, one channel per row.
        largest: Largest integer of the format.
        shift: Of each row.
    """
    return np.clip(nearest(np.ldexp(values, shift[:, None])), -largest, largest)


def multipliers(
    gain: Float[np.ndarray, " o"], largest: int, where: str
) -> tuple[Int[np.ndarray, " o"], int]:
    """(2) for one node.

    Args:
        gain: Real factors from accumulator to message, at least 0.
        largest: Largest multiplier.
        where: Name of the node, for errors.

    Returns:
        Multipliers, and their shared exponent.

    Raises:
        RangeError: If a factor is larger than the largest multiplier.
    """
    peak = gain.max()
    if peak > largest:
        raise RangeError(
            f"node '{where}', multiplier",
            expected=f"a factor of at most {largest}",
            got=f"{peak:.3g}",
            fix="Use more message bits or fewer accumulator bits.",
        )
    room = floor_log2(largest / gain[gain > 0])
    shift = int(room.min(initial=EXPONENT_MAX))
    return np.minimum(nearest(np.ldexp(gain, shift)), largest), shift


def message_scale(peaks: Float[np.ndarray, " o"], largest: int, finest: float = 0.0) -> float:
    """The value of one integer step of a message: the calibrated maximum uses the full width.

    Args:
        peaks: Calibrated maximum per channel.
        largest: Largest message.
        finest: The smallest step that the multiplier can reach; what is smaller is noise.
    """
    peak = float(peaks.max())
    return max(peak / largest, finest) if peak > 0 else 1.0


def message_limit(
    peaks: Float[np.ndarray, " o"], scale: float, largest: int, headroom: float
) -> Int[np.ndarray, " o"]:
    """Where messages are clipped, per channel: the calibrated maximum with some headroom.

    A tight limit is what lets `Program` prove the next accumulator with larger weights.
    """
    return np.minimum(nearest(headroom * peaks / scale), largest)
