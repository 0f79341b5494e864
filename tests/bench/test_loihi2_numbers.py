"""Numbers as text: so many digits, a fitting prefix, a range where one can be seen."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ns4d.bench.loihi2_numbers import deviation, prefix_of, quantity, ranged, rounded
from ns4d.loihi2.estimate import Span


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (65.53, 2, "66"),
        (0.0163, 2, "0.016"),
        (15234.0, 2, "15,000"),
        (15234.0, 3, "15,200"),
        (2.0, 2, "2.0"),
        (0.999, 2, "1.0"),
        (9.96, 2, "10"),
        (100.0, 3, "100"),
        (99.96, 3, "100"),
        (0.1, 2, "0.10"),
        (0.0, 2, "0"),
        (1.23e-9, 2, "0.0000000012"),
    ],
)
def test_significant_digits(value: float, digits: int, text: str) -> None:
    assert rounded(value, digits) == text


@given(st.floats(1e-6, 1e9), st.integers(1, 4))
def test_rounding_keeps_the_value_within_its_last_digit(value: float, digits: int) -> None:
    text = rounded(value, digits)
    assert "e" not in text
    unit = 10.0 ** (math.floor(math.log10(value)) - digits + 1)
    assert abs(float(text.replace(",", "")) - value) <= 0.5001 * unit


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (65.53e-6, "s", "66 µs"),
        (999.9e-6, "s", "1.0 ms"),
        (0.2352e-9, "J", "240 pJ"),
        (1e-15, "J", "0.0010 pJ"),
        (10e9, "bit/s", "10 Gbit/s"),
        (32.0, "bit", "32 bit"),
        (0.0, "s", "0 s"),
    ],
)
def test_prefixes(value: float, unit: str, text: str) -> None:
    assert quantity(value, unit) == text


def test_a_prefix_leaves_a_number_from_one_to_a_thousand() -> None:
    for exponent in range(-12, 3):
        scale, _ = prefix_of(2.0 * 10.0**exponent)
        assert 1 <= 2.0 * 10.0**exponent / scale < 1000


def test_a_range_is_shown_where_it_can_be_seen() -> None:
    assert ranged(Span(16.2, 15.4, 16.6)) == "16 (15–17)"
    assert ranged(Span(16.2, 16.1, 16.3)) == "16"
    assert ranged(Span(16.2, 16.1, 16.3), digits=3) == "16.2 (16.1–16.3)"
    assert ranged(Span(16.2e-6, 15.4e-6, 16.6e-6), 1e-6) == "16 (15–17)"


def test_deviations_have_a_sign() -> None:
    assert deviation(1.5, 1.0) == "+50 %"
    assert deviation(0.43, 1.0) == "-57 %"
