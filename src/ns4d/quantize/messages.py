"""The messages of one node: choose their scale, then lower the descaling that makes them.

gain   step / scale          step: the value of one unit of the accumulator            (1)
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from ns4d.numerics import Arithmetic
from ns4d.program import Descale
from ns4d.quantize.integers import message_limit, message_scale, multipliers
from ns4d.quantize.options import Options
from ns4d.quantize.scales import Messages


def choose_messages(
    step: Float[np.ndarray, " o"],
    peaks: Float[np.ndarray, " o"],
    arithmetic: Arithmetic,
    options: Options,
) -> Messages:
    """Scale and limits of what a node sends.

    Args:
        step: The value of one unit of its accumulator, per channel.
        peaks: Largest magnitude per channel on calibration data.
        arithmetic: Widths.
        options: The headroom of the limits.

    Returns:
        The coarser of two scales: the calibrated maximum fills the width, and the largest
        multiplier still reaches it.
    """
    largest = arithmetic.message_max
    scale = message_scale(peaks, largest, finest=float(step.max()) / arithmetic.multiplier_max)
    return Messages(scale, message_limit(peaks, scale, largest, options.headroom))


def lower_descale(
    name: str, step: Float[np.ndarray, " o"], sent: Messages, relu: bool, arithmetic: Arithmetic
) -> Descale:
    """(1) as integers.

    Args:
        name: Of the node, for errors.
        step: The value of one unit of its accumulator, per channel.
        sent: What it sends.
        relu: Whether negative values become 0.
        arithmetic: Widths.

    Raises:
        RangeError: A gain beyond the largest multiplier.
    """
    gain = np.where(sent.limit > 0, step / sent.scale, 0.0)
    multiplier, shift = multipliers(gain, arithmetic.multiplier_max, name)
    return Descale(multiplier, shift, sent.limit, relu)
