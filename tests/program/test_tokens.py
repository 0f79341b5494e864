"""Equation (0) equals exact rational arithmetic on the double-precision quotient."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ns4d.errors import RangeError, ShapeError
from ns4d.numerics import LOIHI2, WIDE
from ns4d.program import InputQuantizer
from ns4d.program.tokens import admit
from program_strategies import random_program

FINITE = st.floats(allow_nan=False, allow_infinity=False)
SCALES = st.floats(min_value=2.3e-308, allow_nan=False, allow_infinity=False)


@given(x=FINITE, offset=FINITE, scale=SCALES)
@example(x=0.5, offset=0.0, scale=1.0)
@example(x=-1.5, offset=0.0, scale=1.0)
@example(x=0.49999999999999994, offset=0.0, scale=1.0)
@example(x=1.7e308, offset=-1.7e308, scale=1.0)
@example(x=1.0, offset=0.0, scale=2.3e-308)
def test_it_is_one_double_subtraction_and_one_double_division(x, offset, scale):
    got = admit(LOIHI2, InputQuantizer(np.array([offset]), np.array([scale])), np.array([x]))
    quotient = x - offset  # Python floats: IEEE 754 doubles that overflow to infinity in silence
    quotient /= scale
    if abs(quotient) > LOIHI2.message_max:
        wanted = LOIHI2.message_max
    else:
        wanted = math.floor(abs(Fraction(quotient)) + Fraction(1, 2))
    assert abs(int(got[0])) == wanted
    assert int(got[0]) * math.copysign(1, quotient) >= 0


@pytest.mark.parametrize("arithmetic", [LOIHI2, WIDE], ids=["loihi2", "wide"])
def test_messages_pass_and_larger_integers_do_not(arithmetic):
    quantizer = InputQuantizer(np.array([3.0]), np.array([2.0]))
    top = arithmetic.message_max
    messages = np.array([[-top], [0], [top]])
    np.testing.assert_array_equal(admit(arithmetic, quantizer, messages), messages)
    for value in (top + 1, -top - 1):
        with pytest.raises(
            RangeError,
            match=rf"^token 1, channel 0: expected an integer .* {-top} to {top}, got {value}",
        ):
            admit(arithmetic, quantizer, np.array([[0], [value]]))


def test_unsigned_integers_are_messages_too():
    quantizer = InputQuantizer(np.array([3.0]), np.array([2.0]))
    got = admit(LOIHI2, quantizer, np.array([0, 255], dtype=np.uint8)[:, None])
    assert got.tolist() == [[0], [255]]
    assert got.dtype == np.int64
    with pytest.raises(RangeError, match=r"^channel 0: expected an integer message .* got 184467"):
        admit(LOIHI2, quantizer, np.array([2**64 - 1], dtype=np.uint64))


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_narrow_floats_are_widened_before_anything_else(dtype):
    quantizer = InputQuantizer(np.array([0.1]), np.array([0.003]))
    x = np.linspace(-1, 1, 101).astype(dtype)[:, None]
    np.testing.assert_array_equal(
        admit(LOIHI2, quantizer, x), admit(LOIHI2, quantizer, x.astype(np.float64))
    )


def test_each_channel_has_its_own_step():
    quantizer = InputQuantizer(np.array([1.0, -1.0]), np.array([0.5, 0.25]))
    assert admit(LOIHI2, quantizer, np.array([2.0, 1.0])).tolist() == [2, 8]
    assert admit(LOIHI2, quantizer, np.array([1e9, -1e9])).tolist() == [2047, -2047]


@pytest.mark.parametrize("shape", [(2,), (5, 2), (3, 5, 2), (2, 3, 5, 2)])
def test_any_number_of_axes(shape):
    program = random_program(np.random.default_rng(0), inputs=2)
    assert program.quantize_input(np.zeros(shape)).shape == shape
    bad = np.zeros(shape)
    bad[..., 1] = np.nan
    with pytest.raises(RangeError, match=r"channel 1: expected a finite number, got nan\. Clean"):
        program.quantize_input(bad)


@pytest.mark.parametrize("tokens", [np.zeros(3), np.zeros((2, 1)), np.array(1.0)])
def test_a_wrong_width_is_refused(tokens):
    program = random_program(np.random.default_rng(0), inputs=2)
    with pytest.raises(
        ShapeError, match=r"^tokens: expected a NumPy array whose last axis is the 2 inputs of the"
    ):
        program.quantize_input(tokens)


def test_long_double_is_refused():
    program = random_program(np.random.default_rng(0))
    with pytest.raises(
        ShapeError, match=r"^tokens: expected floats \(to be quantized\) or integers"
    ):
        program.quantize_input(np.zeros(1, np.longdouble))


def test_the_difference_is_taken_in_double_precision():
    # float32(0.1) is 0.1 + 1.49e-9; in single precision the difference would vanish.
    quantizer = InputQuantizer(np.array([0.1]), np.array([1e-9]))
    assert admit(LOIHI2, quantizer, np.array([0.1], np.float32)).tolist() == [1]
