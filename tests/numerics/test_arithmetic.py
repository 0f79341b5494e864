"""Profiles: the two that exist, the ranges that keep int64 safe, and what is refused."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
from jaxtyping import TypeCheckError

from ns4d.errors import ConfigError
from ns4d.numerics import (
    LOIHI2,
    PRODUCT_MAX,
    PROFILES,
    SYNAPSE_SHIFT,
    WIDE,
    ProductRounding,
    SynapseRounding,
)
from ns4d.numerics.arithmetic import WIDTHS


def widths(profile):
    return [getattr(profile, name) for name in WIDTHS]


def test_the_two_profiles():
    assert widths(LOIHI2) == [8, 12, 16, 24, 16, 24]
    assert LOIHI2.product_rounding is ProductRounding.EACH_TOWARD_ZERO
    assert LOIHI2.synapse_rounding is SynapseRounding.FLOOR
    assert widths(WIDE) == [8, 16, 16, 32, 16, 32]
    assert WIDE.product_rounding is ProductRounding.SUM_HALF_UP
    assert WIDE.synapse_rounding is SynapseRounding.HALF_UP
    assert dict(PROFILES) == {"loihi2": LOIHI2, "wide": WIDE}


def test_largest_values_follow_from_the_widths():
    assert LOIHI2.weight_max == 127
    assert LOIHI2.message_max == 2047
    assert LOIHI2.coefficient_max == LOIHI2.multiplier_max == 32767
    assert LOIHI2.state_max == LOIHI2.accumulator_max == 8388607


def test_a_third_profile_is_data():
    profile = replace(LOIHI2, name="messages-24", message_bits=24)
    assert profile.message_max == 8388607


@pytest.mark.parametrize("field", WIDTHS)
def test_widths_out_of_range_are_refused(field):
    low, high = WIDTHS[field]
    for bits in (low, high):
        assert getattr(replace(WIDE, **{field: bits}), field) == bits
    for bits in (low - 1, high + 1, -low, True):
        with pytest.raises(
            ConfigError,
            match=rf"^Arithmetic\.{field}: expected an integer from {low} to {high}, got {bits}\. "
            r"Start from LOIHI2 or WIDE with dataclasses\.replace\.$",
        ):
            replace(WIDE, **{field: bits})


@pytest.mark.parametrize("field", ["product_rounding", "synapse_rounding", "weight_bits", "name"])
def test_other_types_are_refused(field):
    # With the type checker of the test run, its error comes first.
    with pytest.raises((ConfigError, TypeCheckError), match=field):
        replace(WIDE, **{field: 1.5})


@pytest.mark.parametrize("name", ["", "two words", "x" * 33])
def test_names_are_short_words(name):
    with pytest.raises(ConfigError, match=r"^Arithmetic\.name: expected 1 to 32 letters"):
        replace(WIDE, name=name)


def test_a_profile_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        LOIHI2.weight_bits = 4  # type: ignore[misc]
    with pytest.raises(TypeError):
        PROFILES["third"] = WIDE  # type: ignore[index]


def test_the_widest_profile_keeps_the_contract_of_the_shifts():
    widest = replace(WIDE, **{field: high for field, (_, high) in WIDTHS.items()})
    assert 4 * widest.coefficient_max * widest.state_max <= PRODUCT_MAX
    assert 4 * widest.coefficient_max * widest.message_max <= PRODUCT_MAX
    assert widest.accumulator_max * widest.multiplier_max <= PRODUCT_MAX


def test_each_synapse_rounding_has_its_primitive():
    v = np.array([-3, -1, 1, 3])
    assert SYNAPSE_SHIFT[SynapseRounding.FLOOR](v, 1).tolist() == [-2, -1, 0, 1]
    assert SYNAPSE_SHIFT[SynapseRounding.HALF_UP](v, 1).tolist() == [-1, 0, 1, 2]
