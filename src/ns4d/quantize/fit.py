"""Shrink integers that an accumulator could not hold, so that every lowering is a legal program.

Scales leave room for the parameters that they were chosen for. Training moves these on; where
their bound then exceeds the accumulator, the row is scaled down, rounding toward zero:

    W, bias  <-  W r, bias r     r = accumulator_max / bound                               (1)

Exact bounds of neurons cost Python integers. An upper estimate in doubles settles nearly all
channels; only those that it cannot clear are bounded exactly.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int

from ns4d.numerics import Arithmetic
from ns4d.program.ranges import dense_bound
from ns4d.quantize.coefficients import Coefficients

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
    neuron: Coefficients, limit: Int[np.ndarray, " h"], arithmetic: Arithmetic
) -> Coefficients:
    """(1) for c and d of a neuron; channels that fit come back as they are.

    Args:
        neuron: Coefficients within their widths.
        limit: Largest magnitude of the message into each channel.
        arithmetic: Widths and roundings.
    """
    doubtful = np.flatnonzero(
        upper_estimate(neuron, limit, arithmetic) > arithmetic.accumulator_max
    )
    if not doubtful.size:
        return neuron
    some, inputs = neuron.channels(doubtful), limit[doubtful]
    bound = some.reduction(arithmetic, some.states(arithmetic, inputs), inputs)
    over = bound > arithmetic.accumulator_max
    # Rounding moves v by less than 1, and each modulus is bounded in steps of 2^-32.
    room = max(arithmetic.accumulator_max - 1 - neuron.c.shape[1], 0)
    ratio = np.where(over, room / np.maximum(bound, 1), 1.0)
    c, d = neuron.c.copy(), neuron.d.copy()
    c[doubtful], d[doubtful] = _shrunk(some.c, ratio), _shrunk(some.d, ratio)
    return replace(neuron, c=c, d=d)


def upper_estimate(
    neuron: Coefficients, limit: Int[np.ndarray, " h"], arithmetic: Arithmetic
) -> Float[np.ndarray, " h"]:
    """Never below the exact bound of the accumulators, and seldom far above it."""
    gap = 1 - _modulus(neuron.a, np.array([neuron.a_shift])) - ABSOLUTE
    drive = _modulus(neuron.b, neuron.b_shift) + ABSOLUTE
    reached = (drive * limit[:, None] + WORST_ROUNDING) / np.where(gap > 0, gap, 1) * RELATIVE + 1
    states = np.where(gap > 0, np.minimum(reached, arithmetic.state_max), arithmetic.state_max)
    both = np.ldexp(np.abs(neuron.c).sum(-1), -neuron.c_shift[:, None])
    modulus = _modulus(neuron.c, neuron.c_shift)
    gain = np.where(states >= arithmetic.state_max, both, modulus) + ABSOLUTE
    direct = np.ldexp(np.abs(neuron.d) * limit, -neuron.d_shift) + ABSOLUTE
    return ((gain * states).sum(1) + direct) * RELATIVE + 1


def _modulus(
    parts: Int[np.ndarray, "h n 2"], shift: Int[np.ndarray, " _"]
) -> Float[np.ndarray, "h n"]:
    return np.ldexp(np.sqrt(np.square(parts.astype(float)).sum(-1)), -shift[:, None])


def _shrunk(
    integers: Int[np.ndarray, "..."], ratio: Float[np.ndarray, " h"]
) -> Int[np.ndarray, "..."]:
    shape = (len(ratio),) + (1,) * (integers.ndim - 1)
    return np.trunc(integers * ratio.reshape(shape)).astype(np.int64)
