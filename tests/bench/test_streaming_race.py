"""A race alternates, rotates, compares within rounds, and ends at the first wrong result."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ns4d.bench.streaming_race import OURS, Contestant, Timing, champions, race, times_faster
from ns4d.errors import RangeError

EXPECTED = [np.array([1, 2, 3]), np.array([4, 5, 6])]


def runner(name: str, log: list[str]) -> Contestant:
    """Answers correctly, writes down when it was asked."""

    def prepare(block: int) -> None:
        log.append(f"prepare {name}{block}")

    def run(block: int) -> np.ndarray:
        log.append(f"{name}{block}")
        return EXPECTED[block].copy()

    return Contestant(name, OURS, prepare, run, EXPECTED)


def wrong(difference: float, tolerance: float = 0.0) -> Contestant:
    """Answers with one score off."""
    expected = [np.array([0.0, -8.0])]
    return Contestant(
        "wrong",
        "other",
        lambda _: None,
        lambda _: expected[0] + np.array([difference, 0]),
        expected,
        tolerance,
    )


def test_contestants_alternate_while_their_order_rotates() -> None:
    log: list[str] = []
    race([runner("a", log), runner("b", log)], rounds=3, units=1)
    timed = [entry for entry in log if not entry.startswith("prepare")][4:]
    assert timed == ["a0", "b0", "b1", "a1", "a0", "b0"]


def test_every_block_runs_before_the_first_time_is_taken() -> None:
    log: list[str] = []
    race([runner("a", log), runner("b", log)], rounds=0, units=1)
    assert [entry for entry in log if len(entry) == 2] == ["a0", "a1", "b0", "b1"]


def test_every_run_is_prepared_with_its_block() -> None:
    log: list[str] = []
    race([runner("a", log)], rounds=3, units=1)
    assert log[0::2] == [f"prepare {entry}" for entry in log[1::2]]


def test_a_timing_has_one_time_per_round_and_unit() -> None:
    log: list[str] = []
    (once,) = race([runner("a", log)], rounds=5, units=1)
    assert len(once.seconds) == 5
    assert min(once.seconds) > 0
    assert once.best <= once.median
    assert (once.name, once.family) == ("a", OURS)


def test_time_is_divided_by_the_units(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter(np.arange(100.0).tolist())
    monkeypatch.setattr("ns4d.bench.streaming_race.time.perf_counter", lambda: next(ticks))
    (timing,) = race([runner("a", [])], rounds=2, units=4)
    assert timing.seconds == (0.25, 0.25)


def test_an_integer_off_by_one_ends_the_race() -> None:
    off = replace(runner("a", []), run=lambda block: EXPECTED[block] + np.array([0, 1, 0]))
    with pytest.raises(RangeError, match=r"benchmark, a, block 0.*got a difference of 1"):
        race([off], rounds=1, units=1)


def test_a_mistake_in_a_timed_round_ends_the_race() -> None:
    calls = 0

    def run(block: int) -> np.ndarray:
        nonlocal calls
        calls += 1
        return EXPECTED[block] + (calls > 3)

    with pytest.raises(RangeError, match="block 1"):
        race([replace(runner("a", []), run=run)], rounds=2, units=1)


@pytest.mark.parametrize("difference", [0.0, 0.07, -0.07])
def test_a_float_may_differ_by_the_tolerance_of_the_largest_score(difference: float) -> None:
    race([wrong(difference, tolerance=0.01)], rounds=1, units=1)


@pytest.mark.parametrize("difference", [0.09, -0.09, float("nan"), float("inf")])
def test_a_float_may_not_differ_by_more(difference: float) -> None:
    with pytest.raises(RangeError, match=r"the scores of the definition within 0\.08"):
        race([wrong(difference, tolerance=0.01)], rounds=1, units=1)


@pytest.mark.parametrize(
    "result", [np.array([1, 2]), np.array([[1, 2, 3]]), np.array([1.0, 2.0, 3.0])]
)
def test_scores_of_another_shape_or_kind_are_refused(result: np.ndarray) -> None:
    with pytest.raises(RangeError, match=r"got (int64|float64) \("):
        race([replace(runner("a", []), run=lambda _: result)], rounds=1, units=1)


def test_ratios_are_taken_within_a_round() -> None:
    """A machine that slows down threefold for one round changes no ratio."""
    ours = Timing("ours", OURS, (1.0, 3.0, 1.0))
    theirs = Timing("theirs", "float", (5.0, 15.0, 5.0))
    assert times_faster(ours, theirs) == 5.0
    assert times_faster(theirs, ours) == pytest.approx(0.2)


def test_the_champion_of_a_family_has_the_smallest_median() -> None:
    lucky = Timing("lucky", "x", (1.0, 9.0, 9.0))
    steady = Timing("steady", "x", (5.0, 5.0, 5.0))
    other = Timing("other", "y", (7.0, 7.0, 7.0))
    ours = Timing("ours", OURS, (0.1, 0.1, 0.1))
    assert champions([lucky, steady, other, ours]) == {"x": steady, "y": other}
