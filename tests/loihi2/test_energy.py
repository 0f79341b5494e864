"""Joules by cause: static power by time, the rest by work."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loihi2_works import PLAIN, cluster, constant, random_work
from ns4d.loihi2.energy import price
from ns4d.loihi2.mode import Mode
from ns4d.loihi2.populations import Kind
from ns4d.loihi2.timing import time_steps

SEEDS = st.integers(0, 2**32 - 1)
MODES = st.sampled_from(list(Mode))


def test_every_cause_by_hand() -> None:
    clusters = [
        cluster(0, core=0, neurons=3, reach=(0, 1)),
        cluster(1, core=6, neurons=5, kind=Kind.STATE, chip=1),
        cluster(2, core=7, neurons=2, chip=1, kind=Kind.READOUT),
    ]
    work = constant(clusters, [3.0, 4.0, 0.0], [0.0, 5.0, 6.0], tokens=2)
    timing = time_steps(work, Mode.FALL_THROUGH, PLAIN)
    energy = price(timing, PLAIN)
    assert energy.power_w == 2 * 0.5
    assert energy.static_j == 1.0 * timing.latency_s
    assert energy.state_updates_j == 2 * 5 * 16
    assert energy.updates_j == 2 * (3 + 2) * 4
    assert energy.synops_j == 2 * (5 + 6) * 2
    assert energy.spikes_j == 2 * (3 + 4) * 1
    assert energy.links_j == 2 * 3 * 16 * 0.25
    assert energy.token_j == timing.token_s + energy.dynamic_j / 2
    assert energy.sample_j == timing.latency_s + energy.dynamic_j


@settings(max_examples=25)
@given(SEEDS, MODES)
def test_causes_add_up(seed: int, mode: Mode) -> None:
    energy = price(time_steps(random_work(seed, chips=2), mode, PLAIN), PLAIN)
    assert sum(energy.causes_j.values()) == pytest.approx(energy.token_j, rel=1e-12)


@settings(max_examples=25)
@given(SEEDS)
def test_the_mode_moves_static_energy_alone(seed: int) -> None:
    work = random_work(seed)
    slow, fast = (price(time_steps(work, mode, PLAIN), PLAIN) for mode in Mode)
    assert slow.dynamic_j == fast.dynamic_j
    assert slow.static_j >= fast.static_j


@settings(max_examples=25)
@given(SEEDS, MODES, st.integers(1, 3))
def test_dynamic_energy_is_linear_in_what_is_done(seed: int, mode: Mode, times: int) -> None:
    once = random_work(seed, chips=2)
    often = replace(
        once, spikes=np.tile(once.spikes, (times, 1)), synops=np.tile(once.synops, (times, 1))
    )
    one, many = (price(time_steps(work, mode, PLAIN), PLAIN) for work in (once, often))
    assert many.dynamic_j == pytest.approx(times * one.dynamic_j)


@settings(max_examples=25)
@given(SEEDS, MODES, st.sampled_from(sorted(name for name in PLAIN.facts if name.endswith("_j"))))
def test_a_dearer_unit_costs_more(seed: int, mode: Mode, name: str) -> None:
    dearer = PLAIN.at(**{name: 2 * PLAIN.facts[name].value})
    timing = time_steps(random_work(seed, chips=2), mode, PLAIN)
    assert price(timing, dearer).sample_j > price(timing, PLAIN).sample_j


def test_a_message_pays_for_every_link_on_its_way() -> None:
    def links_j(reach: tuple[int, int]) -> float:
        clusters = [cluster(0, core=6, chip=1, reach=reach), cluster(1, core=6, chip=1)]
        work = constant(clusters, [1.0, 0.0], [0.0, 1.0], tokens=1)
        return price(time_steps(work, Mode.PIPELINED, PLAIN), PLAIN).links_j

    one = 16 * 0.25
    assert links_j((1, 1)) == 0
    assert links_j((1, 2)) == links_j((0, 1)) == one
    assert links_j((0, 3)) == 3 * one
