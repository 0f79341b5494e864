"""Unit costs: sourced, within their spreads, and corners that fit together."""

from __future__ import annotations

import math

import pytest

from ns4d.errors import ConfigError
from ns4d.loihi2.costs import CORNERS, COSTS, Costs
from ns4d.loihi2.fact import Tag

UNITS = {"_s": "s", "_j": "J", "_w": "W", "_bits": "bit", "_per_s": "bit/s", "_per_bit": "J/bit"}
FITTED = {"step_floor_s", "state_update_s", "static_w", "state_update_j"}


@pytest.mark.parametrize("name", COSTS.facts)
def test_a_cost_says_its_unit_in_its_name(name: str) -> None:
    ending = max((end for end in UNITS if name.endswith(end)), key=len)
    assert COSTS.facts[name].unit == UNITS[ending]


def test_four_costs_are_fitted() -> None:
    assert {name for name, fact in COSTS.facts.items() if fact.tag is Tag.FITTED} == FITTED


@pytest.mark.parametrize("name", COSTS.facts)
def test_what_is_assumed_or_fitted_has_a_range(name: str) -> None:
    fact = COSTS.facts[name]
    low, high = fact.spread
    assert (low < fact.value < high) == (fact.tag in (Tag.ASSUMED, Tag.FITTED))


@pytest.mark.parametrize("name", ["update_s", "synop_s", "update_j"])
def test_a_middle_is_the_geometric_one(name: str) -> None:
    fact = COSTS.facts[name]
    assert fact.source.startswith("middle of")
    assert fact.value == pytest.approx(math.sqrt(math.prod(fact.spread)), rel=0.02)


@pytest.mark.parametrize(
    ("name", "rate"), [("update_s", 240e12), ("synop_s", 380e12)], ids=["neuron", "synapse"]
)
def test_the_least_times_are_hala_points_peaks(name: str, rate: float) -> None:
    assert COSTS.facts[name].spread[0] == pytest.approx(140_544 / rate, rel=0.02)


@pytest.mark.parametrize(("name", "rate"), [("update_j", 240e12), ("synop_j", 380e12)])
def test_an_energy_of_hala_point_is_power_by_rate(name: str, rate: float) -> None:
    fact = COSTS.facts[name]
    assert 2600 / rate in (
        pytest.approx(fact.value, rel=0.02),
        pytest.approx(fact.spread[0], rel=0.02),
    )


def test_corners_stay_within_the_spreads_and_reach_them() -> None:
    assert len(CORNERS) == len(set(CORNERS)) == 16
    for name in COSTS.facts:
        low, high = COSTS.facts[name].spread
        found = [corner.facts[name].value for corner in CORNERS]
        assert low <= min(found) <= max(found) <= high
        if name in FITTED:
            assert (min(found), max(found)) == (low, high), name


def test_in_a_corner_what_is_dearer_leaves_less_for_the_rest() -> None:
    """Both fits share published sums: with dearer synapses a step's floor is lower."""

    def floor(corner: Costs) -> float:
        return corner.step_floor_s.value

    dear = max(fact.synop_s.value for fact in CORNERS)
    assert max(floor(c) for c in CORNERS if c.synop_s.value == dear) < max(map(floor, CORNERS))


def test_another_value_widens_the_spread() -> None:
    other = COSTS.at(synop_s=9e-9, static_w=0.0)
    assert other.synop_s.spread == (COSTS.synop_s.spread[0], 9e-9)
    assert other.static_w.spread[0] == 0.0
    assert other.update_s == COSTS.update_s


def test_an_unknown_cost_is_named() -> None:
    with pytest.raises(ConfigError, match="cost 'synops': expected one of step_floor_s"):
        COSTS.at(synops=1.0)


def test_a_cost_is_not_negative() -> None:
    with pytest.raises(ConfigError, match="fact in s: expected finite numbers"):
        COSTS.at(synop_s=-1.0)
