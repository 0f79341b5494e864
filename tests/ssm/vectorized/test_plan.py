"""Plans: as few rows as the radices allow, passes that reach every row, right factors."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ns4d.ssm.vectorized.butterfly import LAST
from ns4d.ssm.vectorized.code import ROW
from ns4d.ssm.vectorized.plan import plan_for

lengths = st.integers(1, 5000)
# Every product of 3, 4, 5, 8 up to 2000: more rows than any length below needs, over four.
POSSIBLE = sorted(
    {
        number
        for powers in product(range(7), range(6), range(5), range(4))
        if (number := math.prod(b**p for b, p in zip((3, 4, 5, 8), powers, strict=True))) <= 2000
    }
)


@given(lengths)
def test_the_rows_are_the_fewest_that_the_radices_allow(length):
    assert plan_for(length).rows == next(LAST * n for n in POSSIBLE if LAST * n >= length)


@given(lengths)
def test_the_passes_divide_all_rows_down_to_the_last_ones(length):
    plan = plan_for(length)
    n = plan.rows
    for r, apart, _ in plan.passes.tolist():
        assert r in (3, 4, 5, 8)
        assert apart * r == n * ROW
        n //= r
    assert n == LAST


@given(lengths)
def test_a_factor_is_a_turn_of_its_row_times_its_frequency(length):
    plan = plan_for(length)
    n = plan.rows
    for (r, _, address), table in zip(plan.passes.tolist(), plan.tables, strict=True):
        assert table.ctypes.data == address
        factors = table.reshape(n // r, r - 1)
        for j, k in ((0, 1), (n // r - 1, r - 1), (n // r // 2, 1)):
            expected = np.exp(-2j * np.pi * j * k / n)
            assert abs(factors[j, k - 1] - expected) < 1e-6
        n //= r


@pytest.mark.parametrize("length", [16, 784, 1024, 4999])
def test_what_wraps_round_comes_with_an_imaginary_weight(length):
    """θ^M = i: a quarter turn over all rows."""
    powers = plan_for(length).powers.astype(complex)
    step = powers[1] / powers[0]
    np.testing.assert_allclose(powers[-1] * step, 1j, atol=1e-6)
    np.testing.assert_allclose(powers[1:] / powers[:-1], step, atol=1e-6)


def test_the_data_sets_lengths_waste_little():
    assert {length: plan_for(length).rows for length in (64, 784, 1024, 16000)} == {
        64: 64,
        784: 800,
        1024: 1024,
        16000: 16000,
    }


def test_a_plan_is_made_once():
    assert plan_for(784) is plan_for(784)
