"""The primitives equal exact rational arithmetic: every small case, then the whole range."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ns4d.numerics import (
    PRODUCT_MAX,
    SHIFT_MAX,
    largest,
    saturate,
    shift_floor,
    shift_half_up,
    shift_toward_zero,
)


def floor(value: Fraction) -> int:
    return math.floor(value)


def toward_zero(value: Fraction) -> int:
    return math.trunc(value)


def half_up(value: Fraction) -> int:
    return math.floor(value + Fraction(1, 2))


EXACT = {shift_floor: floor, shift_toward_zero: toward_zero, shift_half_up: half_up}
SHIFTS = pytest.mark.parametrize("shift", EXACT, ids=lambda shift: shift.__name__)


@SHIFTS
def test_every_small_case_is_exact(shift):
    p = np.arange(-520, 521)
    for s in range(12):
        wanted = [EXACT[shift](Fraction(int(k), 2**s)) for k in p]
        np.testing.assert_array_equal(shift(p, s), wanted)


@SHIFTS
@given(p=st.integers(-PRODUCT_MAX, PRODUCT_MAX), s=st.integers(0, SHIFT_MAX))
@example(p=PRODUCT_MAX, s=0)
@example(p=-PRODUCT_MAX, s=SHIFT_MAX)
@example(p=PRODUCT_MAX - 1, s=SHIFT_MAX)
@example(p=2**61, s=SHIFT_MAX)
@example(p=-(2**61), s=SHIFT_MAX)
@example(p=2**61 - 1, s=SHIFT_MAX)
def test_the_whole_range_is_exact(shift, p, s):
    assert shift(np.array([p]), s).tolist() == [EXACT[shift](Fraction(p, 2**s))]


@SHIFTS
def test_a_shift_per_channel_broadcasts(shift):
    p = np.arange(-30, 30).reshape(2, 6, 5)
    s = np.arange(6)[:, None]
    wanted = np.stack([shift(p[:, k], k) for k in range(6)], axis=1)
    np.testing.assert_array_equal(shift(p, s), wanted)


@SHIFTS
def test_a_single_value_per_shift_widens(shift):
    wanted = [EXACT[shift](Fraction(-1001, 2**s)) for s in range(12)]
    assert shift(np.array([-1001]), np.arange(12)).tolist() == wanted


@SHIFTS
def test_int64_stays_int64_and_arguments_stay_unchanged(shift):
    p, s = np.array([7, -7]), np.array([1, 1])
    result = shift(p, s)
    assert result.dtype == np.int64
    assert (p.tolist(), s.tolist()) == ([7, -7], [1, 1])


@given(p=st.integers(0, PRODUCT_MAX), s=st.integers(0, SHIFT_MAX))
def test_toward_zero_is_odd(p, s):
    assert shift_toward_zero(np.array([-p]), s) == -shift_toward_zero(np.array([p]), s)


def test_ties_go_up():
    assert shift_half_up(np.array([-6, -5, -3, -2, 2, 3, 5, 6]), 2).tolist() == [
        -1,
        -1,
        -1,
        0,
        1,
        1,
        1,
        2,
    ]


def test_saturate_is_symmetric():
    x = np.arange(-300, 301)
    for bits in range(2, 10):
        top = 2 ** (bits - 1) - 1
        wanted = [min(max(int(k), -top), top) for k in x]
        np.testing.assert_array_equal(saturate(x, bits), wanted)


@given(x=st.integers(-(2**63), 2**63 - 1), bits=st.integers(2, 63))
def test_saturate_takes_any_int64(x, bits):
    top = largest(bits)
    assert saturate(np.array([x], dtype=np.int64), bits).tolist() == [min(max(x, -top), top)]


def test_largest():
    assert [largest(bits) for bits in (2, 8, 12, 24, 32)] == [1, 127, 2047, 8388607, 2147483647]
