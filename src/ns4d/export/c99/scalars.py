"""C's integer types: the narrowest one for a range."""

from __future__ import annotations

from dataclasses import dataclass

INT32_MAX = 2**31 - 1


@dataclass(frozen=True)
class CType:
    """An exact-width integer of <stdint.h>.

    Args:
        name: As C spells it.
        size_bytes: Its size, also its alignment on every machine that we know.
        low: Its smallest value.
        high: Its largest value.
    """

    name: str
    size_bytes: int
    low: int
    high: int


def _signed(bits: int) -> CType:
    return CType(f"int{bits}_t", bits // 8, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def _unsigned(bits: int) -> CType:
    return CType(f"uint{bits}_t", bits // 8, 0, 2**bits - 1)


INT32, INT64 = _signed(32), _signed(64)
# Signed first where both fit: it mixes with other signed numbers without a conversion.
TYPES = (_signed(8), _unsigned(8), _signed(16), _unsigned(16), INT32, _unsigned(32), INT64)


def narrowest(low: int, high: int) -> CType:
    """The smallest type that holds every integer from low to high, within 64 bits.

    >>> narrowest(-1, 127).name, narrowest(0, 200).name, narrowest(-200, 0).name
    ('int8_t', 'uint8_t', 'int16_t')
    """
    return next(kind for kind in TYPES if kind.low <= low and high <= kind.high)


def within(bound: int) -> CType:
    """The smallest signed type for magnitudes up to `bound`."""
    return next(kind for kind in TYPES if kind.low < 0 and bound <= kind.high)


def sum_type(bound: int) -> CType:
    """What adds up numbers whose every partial sum is within `bound`: 32 bits, or 64."""
    return INT32 if bound <= INT32_MAX else INT64
