"""From simulated programs to seconds and joules: real counts through the cost model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ns4d
from loihi2_programs import crowded
from loihi2_works import PLAIN, slow_steps
from ns4d.loihi2.activity import Activity
from ns4d.loihi2.costs import COSTS
from ns4d.loihi2.energy import Energy, price
from ns4d.loihi2.estimate import estimate
from ns4d.loihi2.mode import Mode
from ns4d.loihi2.place import place
from ns4d.loihi2.populations import Kind, steps_per_token
from ns4d.loihi2.simulate import Simulation, simulate
from ns4d.loihi2.structure import structure_of
from ns4d.loihi2.timing import time_steps
from ns4d.loihi2.work import Work, work_of
from program_strategies import messages, programs

RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results"


@settings(max_examples=12)
@given(st.data())
def test_any_program_is_timed_and_priced_as_the_equations_say(data: st.DataObject) -> None:
    program = data.draw(programs())
    u = data.draw(messages(program, batch=1, most=5))[0]
    placement = place(program, crowded(5, 20))
    slow, fast = (simulate(placement, u, mode).activity for mode in Mode)
    # Both modes do the same work.
    assert (slow.spikes == fast.spikes).all()
    assert (slow.synops == fast.synops).all()
    work = work_of(slow)
    assert work.steps_per_token == steps_per_token(program)
    for mode in Mode:
        timing = time_steps(work, mode, PLAIN)
        assert timing.step_s.tolist() == slow_steps(work, mode, PLAIN)
    require_priced(slow, price(timing, PLAIN))


def require_priced(activity: Activity, energy: Energy) -> None:
    """By hand: 16 J for an S4D update, 4 for another, 2 for an operation, 1 for a spike."""
    program, tokens = activity.placement.program, activity.tokens
    states = sum(node.a_re.size for node in program.recurrent)
    others = int(activity.updates_per_token.sum()) - states
    assert energy.state_updates_j == tokens * states * 16
    assert energy.updates_j == tokens * others * 4
    assert energy.synops_j == activity.synops.sum() * 2
    assert energy.spikes_j == activity.spikes.sum()


@pytest.fixture(scope="module")
def simulation() -> Simulation:
    program = ns4d.load(RESULTS / "smnist" / "loihi2.ns4d")
    strokes = np.random.default_rng(0).integers(0, 256, (120, 1)).astype(float)
    return simulate(place(program), strokes, Mode.PIPELINED)


@pytest.fixture(scope="module")
def work(simulation: Simulation) -> Work:
    return work_of(simulation.activity)


def test_small_takes_the_published_cores(work: Work) -> None:
    assert len(work.by_core) == 31
    assert work.chips == 1
    assert work.neurons(Kind.STATE) == 4 * 64 * 32


def test_the_pace_of_small_is_that_of_a_core_full_of_neurons(work: Work) -> None:
    """The same as of the large network: both fill their cores."""
    timing = time_steps(work, Mode.PIPELINED, COSTS)
    neurons = max(c.neurons for c in work.clusters if c.kind is Kind.STATE)
    assert neurons == 342
    least = COSTS.step_floor_s.value + neurons * COSTS.state_update_s.value
    heard = neurons * COSTS.synop_s.value  # when every channel speaks
    assert least <= timing.token_s <= (least + heard) * (1 + 1e-12)
    assert {work.clusters[s].kind for s in work.by_core[int(timing.core[60])]} == {Kind.STATE}


def test_small_in_fall_through_waits_for_four_full_steps(work: Work) -> None:
    token_s = time_steps(work, Mode.FALL_THROUGH, COSTS).token_s
    full = 4 * 342 * COSTS.state_update_s.value
    assert 13 * COSTS.step_floor_s.value + full < token_s
    assert token_s < 70e-6


def test_a_quarter_of_the_neurons_takes_a_quarter_of_their_energy(work: Work) -> None:
    found = estimate(work, Mode.PIPELINED).energy.causes_j
    assert found["S4D neurons"] == pytest.approx(8192 * COSTS.state_update_j.value)


def test_the_structure_of_small_has_its_sizes(simulation: Simulation, work: Work) -> None:
    program = simulation.activity.placement.program
    found = structure_of(program, work, 342)
    assert (found.channels, found.modes, found.layers, found.inputs) == (64, 32, 4, 1)
    assert 0 < found.relu_density < 1
    assert 0 < found.state_density <= 1


def test_expected_work_comes_close_to_counted_work(simulation: Simulation, work: Work) -> None:
    """One density for all layers is coarser than a count; on real tokens it does."""
    program = simulation.activity.placement.program
    structure = structure_of(program, work, 342)
    expected = structure.work(structure.place(), tokens=120)
    for mode in Mode:
        one, other = (time_steps(w, mode, COSTS).token_s for w in (expected, work))
        assert one == pytest.approx(other, rel=0.05)
