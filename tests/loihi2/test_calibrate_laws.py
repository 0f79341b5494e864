"""How the fitted costs answer to what is given: which way, how far, and not at all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ns4d.loihi2.calibrate import TARGETS, Targets, fit, fit_corners
from ns4d.loihi2.costs import COSTS, GIVEN_J, Costs
from ns4d.loihi2.fact import Fact, Tag
from ns4d.loihi2.structure import Structure
from ns4d.loihi2.work import Work

# As many S4D neurons per core as in print, so that the published times can be met.
STRUCTURE = Structure(2, 16, 48, 4, 3, 342, 0.8, 0.4, 12)


@pytest.fixture(scope="module")
def work() -> Work:
    return STRUCTURE.work(STRUCTURE.place())


@pytest.fixture(scope="module")
def fitted(work: Work) -> Costs:
    return fit(work, COSTS)


def scaled(targets: Targets, **factors: float) -> Targets:
    """The same figures, some of them so many times as large."""
    moved = {
        name: Fact(factor * getattr(targets, name).value, "x", "this test", Tag.MEASURED)
        for name, factor in factors.items()
    }
    return replace(targets, **moved)


@pytest.mark.parametrize("name", ["synop_s", "update_s"])
def test_dearer_simple_work_leaves_less_for_the_rest(work: Work, name: str) -> None:
    """For the floor, for S4D updates, or for both: it depends on which steps it lengthens."""
    low, high = (fit(work, COSTS.at(**{name: end})) for end in COSTS.facts[name].spread)
    assert (
        low.step_floor_s.value > high.step_floor_s.value
        or low.state_update_s.value > high.state_update_s.value
    )


@pytest.mark.parametrize("name", ["synop_s", "update_s"])
def test_times_given_do_not_move_energies(work: Work, fitted: Costs, name: str) -> None:
    for end in COSTS.facts[name].spread:
        other = fit(work, COSTS.at(**{name: end}))
        assert other.static_w.value == pytest.approx(fitted.static_w.value, rel=1e-3)
        assert other.state_update_j.value == pytest.approx(fitted.state_update_j.value, rel=1e-3)


@pytest.mark.parametrize("name", GIVEN_J)
def test_dearer_energies_given_leave_less_for_an_update(
    work: Work, fitted: Costs, name: str
) -> None:
    low, high = (fit(work, COSTS.at(**{name: end})) for end in COSTS.facts[name].spread)
    assert low.state_update_j.value > fitted.state_update_j.value > high.state_update_j.value
    # Static power follows from the two modes alone, which do the same work.
    assert low.static_w.value == high.static_w.value == fitted.static_w.value
    assert low.state_update_s == fitted.state_update_s


def test_a_chip_twice_as_slow_has_times_twice_as_long(work: Work, fitted: Costs) -> None:
    given = COSTS.at(synop_s=2 * COSTS.synop_s.value, update_s=2 * COSTS.update_s.value)
    slow = fit(work, given, scaled(TARGETS, token_s=2.0, sample_s=2.0))
    for name in ("step_floor_s", "state_update_s"):
        assert slow.facts[name].value == pytest.approx(2 * fitted.facts[name].value)
    assert slow.static_w.value == pytest.approx(fitted.static_w.value / 2)


def test_twice_the_energy_is_twice_the_power_and_the_update(work: Work, fitted: Costs) -> None:
    given = COSTS.at(**{name: 2 * COSTS.facts[name].value for name in GIVEN_J})
    greedy = fit(work, given, scaled(TARGETS, token_j=2.0, sample_j=2.0))
    for name in ("static_w", "state_update_j"):
        assert greedy.facts[name].value == pytest.approx(2 * fitted.facts[name].value)


def test_more_energy_per_token_is_static_power(work: Work, fitted: Costs) -> None:
    """It is the mode that waits that got dearer: what both do alike got cheaper, if anything."""
    other = fit(work, COSTS, scaled(TARGETS, token_j=1.03))
    assert other.static_w.value > fitted.static_w.value
    assert other.state_update_j.value < fitted.state_update_j.value


def test_a_longer_sample_is_a_longer_update(work: Work, fitted: Costs) -> None:
    other = fit(work, COSTS, scaled(TARGETS, sample_s=1.01))
    assert other.state_update_s.value > fitted.state_update_s.value
    assert other.step_floor_s.value < fitted.step_floor_s.value


def test_a_longer_token_is_a_longer_floor(work: Work, fitted: Costs) -> None:
    other = fit(work, COSTS, scaled(TARGETS, token_s=1.01))
    assert other.step_floor_s.value > fitted.step_floor_s.value


def test_corners_surround_the_fit(work: Work, fitted: Costs) -> None:
    times, energies = fit_corners(work, COSTS)
    floors, updates = zip(*times.values(), strict=True)
    powers, joules = zip(*energies.values(), strict=True)
    for values, name in (
        (floors, "step_floor_s"),
        (updates, "state_update_s"),
        (powers, "static_w"),
        (joules, "state_update_j"),
    ):
        assert min(values) <= fitted.facts[name].value <= max(values), name


def test_a_corner_is_the_fit_with_its_ends(work: Work) -> None:
    times, energies = fit_corners(work, COSTS)
    synop, update = COSTS.synop_s.spread, COSTS.update_s.spread
    for (one, other), (floor, state) in times.items():
        found = fit(work, COSTS.at(synop_s=synop[one], update_s=update[other]))
        assert found.step_floor_s.value == pytest.approx(floor)
        assert found.state_update_s.value == pytest.approx(state)
    for (given, rounding), (power, joules) in energies.items():
        ends = {name: COSTS.facts[name].spread[given] for name in GIVEN_J}
        factor = TARGETS.token_j.spread[rounding] / TARGETS.token_j.value
        found = fit(work, COSTS.at(**ends), scaled(TARGETS, token_j=factor))
        assert found.static_w.value == pytest.approx(power)
        assert found.state_update_j.value == pytest.approx(joules)


def test_what_is_not_fitted_stays(fitted: Costs) -> None:
    changed = {name for name, fact in fitted.facts.items() if fact != COSTS.facts[name]}
    assert changed <= {"step_floor_s", "state_update_s", "static_w", "state_update_j"}
