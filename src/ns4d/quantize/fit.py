"""Shrink integers that an accumulator could not hold, so that every lowering is a legal program.

Scales leave room for the parameters that they were chosen for. Training moves these on; where
their bound then exceeds the accumulator, the row is scaled down, rounding toward zero:

    W, bias  <-  W r, bias r     r = accumulator_max / bound                               (1)

Exact bounds of neurons cost Python integers. An upper estimate in doubles settles nearly all
channels; only those that it cannot clear are bounded exactly.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float, Int

from ns4d.numerics import Arithmetic
from ns4d.program.ranges import dense_bound, reduction_bound, state_bound

Integers = Int[np.ndarray, "..."]
# More than the relative error of all the estimate's roundings together, and more than the two
# units of 2^-32 by which the exact bounds round a modulus upward.
RELATIVE, ABSOLUTE = 1 + 1e-6, 2.0**-31
WORST_ROUNDING = math.sqrt(8)


def fit_dense(
    weight: Int[np.ndarray, "o i"],
    bias: Int[np.ndarray, " o"],
    limit: Int[np.ndarray, " i"],
    arithmetic: Arithmetic,
) -> tuple[Int[np.ndarray, "o i"], Int[np.ndarray, " o"]]:
    """(1) for a linear map; rows that fit come back as they are.

    Args:
        weight: Within the width of weights.
        bias: Any.
        limit: Largest magnitude of each message in.
        arithmetic: Widths.
    """
    bound = dense_bound(weight, bias, limit)
    over = bound > arithmetic.accumulator_max
    if not over.any():
        return weight, bias
    ratio = np.where(over, arithmetic.accumulator_max / np.maximum(bound, 1), 1.0)
    return _shrunk(weight, ratio), _shrunk(bias, ratio)


def fit_output(
    parts: tuple[Integers, Integers, Integers, Integers],
    shifts: tuple[int, Integers, Integers, Integers],
    c: Int[np.ndarray, "h n 2"],
    d: Int[np.ndarray, " h"],
    limit: Int[np.ndarray, " h"],
    arithmetic: Arithmetic,
) -> tuple[Int[np.ndarray, "h n 2"], Int[np.ndarray, " h"]]:
    """(1) for c and d of a neuron.

    Args:
        parts: a_re, a_im, b_re, b_im.
        shifts: Of a, b, c, d.
        c: Real and imaginary part last.
        d: Feed-through.
        limit: Largest magnitude of the message into each channel.
        arithmetic: Widths and roundings.

    Returns:
        c and d; channels that fit come back as they are.
    """
    doubtful = np.flatnonzero(
        _estimate(parts, shifts, c, d, limit, arithmetic) > arithmetic.accumulator_max
    )
    if not doubtful.size:
        return c, d
    some = tuple(part[doubtful] for part in parts)
    rows = (shifts[0], *(shift[doubtful] for shift in shifts[1:]))
    c, d = c.copy(), d.copy()
    bound = _exact(some, rows, c[doubtful], d[doubtful], limit[doubtful], arithmetic)
    over = bound > arithmetic.accumulator_max
    # Rounding moves v by less than 1, and each modulus is bounded in steps of 2^-32.
    room = max(arithmetic.accumulator_max - 1 - c.shape[1], 0)
    ratio = np.where(over, room / np.maximum(bound, 1), 1.0)
    c[doubtful], d[doubtful] = _shrunk(c[doubtful], ratio), _shrunk(d[doubtful], ratio)
    return c, d


def _shrunk(integers: Integers, ratio: Float[np.ndarray, " h"]) -> Integers:
    shape = (len(ratio),) + (1,) * (integers.ndim - 1)
    return np.trunc(integers * ratio.reshape(shape)).astype(np.int64)


def _estimate(
    parts: tuple[Integers, ...],
    shifts: tuple[int | Integers, ...],
    c: Int[np.ndarray, "h n 2"],
    d: Int[np.ndarray, " h"],
    limit: Int[np.ndarray, " h"],
    arithmetic: Arithmetic,
) -> Float[np.ndarray, " h"]:
    """Never below `reduction_bound`."""
    a_shift, b_shift, c_shift, d_shift = shifts
    gap = 1 - np.hypot(*np.ldexp(parts[:2], -a_shift)) - ABSOLUTE
    drive = np.hypot(*np.ldexp(parts[2:], -b_shift[:, None])) + ABSOLUTE
    reached = (drive * limit[:, None] + WORST_ROUNDING) / np.where(gap > 0, gap, 1) * RELATIVE + 1
    states = np.where(gap > 0, np.minimum(reached, arithmetic.state_max), arithmetic.state_max)
    real, imaginary = np.ldexp(np.abs(np.moveaxis(c, -1, 0)), -c_shift[:, None])
    components = states >= arithmetic.state_max
    gain = np.where(components, real + imaginary, np.hypot(real, imaginary)) + ABSOLUTE
    direct = np.ldexp(np.abs(d) * limit, -d_shift) + ABSOLUTE
    return ((gain * states).sum(1) + direct) * RELATIVE + 1


def _exact(
    parts: tuple[Integers, ...],
    shifts: tuple[int | Integers, ...],
    c: Int[np.ndarray, "h n 2"],
    d: Int[np.ndarray, " h"],
    limit: Int[np.ndarray, " h"],
    arithmetic: Arithmetic,
) -> Int[np.ndarray, " h"]:
    a_shift, b_shift, c_shift, d_shift = shifts
    states = state_bound(arithmetic, *parts, a_shift, b_shift, limit)
    return reduction_bound(arithmetic, states, c[..., 0], c[..., 1], d, c_shift, d_shift, limit)
