"""Rounding floats equals exact rational arithmetic; what cannot be rounded is refused."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ns4d.errors import ConfigError, RangeError, ShapeError
from ns4d.numerics import Format, nearest, quantize

FINITE = st.floats(allow_nan=False, allow_infinity=False)
BELOW_HALF = math.nextafter(0.5, 0)


def exact(value: Fraction) -> int:
    away = math.floor(abs(value) + Fraction(1, 2))
    return away if value >= 0 else -away


@given(v=FINITE)
@example(v=BELOW_HALF)
@example(v=-BELOW_HALF)
@example(v=0.5)
@example(v=-2.5)
@example(v=float(2**52 + 1))
@example(v=float(2**53 - 1))
@example(v=5e-324)
@example(v=2.0**62)
@example(v=1.7e308)
@example(v=-0.0)
def test_nearest_is_exact(v):
    bounded = min(max(exact(Fraction(v)), -(2**62)), 2**62)
    assert nearest(np.array([v])).tolist() == [bounded]


@given(v=FINITE, bits=st.integers(2, 62), exponent=st.integers(-128, 128))
@example(v=1.7e308, bits=62, exponent=128)
@example(v=5e-324, bits=8, exponent=-128)
def test_quantize_is_exact(v, bits, exponent):
    format = Format(bits, exponent)
    wanted = exact(Fraction(v) * Fraction(2) ** exponent)
    bounded = min(max(wanted, -format.largest), format.largest)
    assert quantize(np.array([v]), format).tolist() == [bounded]


def test_every_representable_value_survives():
    format = Format(bits=8, exponent=5)
    integers = np.arange(-format.largest, format.largest + 1)
    np.testing.assert_array_equal(quantize(integers / 2**5, format), integers)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_narrow_floats_are_widened_first(dtype):
    v = np.array([[0.5, -1.5], [2.25, 0.0]], dtype=dtype)
    assert quantize(v, Format(8, 1)).tolist() == [[1, -3], [5, 0]]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_refused(value):
    v = np.zeros((2, 3))
    v[1, 2] = value
    with pytest.raises(
        RangeError, match=rf"^quantize, index \(1, 2\): expected a finite number, got {value}\."
    ):
        quantize(v, Format(8, 0))
    with pytest.raises(RangeError, match=r"^nearest, index \(1, 2\): expected a finite number"):
        nearest(v)


@pytest.mark.parametrize("v", [np.arange(3), np.ones(2, bool), np.ones(2, complex)])
def test_only_float_arrays_are_rounded(v):
    with pytest.raises(
        ShapeError, match=rf"^nearest: expected a float16, float32 or float64 array, got {v.dtype}"
    ):
        nearest(v)


@pytest.mark.parametrize(("bits", "exponent"), [(1, 0), (63, 0), (8, 129), (8, -129), (True, 0)])
def test_formats_out_of_range_are_refused(bits, exponent):
    field = "exponent" if abs(exponent) > 128 else "bits"
    with pytest.raises(ConfigError, match=rf"^Format\.{field}: expected an integer from"):
        Format(bits, exponent)
