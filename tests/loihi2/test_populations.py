"""A program as populations: their order, who hears whom, when."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from loihi2_programs import shaped
from ns4d.loihi2.mode import Mode
from ns4d.loihi2.populations import (
    Connection,
    Kind,
    connections,
    populations,
    steps_per_token,
    synapses_in,
)
from ns4d.program import S4D, Add
from program_strategies import programs, random_program


def test_the_papers_stack():
    found = populations(shaped(4, 3, layers=4))
    kinds = [population.kind for population in found]
    layer = [Kind.STATE, Kind.REDUCE, Kind.DENSE]
    assert kinds == [Kind.INPUT, Kind.DENSE, *4 * layer, Kind.READOUT]
    assert [population.name for population in found[:4]] == [
        "input",
        "encoder",
        "layer0.s4d",
        "layer0.s4d",
    ]
    assert steps_per_token(shaped(4, 3, layers=4)) == 13


@settings(max_examples=12)
@given(programs())
def test_stages_count_and_nodes_follow(program):
    found = populations(program)
    assert [population.stage for population in found] == list(range(len(found)))
    assert sorted({population.node for population in found}) == list(
        range(-1, len(program.nodes) + 1)
    )
    recurrent = sum(isinstance(node, S4D) for node in program.nodes)
    assert len(found) == 2 + len(program.nodes) + recurrent


@settings(max_examples=12)
@given(programs())
def test_every_population_hears_the_one_before_it(program):
    wired = connections(program)
    direct = [wire for wire in wired if not wire.skip]
    count = len(populations(program))
    assert direct == [Connection(k, k + 1) for k in range(count - 1)]
    assert all(wire.delay == 0 for wire in direct)
    assert [wire.target for wire in wired] == sorted(wire.target for wire in wired)


@settings(max_examples=12)
@given(programs())
def test_an_add_hears_the_messages_of_its_source_at_the_same_time(program):
    found = populations(program)
    skips = [wire for wire in connections(program) if wire.skip]
    adds = [node for node in program.nodes if isinstance(node, Add)]
    assert len(skips) == len(adds)
    for wire, node in zip(skips, adds, strict=True):
        source, target = found[wire.source], found[wire.target]
        assert (source.name, target.name) == (node.source, node.name)
        assert source.kind is not Kind.STATE
        assert source.stage + 1 + wire.delay == target.stage


def test_synapses_of_weight_zero_are_no_synapses():
    program = random_program(np.random.default_rng(0), channels=8, modes=2, residual=True)
    found = populations(program)
    for population in found:
        count = synapses_in(program, population)
        assert count.shape == (population.neurons,)
        if population.kind is Kind.INPUT:
            assert not count.any()
        elif population.kind is Kind.STATE:
            assert (count == 1).all()
        elif population.kind is Kind.REDUCE:
            assert (count == 2).all()
        elif population.kind is Kind.READOUT:
            assert count.tolist() == (program.readout.weight != 0).sum(axis=1).tolist()
        else:
            node = program.nodes[population.node]
            if isinstance(node, Add):
                expected = (node.weight != 0).astype(int) + (node.skip != 0)
            else:
                expected = (node.weight != 0).sum(axis=1)
            assert count.tolist() == expected.tolist()


@pytest.mark.parametrize(("mode", "steps"), [(Mode.FALL_THROUGH, 67), (Mode.PIPELINED, 19)])
def test_steps_of_five_tokens(mode, steps):
    program = shaped(4, 3, layers=4)
    assert mode.steps(program, 5) == steps
    assert mode.steps(program, 0) == 0


@settings(max_examples=12)
@given(programs())
def test_one_token_takes_as_long_in_both_modes(program):
    once = {mode.steps(program, 1) for mode in Mode}
    assert once == {len(populations(program))}
    per_token = steps_per_token(program)
    assert Mode.FALL_THROUGH.steps(program, 9) - Mode.FALL_THROUGH.steps(program, 8) == per_token
    assert Mode.PIPELINED.steps(program, 9) - Mode.PIPELINED.steps(program, 8) == 1
