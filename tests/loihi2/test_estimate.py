"""Ranges: over whole sets of costs, never narrower than any of them."""

from __future__ import annotations

import pytest

from loihi2_works import PLAIN, random_work
from ns4d.errors import RangeError
from ns4d.loihi2.costs import CORNERS, COSTS
from ns4d.loihi2.energy import price
from ns4d.loihi2.estimate import Span, estimate
from ns4d.loihi2.evidence import BOARD_STATIC_W
from ns4d.loihi2.mode import Mode
from ns4d.loihi2.timing import time_steps


@pytest.fixture(scope="module", params=list(Mode), ids=lambda mode: mode.value)
def mode(request: pytest.FixtureRequest) -> Mode:
    return request.param


def test_the_value_is_that_of_the_stated_costs(mode: Mode) -> None:
    work = random_work(0)
    found = estimate(work, mode)
    timing = time_steps(work, mode, COSTS)
    energy = price(timing, COSTS)
    assert found.token_s.value == timing.token_s
    assert found.latency_s.value == timing.latency_s
    assert found.token_j.value == energy.token_j
    assert found.sample_j.value == energy.sample_j


def test_the_range_is_that_of_all_corners(mode: Mode) -> None:
    work = random_work(1, chips=2)
    found = estimate(work, mode)
    timings = [time_steps(work, mode, corner) for corner in CORNERS]
    energies = [price(*pair).token_j for pair in zip(timings, CORNERS, strict=True)]
    times = [timing.token_s for timing in timings]
    assert found.token_s.low == min(*times, found.token_s.value)
    assert found.token_s.high == max(*times, found.token_s.value)
    assert found.token_j.low == min(*energies, found.token_j.value)
    assert found.token_j.high == max(*energies, found.token_j.value)


def test_without_corners_there_is_no_range(mode: Mode) -> None:
    found = estimate(random_work(2), mode, PLAIN, ())
    for span in (found.token_s, found.latency_s, found.token_j, found.sample_j):
        assert span.low == span.value == span.high


def test_the_power_of_boards_replaces_the_fitted_one(mode: Mode) -> None:
    work = random_work(3)
    found = estimate(work, mode, PLAIN, ())
    low, high = BOARD_STATIC_W.spread
    for end, watts in (("low", low), ("value", BOARD_STATIC_W.value), ("high", high)):
        powered = PLAIN.at(static_w=watts)
        energy = price(time_steps(work, mode, powered), powered)
        assert getattr(found.board_token_j, end) == pytest.approx(energy.token_j)
        assert getattr(found.board_sample_j, end) == pytest.approx(energy.sample_j)


def test_a_rate_is_one_by_a_time() -> None:
    assert Span(2.0, 1.0, 4.0).inverse == Span(0.5, 0.25, 1.0)
    assert Span(2.0, 1.0, 4.0).times(3) == Span(6.0, 3.0, 12.0)


def test_a_range_holds_its_value() -> None:
    with pytest.raises(RangeError, match="expected low <= value <= high, got 2"):
        Span(1.0, 2.0, 3.0)
