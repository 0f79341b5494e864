"""Integer primitives on int64 arrays: shifts that round, a clip that saturates.

Nothing else in ns4d rounds, shifts a sum down or saturates; every engine repeats these bits.

    shift_floor(p, s)        = ⌊p / 2^s⌋                                        (a)
    shift_toward_zero(p, s)  = sign(p) · ⌊|p| / 2^s⌋                            (b)
    shift_half_up(p, s)      = ⌊p / 2^s + 1/2⌋           a tie goes up          (c)
    saturate(x, bits)        = min(max(x, -M), M),  M = 2^(bits-1) - 1          (d)

Contract of all three shifts: |p| <= 2^62 and 0 <= s <= 62, where s is one integer or an array
that broadcasts with p. Inside it no intermediate leaves int64; outside it nothing is promised.
Who calls a primitive proves the contract; the primitive does not check it.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Int64

PRODUCT_MAX = 2**62
SHIFT_MAX = 62

Shift = int | np.ndarray


def largest(bits: int) -> int:
    """M = 2^(bits-1) - 1, the largest magnitude of a signed symmetric integer of that width."""
    return 2 ** (bits - 1) - 1


def shift_floor(p: Int64[np.ndarray, "..."], s: Shift) -> Int64[np.ndarray, "..."]:
    """(a) Arithmetic shift right: rounds toward minus infinity. Never overflows.

    Args:
        p: Integers, |p| <= 2^62.
        s: How many bits to drop, 0 <= s <= 62.

    Returns:
        An array of the broadcast shape of p and s, no larger than p in magnitude
        (one exception: a negative p never rises above -1).
    """
    return p >> s


def shift_toward_zero(p: Int64[np.ndarray, "..."], s: Shift) -> Int64[np.ndarray, "..."]:
    """(b) Shift the magnitude right, keep the sign: rounds toward zero. Odd in p.

    Args:
        p: Integers, |p| <= 2^62.
        s: How many bits to drop, 0 <= s <= 62.

    Returns:
        An array of the broadcast shape of p and s, no larger than p in magnitude.
    """
    return np.sign(p) * (np.abs(p) >> s)


def shift_half_up(p: Int64[np.ndarray, "..."], s: Shift) -> Int64[np.ndarray, "..."]:
    """(c) Shift right to the nearest integer; a tie goes up. One addition, then (a).

    Args:
        p: Integers, |p| <= 2^62: the half that is added is at most 2^61, so int64 suffices.
        s: How many bits to drop, 0 <= s <= 62; at s = 0 the half is 0 and p comes back.

    Returns:
        An array of the broadcast shape of p and s.
    """
    return (p + ((np.int64(1) << s) >> 1)) >> s


def saturate(x: Int64[np.ndarray, "..."], bits: int) -> Int64[np.ndarray, "..."]:
    """(d) Clip to the symmetric range of a width: -2^(bits-1) itself is never produced.

    Args:
        x: Any int64.
        bits: Width including the sign, 2 <= bits <= 63.

    Returns:
        An array of the shape of x with |result| <= 2^(bits-1) - 1.
    """
    return np.clip(x, -largest(bits), largest(bits))
