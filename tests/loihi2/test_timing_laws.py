"""Laws of time and energy that need no program: length, order, chips, the ends of a stream."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loihi2_works import PLAIN, cluster, constant, random_work
from ns4d.loihi2.energy import price
from ns4d.loihi2.estimate import estimate
from ns4d.loihi2.mode import Mode
from ns4d.loihi2.populations import Kind
from ns4d.loihi2.timing import crossings, message_size, period, time_steps
from ns4d.loihi2.work import Work

SEEDS = st.integers(0, 2**32 - 1)
MODES = st.sampled_from(list(Mode))
FLOOR = PLAIN.step_floor_s.value


def steady(seed: int, tokens: int, chips: int = 1) -> Work:
    """Equal tokens."""
    return random_work(seed, tokens=1, chips=chips).mean(tokens)


def on_chips(work: Work, shift: int) -> Work:
    """The same work so many chips further on."""
    moved = tuple(
        replace(one, chip=one.chip + shift, reach=(one.reach[0] + shift, one.reach[1] + shift))
        for one in work.clusters
    )
    return replace(work, clusters=moved)


@settings(max_examples=25)
@given(SEEDS, MODES, st.integers(6, 12))
def test_one_more_token_takes_the_time_of_a_token(seed: int, mode: Mode, tokens: int) -> None:
    shorter, longer = (time_steps(steady(seed, n), mode, PLAIN) for n in (tokens, tokens + 1))
    assert longer.latency_s - shorter.latency_s == pytest.approx(longer.token_s)
    assert longer.token_s == pytest.approx(shorter.token_s)


@settings(max_examples=25)
@given(SEEDS, MODES, st.integers(1, 9))
def test_a_stream_has_so_many_steps(seed: int, mode: Mode, tokens: int) -> None:
    work = random_work(seed, tokens)
    timing = time_steps(work, mode, PLAIN)
    last = work.last_stage
    wanted = tokens * (last - 1) + 2 if mode is Mode.FALL_THROUGH else tokens + last
    assert len(timing.step_s) == wanted
    assert len(timing.updates_s) == len(timing.synops_s) == len(timing.links_s) == wanted


@settings(max_examples=25)
@given(SEEDS, MODES, st.integers(1, 9))
def test_no_step_is_shorter_than_the_floor(seed: int, mode: Mode, tokens: int) -> None:
    timing = time_steps(random_work(seed, tokens), mode, PLAIN)
    assert (timing.step_s >= FLOOR).all()
    assert timing.latency_s >= FLOOR * len(timing.step_s)


@settings(max_examples=25)
@given(SEEDS)
def test_alone_a_token_takes_equally_long_in_both_modes(seed: int) -> None:
    """One token is in one stage at a time, whatever comes behind it."""
    work = random_work(seed, tokens=1)
    slow, fast = (time_steps(work, mode, PLAIN) for mode in Mode)
    assert (slow.step_s == fast.step_s).all()
    assert (slow.core == fast.core).all()


@settings(max_examples=25)
@given(SEEDS, MODES)
def test_the_fullest_core_is_one_of_those_in_use(seed: int, mode: Mode) -> None:
    work = random_work(seed)
    found = time_steps(work, mode, PLAIN).core
    assert set(found.tolist()) <= {-1, *work.by_core}


@settings(max_examples=25)
@given(SEEDS, MODES, st.integers(1, 5))
def test_where_chips_stand_does_not_matter(seed: int, mode: Mode, shift: int) -> None:
    work = random_work(seed, chips=3)
    here, there = (time_steps(w, mode, PLAIN) for w in (work, on_chips(work, shift)))
    assert (here.step_s == there.step_s).all()
    assert price(here, PLAIN) == price(there, PLAIN)


@settings(max_examples=25)
@given(SEEDS, MODES)
def test_a_mirrored_row_of_chips_takes_as_long(seed: int, mode: Mode) -> None:
    """Links carry both directions alike."""
    work = random_work(seed, chips=3)
    mirrored = tuple(
        replace(one, chip=-one.chip, reach=(-one.reach[1], -one.reach[0])) for one in work.clusters
    )
    here, there = (time_steps(w, mode, PLAIN) for w in (work, replace(work, clusters=mirrored)))
    assert (here.step_s == there.step_s).all()


@settings(max_examples=25)
@given(SEEDS, MODES)
def test_messages_heard_nearby_only_cross_no_link(seed: int, mode: Mode) -> None:
    work = random_work(seed, chips=3)
    near = tuple(replace(one, reach=(one.chip, one.chip)) for one in work.clusters)
    timing = time_steps(replace(work, clusters=near), mode, PLAIN)
    assert not timing.links_s.any()
    assert price(timing, PLAIN).links_j == 0
    assert crossings(timing.work) == {}


@settings(max_examples=25)
@given(SEEDS, MODES)
def test_wider_messages_are_never_faster_between_chips(seed: int, mode: Mode) -> None:
    work = random_work(seed, chips=3)
    narrow, broad = (time_steps(replace(work, message_bits=bits), mode, PLAIN) for bits in (4, 24))
    assert (narrow.step_s <= broad.step_s).all()
    assert price(narrow, PLAIN).links_j <= price(broad, PLAIN).links_j


def test_a_link_is_named_by_the_chips_that_it_joins() -> None:
    clusters = [
        cluster(0, 0, chip=0, reach=(0, 2)),
        cluster(1, 1, chip=2, reach=(1, 2)),
        cluster(2, 2, chip=1),
    ]
    work = constant(clusters, [1.0] * 3, [0.0] * 3, tokens=1)
    assert crossings(work) == {(0, 1): [0], (1, 2): [0], (2, 1): [1]}
    assert message_size(work, PLAIN) == 4 + 12


def test_two_links_work_at_the_same_time() -> None:
    """A step waits for the fuller one, not for both."""
    both = [cluster(0, 0, chip=0, reach=(0, 1)), cluster(0, 1, chip=2, reach=(1, 2))]
    both.append(cluster(1, 2, chip=1))
    work = constant(both, [3.0, 5.0, 0.0], [0.0] * 3, tokens=1)
    timing = time_steps(work, Mode.PIPELINED, PLAIN)
    assert timing.step_s[0] == FLOOR + 5 * 16 / 4 + 32


def test_one_link_adds_up_what_crosses_it() -> None:
    clusters = [cluster(0, k, chip=0, reach=(0, 1)) for k in range(2)]
    clusters.append(cluster(1, 2, chip=1))
    work = constant(clusters, [3.0, 5.0, 0.0], [0.0] * 3, tokens=1)
    timing = time_steps(work, Mode.PIPELINED, PLAIN)
    assert timing.step_s[0] == FLOOR + 8 * 16 / 4 + 32


def test_without_links_in_the_way_cores_decide() -> None:
    clusters = [cluster(0, 0, neurons=500, reach=(0, 1)), cluster(1, 6, chip=1)]
    work = constant(clusters, [1.0, 0.0], [0.0, 0.0], tokens=1)
    timing = time_steps(work, Mode.PIPELINED, PLAIN)
    assert timing.links_s[0] == 0
    assert timing.step_s[0] == FLOOR + 500 * 2


@settings(max_examples=25)
@given(SEEDS, MODES, st.integers(2, 4))
def test_more_of_everything_takes_longer_in_proportion(seed: int, mode: Mode, times: int) -> None:
    """All but the floor scales with neurons and operations."""
    work = random_work(seed)
    more = replace(
        work,
        clusters=tuple(replace(one, neurons=times * one.neurons) for one in work.clusters),
        synops=times * work.synops,
    )
    once, often = (time_steps(w, mode, PLAIN).step_s - FLOOR for w in (work, more))
    assert often == pytest.approx(times * once)


@settings(max_examples=25)
@given(SEEDS)
def test_fall_through_waits_for_every_stage_pipelined_for_one(seed: int) -> None:
    work = steady(seed, tokens=8)
    slow, fast = (time_steps(work, mode, PLAIN).token_s for mode in Mode)
    stages = period(work, Mode.FALL_THROUGH)
    assert slow <= stages * fast + 1e-9
    assert fast <= slow


@settings(max_examples=15)
@given(SEEDS, MODES)
def test_an_estimate_is_its_timing_and_its_energy(seed: int, mode: Mode) -> None:
    found = estimate(random_work(seed, tokens=8, chips=2), mode)
    assert found.token_s.value == found.timing.token_s
    assert found.sample_j.value == found.energy.sample_j
    for span in (found.token_s, found.latency_s, found.token_j, found.board_token_j):
        assert 0 < span.low <= span.value <= span.high
    assert found.board_token_j.value > found.token_j.value


def test_silence_costs_updates_and_static_power() -> None:
    clusters = [cluster(0, 0), cluster(1, 1, 4, Kind.STATE), cluster(2, 2, kind=Kind.READOUT)]
    work = constant(clusters, [0.0] * 3, [0.0] * 3, tokens=5)
    energy = price(time_steps(work, Mode.PIPELINED, PLAIN), PLAIN)
    assert energy.synops_j == energy.spikes_j == energy.links_j == 0
    assert energy.dynamic_j == 5 * (4 * 16 + 2 * 4)


def test_chips_in_use_draw_power_others_do_not() -> None:
    one = [cluster(0, 0), cluster(1, 1)]
    two = [cluster(0, 0), cluster(1, 1, chip=7)]
    works = [constant(clusters, [0.0] * 2, [0.0] * 2, 3) for clusters in (one, two)]
    energies = [price(time_steps(work, Mode.PIPELINED, PLAIN), PLAIN) for work in works]
    assert energies[1].power_w == 2 * energies[0].power_w
    assert [work.chips for work in works] == [1, 2]


@pytest.mark.parametrize("mode", Mode)
def test_uneven_tokens_take_no_less_than_even_ones(mode: Mode) -> None:
    """A step waits for a maximum, and a maximum of means is no larger than the mean of maxima."""
    work = random_work(11, tokens=64)
    even = work.mean(64)
    uneven_s, even_s = (time_steps(w, mode, PLAIN).latency_s for w in (work, even))
    assert uneven_s >= even_s
    assert np.isclose(work.synops.sum(), even.synops.sum())
