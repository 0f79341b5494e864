"""Residual connections: choose the scales of an add node, then lower it.

    out = m + u       m of the layer, u its input: two messages of one step each            (1)
    v   = w·m + k·u   w = s_m / unit,  k = s_u / unit                                       (2)

Both products are exact if s_m / s_u is a power of two, so the message scale of the layer's last
dense node is rounded up to the next s_u · 2^j.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from ns4d.numerics import Arithmetic
from ns4d.program import Add
from ns4d.quantize.integers import floor_log2
from ns4d.quantize.messages import choose_messages, lower_descale
from ns4d.quantize.options import Options
from ns4d.quantize.scales import DenseScale, Messages


def align(scale: DenseScale, before: Messages, arithmetic: Arithmetic) -> DenseScale:
    """The scales of a dense node whose messages are added to others.

    Args:
        scale: As chosen for the node alone.
        before: The messages that are added.
        arithmetic: Widths: they bound the ratio of the two.

    Returns:
        The same with a coarser message scale, an exact power of two apart.
    """
    ratio = -floor_log2(np.array([before.scale / scale.sent.scale]))[0]
    lowest = -_largest_exponent(arithmetic)
    aligned = float(np.ldexp(before.scale, max(int(ratio), lowest)))
    limit = np.ceil(scale.sent.limit * (scale.sent.scale / aligned)).astype(np.int64)
    return DenseScale(scale.weight, Messages(aligned, np.minimum(limit, arithmetic.message_max)))


def choose_add(
    layer: Messages,
    before: Messages,
    peaks: Float[np.ndarray, " h"],
    arithmetic: Arithmetic,
    options: Options,
) -> Messages:
    """The messages that an add node sends.

    Args:
        layer: Those of the layer, aligned.
        before: Those of its input.
        peaks: Largest magnitude of the sum on calibration data.
        arithmetic: Widths.
        options: See `Options`.
    """
    step = np.full(len(peaks), _unit(layer, before, arithmetic))
    return choose_messages(step, peaks, arithmetic, options)


def lower_add(
    name: str,
    source: str,
    layer: Messages,
    before: Messages,
    sent: Messages,
    arithmetic: Arithmetic,
) -> Add:
    """(2) as integers.

    Args:
        name: Of the node.
        source: The node that sends the layer's input.
        layer: The messages of the layer.
        before: Those of its input.
        sent: From `choose_add`.
        arithmetic: Widths.
    """
    unit, h = _unit(layer, before, arithmetic), len(sent.limit)
    # A message more than the largest ratio below the other is lost in that one's own rounding.
    weight, skip = (np.full(h, round(part.scale / unit)) for part in (layer, before))
    descale = lower_descale(name, np.full(h, unit), sent, False, arithmetic)
    return Add(name, source, weight.astype(np.int64), skip.astype(np.int64), descale)


def _unit(layer: Messages, before: Messages, arithmetic: Arithmetic) -> float:
    """The value of one unit of the sum: the finer scale, or what the widths allow."""
    coarser = max(layer.scale, before.scale)
    return max(min(layer.scale, before.scale), coarser / 2 ** _largest_exponent(arithmetic))


def _largest_exponent(arithmetic: Arithmetic) -> int:
    """The largest j for which 2^j fits a weight, and 2^j + 1 messages fit the accumulator."""
    room = arithmetic.accumulator_max // arithmetic.message_max - 1
    return max(min(arithmetic.weight_bits - 2, int(room).bit_length() - 1), 0)
