"""Upper bounds, proved for every input: states, reductions, accumulators.

    |x|  <= (|b|·u + ε) / (1 - |a|)            complex moduli; no bound if |a| >= 1   (7)
    |v|  <= Σ_n |2c_n|·|x_n| + |d|·u + δ       in any order of addition                (8)
    |v|  <= Σ_i |W_oi|·m_i + |bias_o|          in any order of addition                (9)

ε is how far rounding can push a state outward in one step. SUM_HALF_UP moves each component by
at most 1/2: ε = √(1/2). EACH_TOWARD_ZERO shortens each of three products by less than 1: that
lengthens a component only where signs differ, hence by less than 2: ε = √8. For the same reason
|t(p) - t(q)| <= |p - q| / 2^s or the larger of the two, so (8) has δ = 0 there and δ = 1/2 under
SUM_HALF_UP. Saturation only shortens, so the state width is a bound as well.

Everything here is exact: Python integers in units of 2^-32, every rounding upward. The functions
take arrays, not nodes, so that lowering can choose exponents before a node exists.

Axes      i in, o out, h channel, n stored mode.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Int64

from ns4d.numerics import PRODUCT_MAX, Arithmetic, ProductRounding

_FRACTION = 32
_ONE = 1 << _FRACTION


def dense_bound(
    weight: Int64[np.ndarray, "o i"],
    bias: Int64[np.ndarray, " o"],
    input_limit: Int64[np.ndarray, " i"],
) -> Int64[np.ndarray, " o"]:
    """(9) Bound of a linear accumulator, reached by the input of matching signs.

    Args:
        weight: |weight| < 2^15.
        bias: |bias| < 2^39.
        input_limit: Largest magnitude of each message in, below 2^23.

    Returns:
        The bound per output; at most 2^62 (proven for fewer than 2^24 inputs).
    """
    return np.abs(weight) @ input_limit + np.abs(bias)


def state_bound(
    arithmetic: Arithmetic,
    a_re: Int64[np.ndarray, "h n"],
    a_im: Int64[np.ndarray, "h n"],
    b_re: Int64[np.ndarray, "h n"],
    b_im: Int64[np.ndarray, "h n"],
    a_shift: int,
    b_shift: Int64[np.ndarray, " h"],
    input_limit: Int64[np.ndarray, " h"],
) -> Int64[np.ndarray, "h n"]:
    """(7) Bound of each state, from zero state and for every input within the limit.

    Args:
        arithmetic: Gives ε and the state width.
        a_re, a_im: a in units of 2^-a_shift.
        b_re, b_im: b in units of 2^-b_shift[h].
        a_shift: 0..62.
        b_shift: 0..62.
        input_limit: Largest magnitude of the message into each channel.

    Returns:
        Where it is below the state width: a bound of the modulus |xr + i·xi|, hence of both
        components, and the state provably never saturates. Otherwise the state width, a bound
        of each component alone: the state may saturate.
    """
    gap = _ONE - _modulus(a_re, a_im, a_shift)
    drive = _modulus(b_re, b_im, b_shift[:, None]) * _exact(input_limit)[:, None]
    stable = gap > 0
    reached = -(-(drive + _ROUNDING[arithmetic.product_rounding]) // np.where(stable, gap, 1))
    bound = np.where(stable, np.minimum(reached, arithmetic.state_max), arithmetic.state_max)
    return np.where(drive == 0, 0, bound).astype(np.int64)


def reduction_bound(
    arithmetic: Arithmetic,
    states: Int64[np.ndarray, "h n"],
    c_re: Int64[np.ndarray, "h n"],
    c_im: Int64[np.ndarray, "h n"],
    d: Int64[np.ndarray, " h"],
    c_shift: Int64[np.ndarray, " h"],
    d_shift: Int64[np.ndarray, " h"],
    input_limit: Int64[np.ndarray, " h"],
) -> Int64[np.ndarray, " h"]:
    """(8) Bound of v_h, and of every partial sum on the way to it.

    Args:
        arithmetic: Gives δ and the state width.
        states: From `state_bound`.
        c_re, c_im: 2c in units of 2^-c_shift[h].
        d: In units of 2^-d_shift[h].
        c_shift, d_shift: 0..62.
        input_limit: Largest magnitude of the message into each channel.

    Returns:
        The bound per channel; 2^62 stands for anything larger.
    """
    shift = c_shift[:, None]
    # A state that may saturate has bounded components, not a bounded modulus: use |cr| + |ci|.
    both = -(-((_exact(np.abs(c_re)) + _exact(np.abs(c_im))) << _FRACTION) // _power(shift))
    gain = np.where(states < arithmetic.state_max, _modulus(c_re, c_im, shift), both)
    direct = -(-(_exact(np.abs(d) * input_limit) << _FRACTION) // _power(d_shift))
    total = (gain * _exact(states)).sum(axis=1) + direct
    if arithmetic.product_rounding is ProductRounding.SUM_HALF_UP:
        total = total + _ONE // 2
    return np.minimum(total >> _FRACTION, PRODUCT_MAX).astype(np.int64)


def aligned_state_bound(
    states: Int64[np.ndarray, "h n"],
    a_re: Int64[np.ndarray, "h n"],
    a_im: Int64[np.ndarray, "h n"],
    b_re: Int64[np.ndarray, "h n"],
    b_im: Int64[np.ndarray, "h n"],
    a_shift: int,
    b_shift: Int64[np.ndarray, " h"],
    input_limit: Int64[np.ndarray, " h"],
) -> Int64[np.ndarray, "h n"]:
    """Bound of the 64-bit sum that SUM_HALF_UP shifts in (1) and (2).

    Args: as in `state_bound`, with its result as `states`.

    Returns:
        The bound per state, of every partial sum too; 2^63 - 1 stands for anything larger.
        A program needs at most 2^62, the contract of the shifts.
    """
    shift = np.maximum(a_shift, b_shift)
    recur = (_exact(np.abs(a_re)) + _exact(np.abs(a_im))) * _exact(states)
    drive = _exact(np.maximum(np.abs(b_re), np.abs(b_im))) * _exact(input_limit)[:, None]
    total = recur * _power(shift - a_shift)[:, None] + drive * _power(shift - b_shift)[:, None]
    return np.minimum(total, 2 * PRODUCT_MAX - 1).astype(np.int64)


def aligned_reduction_bound(
    states: Int64[np.ndarray, "h n"],
    c_re: Int64[np.ndarray, "h n"],
    c_im: Int64[np.ndarray, "h n"],
    d: Int64[np.ndarray, " h"],
    c_shift: Int64[np.ndarray, " h"],
    d_shift: Int64[np.ndarray, " h"],
    input_limit: Int64[np.ndarray, " h"],
) -> Int64[np.ndarray, " h"]:
    """Bound of the 64-bit sum that SUM_HALF_UP shifts in (3).

    Args: as in `reduction_bound`.

    Returns:
        The bound per channel; 2^63 - 1 stands for anything larger. A program needs 2^62 at most.
    """
    shift = np.maximum(c_shift, d_shift)
    modes = ((_exact(np.abs(c_re)) + _exact(np.abs(c_im))) * _exact(states)).sum(axis=1)
    direct = _exact(np.abs(d)) * _exact(input_limit)
    total = modes * _power(shift - c_shift) + direct * _power(shift - d_shift)
    return np.minimum(total, 2 * PRODUCT_MAX - 1).astype(np.int64)


# The smallest integers, in units of 2^-32, that are not below √8 and √(1/2).
_ROUNDING = {
    ProductRounding.EACH_TOWARD_ZERO: math.isqrt(8 * _ONE * _ONE) + 1,
    ProductRounding.SUM_HALF_UP: math.isqrt(_ONE * _ONE // 2) + 1,
}

_ceil_sqrt = np.frompyfunc(lambda square: math.isqrt(square - 1) + 1 if square else 0, 1, 1)


def _modulus(re: np.ndarray, im: np.ndarray, shift: int | np.ndarray) -> np.ndarray:
    """⌈|re + i·im| · 2^(32 - shift)⌉, as Python integers."""
    square = (_exact(re) ** 2 + _exact(im) ** 2) << (2 * _FRACTION)
    return -(-_ceil_sqrt(square) // _power(shift))


def _power(shift: int | np.ndarray) -> np.ndarray:
    return 1 << _exact(np.atleast_1d(shift))


def _exact(array: np.ndarray) -> np.ndarray:
    return array.astype(object)
