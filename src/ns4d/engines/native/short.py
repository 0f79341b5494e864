"""Neurons (1) to (4) under SUM_HALF_UP with 16-bit coefficients: one token, eight channels at once.

The instruction for dot products of 16-bit pairs makes half a complex product, if a state is held as
two 16-bit halves, x = 2^16·X + x', x' signed:

    a_re·x_re - a_im·x_im = 2^16·H + L,   H = (a_re, -a_im)·(X_re, X_im),  L the same of x'     (1)

Shifted by s <= 16 with the drive D and the half that rounds, in 32 bits that may wrap around,

    2^(16-s)·H + ⌊D / 2^s⌋ + ⌊(L + D mod 2^s + half) / 2^s⌋                                   (2)

The sum over modes of c·x needs more than 32 bits: it is kept as three sums of 16-bit digits, which
meet in double precision. `pack` takes this path where L, H and their like stay within 31 bits, and
the aligned sum of (3) within 53.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numba import njit

from ns4d.engines.native.lanes import (
    f64_of_high,
    f64_of_low,
    floor,
    fma,
    high_shorts,
    i16_of_i32,
    join_shorts,
    load_f64x4,
    load_i16x16,
    load_i32x8,
    masked,
    pair_products,
    shift_down,
    splat_f64x4,
    splat_i32x8,
    store,
)
from ns4d.engines.native.linear import INLINE, column, descale_four
from ns4d.engines.native.plan import BLOCKS, DESCALE, MODES, STATE, WEIGHTS
from ns4d.engines.native.word import SHORT_HEAD

# Rows of a block's head, 32 bytes each; the last two are pairs of rows in double precision.
DRIVE, DRIVE_DOWN, DRIVE_MASK, DRIVE_UP, DOWN, UP, HALF = range(0, 224, 32)
UNIT_OUT, DIRECT = 256, 320
SIZE, STATES = 96, 64


@njit(**INLINE)
def drive_of(head, u):
    """The drive's parts in (2): what is added after the shift, then what is added before."""
    drive = load_i32x8(head, DRIVE) * u
    rest = masked(drive, load_i32x8(head, DRIVE_MASK)) << load_i32x8(head, DRIVE_UP)
    return shift_down(drive, load_i32x8(head, DRIVE_DOWN)), rest + load_i32x8(head, HALF)


@njit(**INLINE)
def halves(re, im):
    """The lower halves of a state, then the upper ones."""
    by, middle = splat_i32x8(np.int32(16)), splat_i32x8(np.int32(1 << 15))
    return join_shorts(re, im << by), join_shorts(shift_down(re + middle, by), im + middle)


@njit(**INLINE)
def half_product(a, low, high, whole, rest, down, up):
    """(2) for one part of the new state."""
    h, v = pair_products(a, high), pair_products(a, low)
    return (h << up) + whole + shift_down(v + rest, down)


@njit(**INLINE)
def digits(c, low, high, zeroth, first, second):
    """Add one mode's part of (3) to the three sums."""
    mask, by = splat_i32x8(np.int32(0xFFFF)), splat_i32x8(np.int32(16))
    v = pair_products(c, low)
    above = pair_products(c, high) + high_shorts(v)
    zeroth = zeroth + masked(v, mask)
    return zeroth, first + masked(above, mask), second + shift_down(above, by)


@njit(**INLINE)
def finish(head, scale, u, target, zeroth, first, second):
    """(4) for four channels from their message and three sums, all in double precision."""
    by, half = splat_f64x4(65536.0), splat_f64x4(0.5)
    y = fma(fma(second, by, first), by, zeroth)
    direct = fma(load_f64x4(head, DIRECT), u, half)
    descale_four(scale, floor(fma(y, load_f64x4(head, UNIT_OUT), direct)), target)


def tokens(stamp: str) -> Callable[..., None]:
    """The kernel for single tokens."""

    def short(row, parameters, state, apart, messages, source, target, stride, count, room):
        modes, zero = column(row, MODES) if stamp else 0, splat_i32x8(np.int32(0))
        head, states = parameters + column(row, WEIGHTS), state + column(row, STATE)
        scale = parameters + column(row, DESCALE)
        down, up, half = load_i32x8(head, DOWN), load_i32x8(head, UP), load_i32x8(head, HALF)
        for block in range(column(row, BLOCKS)):
            for t in range(count):
                w, x, at = head + SHORT_HEAD, states + apart * t, stride * t + 32 * block
                u = load_i32x8(source, at)
                whole, rest = drive_of(head, u)
                zeroth, first, second = zero, zero, zero
                for _ in range(modes):
                    low, high = load_i16x16(x, 0), load_i16x16(x, 32)
                    re = half_product(load_i16x16(w, 0), low, high, whole, rest, down, up)
                    im = half_product(load_i16x16(w, 32), low, high, zero, half, down, up)
                    new_low, new_high = halves(re, im)
                    store(x, 0, new_low)
                    store(x, 32, new_high)
                    zeroth, first, second = digits(
                        load_i16x16(w, 64), i16_of_i32(new_low), i16_of_i32(new_high),
                        zeroth, first, second,
                    )  # fmt: skip
                    w += SIZE
                    x += STATES
                finish(
                    head, scale, f64_of_low(u), target + at,
                    f64_of_low(zeroth), f64_of_low(first), f64_of_low(second),
                )  # fmt: skip
                finish(
                    head + 32, scale + 32, f64_of_high(u), target + at + 16,
                    f64_of_high(zeroth), f64_of_high(first), f64_of_high(second),
                )  # fmt: skip
            head += SHORT_HEAD + SIZE * modes
            states += STATES * modes
            scale += 256

    return short
