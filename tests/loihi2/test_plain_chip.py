"""The compiled steps against a chip in plain Python, spike by spike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loihi2_plain_chip import PlainChip, floor, half_up, toward_zero
from loihi2_programs import crowded
from ns4d.engines import Reference
from ns4d.loihi2.mode import Mode
from ns4d.loihi2.place import place
from ns4d.loihi2.simulate import simulate
from ns4d.numerics import shift_floor, shift_half_up, shift_toward_zero
from ns4d.program import Program
from program_strategies import ARITHMETICS, messages, programs, random_program


def run_both(program: Program, u: np.ndarray, mode: Mode):
    chip = PlainChip(program, mode.period(program))
    scores = chip.run(u.tolist())
    return chip, scores, simulate(place(program, crowded(3, 7)), u, mode)


def by_stage(found, counts: np.ndarray) -> np.ndarray:
    """(l, p): sums over the slices of each population."""
    placement = found.activity.placement
    summed = np.zeros((len(counts), len(placement.populations)), np.int64)
    for k, part in enumerate(placement.slices):
        summed[:, part.population] += counts[:, k]
    return summed


@settings(max_examples=12)
@given(st.data(), st.sampled_from(Mode))
def test_scores_state_and_work_are_those_of_the_plain_chip(data, mode):
    program = data.draw(programs())
    u = data.draw(messages(program, batch=1, most=6))[0]
    chip, scores, found = run_both(program, u, mode)
    assert found.scores.tolist() == scores
    for node in program.recurrent:
        for (h, n), value in np.ndenumerate(found.state.x_re[node.name][0]):
            assert (value, found.state.x_im[node.name][0, h, n]) == chip.x[node.name, h, n]
    spikes, synops = (
        by_stage(found, part) for part in (found.activity.spikes, found.activity.synops)
    )
    for token, stage in np.ndindex(spikes.shape):
        assert spikes[token, stage] == chip.spikes[token, stage]
        assert synops[token, stage] == chip.synops[token, stage]


@settings(max_examples=8)
@given(st.data(), st.sampled_from(Mode))
def test_time_runs_as_the_mode_says(data, mode):
    program = data.draw(programs())
    tokens = data.draw(st.integers(1, 5))
    chip, _, found = run_both(program, np.ones((tokens, program.inputs), np.int64), mode)
    assert found.steps == chip.steps
    assert max(step for step, _, _ in chip.acted) == chip.steps - 1


@settings(max_examples=8)
@given(st.data(), st.sampled_from(Mode))
def test_every_population_acts_once_per_token_in_order(data, mode):
    program = data.draw(programs())
    tokens = data.draw(st.integers(1, 5))
    chip, _, _ = run_both(program, np.ones((tokens, program.inputs), np.int64), mode)
    period = mode.period(program)
    assert sorted(chip.acted) == sorted(
        (token * period + stage, stage, token)
        for token in range(tokens)
        for stage in range(len(chip.parts))
    )


def test_fall_through_has_one_token_on_the_chip_and_pipelined_as_many_as_stages():
    program = random_program(np.random.default_rng(0), layers=2)
    u = np.ones((12, 1), np.int64)
    busy = {}
    for mode in Mode:
        chip, _, _ = run_both(program, u, mode)
        tokens = [
            {token for at, stage, token in chip.acted if at == step and stage}
            for step in range(chip.steps)
        ]
        busy[mode] = max(len(there) for there in tokens)
    # The read-out still adds up a token while the next one is in the encoder.
    assert busy[Mode.FALL_THROUGH] == 2
    assert busy[Mode.PIPELINED] == len(PlainChip(program, 1).parts) - 1


@pytest.mark.parametrize("arithmetic", ARITHMETICS, ids=lambda profile: profile.name)
@pytest.mark.parametrize("mode", Mode)
def test_residual_programs_of_every_profile(arithmetic, mode):
    rng = np.random.default_rng(11)
    program = random_program(rng, arithmetic, layers=2, residual=True, saturating=True)
    top = arithmetic.message_max
    u = rng.integers(-top, top + 1, (6, 1))
    chip, scores, found = run_both(program, u, mode)
    assert found.scores.tolist() == scores
    assert by_stage(found, found.activity.synops).sum() == sum(chip.synops.values())


def test_the_plain_chip_is_the_reference():
    """Two definitions written apart: if one of them had a flaw, they would part."""
    rng = np.random.default_rng(12)
    for arithmetic in ARITHMETICS:
        program = random_program(rng, arithmetic, layers=1, residual=True, inputs=2)
        top = arithmetic.message_max
        u = rng.integers(-top, top + 1, (5, 2))
        wanted = Reference().load(program, 1).advance(u[None])[0].tolist()
        for mode in Mode:
            assert PlainChip(program, mode.period(program)).run(u.tolist()) == wanted


def test_the_comparison_can_fail():
    """A residual connection whose two weights are exchanged gives other scores."""
    program = random_program(np.random.default_rng(5), layers=1, residual=True)
    u = np.random.default_rng(6).integers(-2000, 2000, (6, 1))
    right = PlainChip(program, 1).run(u.tolist())
    wrong = PlainChip(replace(program, nodes=(*program.nodes[:-1], _crossed(program))), 1)
    assert wrong.run(u.tolist()) != right


def _crossed(program: Program):
    """The last add with its two weights exchanged."""
    node = program.nodes[-1]
    return replace(node, weight=node.skip, skip=node.weight)


@pytest.mark.parametrize("p", [*range(-9, 10), 2**40 - 1, -(2**40) + 1])
@pytest.mark.parametrize("s", [0, 1, 2, 3, 39])
def test_its_shifts_are_those_of_the_specification(p, s):
    value = np.array([p])
    assert floor(p, s) == shift_floor(value, s)
    assert toward_zero(p, s) == shift_toward_zero(value, s)
    assert half_up(p, s) == shift_half_up(value, s)
