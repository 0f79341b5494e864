"""Integers for real numbers: they fit, they use the width, they are near."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ns4d.errors import RangeError
from ns4d.quantize.integers import (
    filling_shift,
    floor_log2,
    mantissas,
    message_limit,
    message_scale,
    multipliers,
)

LARGEST = 2**15 - 1
positive = st.floats(1e-30, 1e30)


@given(st.integers(-1000, 1000))
def test_floor_log2_is_exact_at_powers_of_two(exponent: int) -> None:
    power = np.array([2.0**exponent])
    assert floor_log2(power) == exponent
    assert floor_log2(np.nextafter(power, 0)) == exponent - 1


@given(hnp.arrays(float, (3, 4), elements=st.floats(-LARGEST, LARGEST)))
def test_mantissas_fit_and_are_half_a_step_away_at_most(values: np.ndarray) -> None:
    shift = filling_shift(values, LARGEST, 62)
    integers = mantissas(values, LARGEST, shift)
    assert np.abs(integers).max() <= LARGEST
    step = 2.0 ** -shift[:, None]
    # At the very top rounding up would leave the width: there the step is whole.
    inside = np.abs(integers) < LARGEST
    assert (np.abs(integers * step - values) <= np.where(inside, step / 2, step)).all()


@given(hnp.arrays(float, (2, 3), elements=st.floats(2**-40, 2**14)))
def test_mantissas_fill_the_width(values: np.ndarray) -> None:
    integers = mantissas(values, LARGEST, filling_shift(values, LARGEST, 62))
    assert (np.abs(integers).max(1) >= LARGEST // 2).all()


def test_shifts_respect_their_largest_and_survive_zero() -> None:
    values = np.array([[1e-9, 0.0], [0.0, 0.0]])
    shift = filling_shift(values, LARGEST, np.array([20, 20]))
    assert shift.tolist() == [20, 15 - 1]
    assert not mantissas(values, LARGEST, shift).any()


def test_mantissas_are_clipped_where_a_shift_is_too_large() -> None:
    values = np.array([[1.0, -3.0, 0.5]])
    assert mantissas(values, LARGEST, np.array([14])).tolist() == [[2**14, -LARGEST, 2**13]]


@given(hnp.arrays(float, 5, elements=st.floats(2**-30, 2**10)))
def test_multipliers_share_an_exponent_and_keep_fifteen_bits_at_the_peak(gain: np.ndarray) -> None:
    multiplier, shift = multipliers(gain, LARGEST, "node")
    assert multiplier.max() <= LARGEST
    assert multiplier.max() > LARGEST // 2 - 1
    # Half a step of rounding, a whole one where rounding up would leave the width.
    assert (np.abs(multiplier - gain * 2.0**shift) <= 1).all()


def test_a_node_whose_channels_are_all_dead_has_zero_multipliers() -> None:
    multiplier, shift = multipliers(np.zeros(3), LARGEST, "node")
    assert not multiplier.any()
    assert 0 <= shift <= 62


def test_a_factor_beyond_the_multiplier_is_refused() -> None:
    with pytest.raises(RangeError, match=r"node 'enc', multiplier: expected a factor of at most"):
        multipliers(np.array([1.0, 1e6]), LARGEST, "enc")


@given(hnp.arrays(float, 4, elements=st.floats(0, 1e6)))
def test_the_calibrated_maximum_becomes_the_largest_message(peaks: np.ndarray) -> None:
    scale = message_scale(peaks, 2047)
    assert scale > 0
    limit = message_limit(peaks, scale, 2047, headroom=1.25)
    assert limit.max() == (2047 if peaks.max() > 0 else 0)
    assert (limit * scale >= np.minimum(1.25 * peaks, peaks.max()) - scale / 2).all()
