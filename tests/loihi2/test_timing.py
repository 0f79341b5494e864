"""The length of a step: the floor, the fullest core, the fullest link; which steps a mode has."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loihi2_works import PLAIN, cluster, constant, random_work, slow_steps
from ns4d.loihi2.mode import Mode
from ns4d.loihi2.place import place
from ns4d.loihi2.timing import period, time_steps, update_s
from ns4d.loihi2.work import Work, clusters_of
from program_strategies import random_program

FLOOR = PLAIN.step_floor_s.value
SEEDS = st.integers(0, 2**32 - 1)
MODES = st.sampled_from(list(Mode))


def chain(tokens: int, synops: float = 0.0) -> Work:
    """Input, encoder, eight S4D neurons, reduce, linear, read-out: each on a core of its own."""
    neurons = (1, 1, 8, 1, 1, 1)
    clusters = [cluster(stage, core=stage, neurons=n) for stage, n in enumerate(neurons)]
    return constant(clusters, [1.0] * 6, [0.0, *[synops] * 5], tokens)


def test_fall_through_waits_for_every_stage_in_turn() -> None:
    timing = time_steps(chain(tokens=1), Mode.FALL_THROUGH, PLAIN)
    # Two seconds per simple neuron, eight for each of eight S4D neurons.
    assert timing.step_s.tolist() == [FLOOR + t for t in (2, 2, 64, 2, 2, 2)]
    assert timing.core.tolist() == [0, 1, 2, 3, 4, 5]
    # The steps of a token are those of encoder, S4D, reduce, linear.
    assert timing.token_s == 4 * FLOOR + 2 + 64 + 2 + 2


def test_pipelined_is_paced_by_the_fullest_core() -> None:
    tokens = 20
    timing = time_steps(chain(tokens), Mode.PIPELINED, PLAIN)
    assert timing.token_s == FLOOR + 64
    assert timing.tokens_per_s == 1 / (FLOOR + 64)
    assert timing.samples_per_s == 1 / (tokens * (FLOOR + 64))
    # Two steps until the first token reaches the S4D neurons, three behind the last one.
    assert timing.latency_s == (tokens + 5) * FLOOR + tokens * 64 + 5 * 2


def test_synaptic_operations_fall_in_the_step_of_the_senders() -> None:
    clusters = [cluster(0, core=0), cluster(1, core=1), cluster(2, core=2)]
    work = constant(clusters, [1.0] * 3, [0.0, 100.0, 7.0], tokens=1)
    timing = time_steps(work, Mode.FALL_THROUGH, PLAIN)
    assert timing.synops_s.tolist() == [100.0, 7.0, 0.0]
    assert timing.updates_s.tolist() == [0.0, 0.0, 8.0]


def test_a_core_adds_up_what_its_clusters_do_in_one_step() -> None:
    shared = [cluster(0, core=0), cluster(1, core=1, neurons=5), cluster(2, core=1)]
    work = constant(shared, [1.0] * 3, [0.0, 3.0, 40.0], tokens=1)
    timing = time_steps(work, Mode.FALL_THROUGH, PLAIN)
    assert timing.updates_s[1] + timing.synops_s[1] == 5 * 2 + 40


def test_a_link_that_takes_longer_than_the_cores_delays_the_step() -> None:
    clusters = [cluster(0, 0, reach=(0, 1)), cluster(1, 6, chip=1), cluster(2, 7, chip=1)]
    work = constant(clusters, [10.0, 1.0, 1.0], [0.0, 50.0, 1.0], tokens=1)
    timing = time_steps(work, Mode.FALL_THROUGH, PLAIN)
    # Ten messages of 12 + 4 bits at 4 bits per second, then the crossing.
    assert timing.step_s[0] == FLOOR + 10 * 16 / 4 + 32
    assert timing.links_s[0] == 40 + 32 - 50
    assert timing.links_s[1:].tolist() == [0.0, 0.0]


@settings(max_examples=40)
@given(SEEDS, MODES, st.integers(1, 9), st.integers(1, 3))
def test_it_equals_the_equation_done_slowly(seed: int, mode: Mode, tokens: int, chips: int) -> None:
    work = random_work(seed, tokens, chips)
    found = time_steps(work, mode, PLAIN)
    assert found.step_s.tolist() == slow_steps(work, mode, PLAIN)


@settings(max_examples=25)
@given(SEEDS, MODES, st.integers(1, 9))
def test_causes_add_up_to_the_time_of_a_token(seed: int, mode: Mode, tokens: int) -> None:
    timing = time_steps(random_work(seed, tokens), mode, PLAIN)
    assert sum(timing.causes_s.values()) == pytest.approx(timing.token_s, rel=1e-12)
    assert all(part >= 0 for part in timing.causes_s.values())


@settings(max_examples=25)
@given(SEEDS, st.integers(1, 9))
def test_pipelining_shortens_a_stream_and_its_tokens(seed: int, tokens: int) -> None:
    work = random_work(seed, tokens)
    slow, fast = (time_steps(work, mode, PLAIN) for mode in Mode)
    assert fast.latency_s <= slow.latency_s
    assert fast.token_s <= slow.token_s


@settings(max_examples=25)
@given(SEEDS, MODES)
def test_a_core_for_every_cluster_is_never_slower(seed: int, mode: Mode) -> None:
    work = random_work(seed)
    spread = tuple(replace(one, core=k) for k, one in enumerate(work.clusters))
    alone = time_steps(replace(work, clusters=spread), mode, PLAIN)
    assert (alone.step_s <= time_steps(work, mode, PLAIN).step_s).all()


@settings(max_examples=25)
@given(SEEDS, MODES, st.sampled_from(["step_floor_s", "state_update_s", "update_s", "synop_s"]))
def test_a_dearer_unit_never_shortens_a_step(seed: int, mode: Mode, name: str) -> None:
    work = random_work(seed)
    dearer = PLAIN.at(**{name: 2 * PLAIN.facts[name].value})
    before, after = (time_steps(work, mode, costs).step_s for costs in (PLAIN, dearer))
    assert (after >= before).all()
    assert after.sum() > before.sum()


def test_the_order_of_clusters_does_not_matter() -> None:
    work = random_work(3, chips=2)
    turned = np.arange(len(work.clusters))[::-1]
    other = Work(
        tuple(work.clusters[k] for k in turned), work.spikes[:, turned], work.synops[:, turned], 12
    )
    for mode in Mode:
        assert (time_steps(work, mode, PLAIN).step_s == time_steps(other, mode, PLAIN).step_s).all()


def test_a_stream_too_short_to_fill_the_pipeline_counts_its_longest_step() -> None:
    timing = time_steps(chain(tokens=2), Mode.PIPELINED, PLAIN)
    assert timing.token_s == timing.step_s.max() == FLOOR + 64


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("tokens", [1, 7])
def test_the_steps_are_those_of_the_program(mode: Mode, tokens: int) -> None:
    program = random_program(np.random.default_rng(0), layers=2)
    placement = place(program)
    none = np.zeros((tokens, len(placement.slices)))
    work = Work(clusters_of(placement), none, none, 12)
    assert period(work, mode) == mode.period(program)
    assert len(time_steps(work, mode, PLAIN).step_s) == mode.steps(program, tokens)


def test_neurons_of_both_kinds() -> None:
    assert update_s(cluster(2, core=0, neurons=3), PLAIN) == 3 * 8
    assert update_s(cluster(1, core=0, neurons=3), PLAIN) == 3 * 2
