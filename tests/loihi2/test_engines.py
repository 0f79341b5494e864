"""The simulated chip as engines; `tests/conformance` compares them with the reference."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import ns4d.loihi2.engines as module
from loihi2_programs import shaped
from ns4d.bench.verify import ENGINES
from ns4d.engines import Engine, Machine, Reference
from ns4d.errors import PlacementError, ShapeError
from ns4d.loihi2.chip import SYSTEMS, System
from ns4d.loihi2.engines import CHIP_ENGINES, ChipEngine
from ns4d.loihi2.mode import Mode
from ns4d.numerics import LOIHI2, WIDE
from program_strategies import random_program

EACH = pytest.mark.parametrize("name", CHIP_ENGINES)
PROGRAM = random_program(np.random.default_rng(0), inputs=2, layers=2, residual=True)
TOKENS = np.random.default_rng(1).integers(-2000, 2000, (3, 11, 2))


@EACH
def test_it_is_an_engine_of_the_table(name):
    engine = CHIP_ENGINES[name]()
    assert isinstance(engine, Engine)
    assert isinstance(engine.load(PROGRAM, 1), Machine)
    assert engine.name == name
    assert name in ENGINES
    assert {"reference", "native"} < set(ENGINES)


@EACH
def test_long_inputs_go_through_in_parts(name, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 4)
    engine, wanted = CHIP_ENGINES[name](), Reference().load(PROGRAM, 3)
    machine = engine.load(PROGRAM, 3)
    np.testing.assert_array_equal(machine.advance(TOKENS), wanted.advance(TOKENS))
    assert machine.state == wanted.state
    for node, sent in Reference().trace(PROGRAM, TOKENS).items():
        np.testing.assert_array_equal(engine.trace(PROGRAM, TOKENS)[node], sent)


@EACH
def test_no_token_changes_nothing(name):
    machine = CHIP_ENGINES[name]().load(PROGRAM, 2)
    assert machine.advance(TOKENS[:2, :0]).shape == (2, 0, 3)
    assert machine.state == Reference().load(PROGRAM, 2).state
    assert (machine.streams, machine.program) == (2, PROGRAM)


@EACH
def test_states_are_values(name):
    machine = CHIP_ENGINES[name]().load(PROGRAM, 3)
    machine.advance(TOKENS[:, :5])
    kept = machine.state
    before = {part: array.copy() for part, array in kept.to_arrays().items()}
    first = machine.advance(TOKENS[:, 5:])
    assert all((array == before[part]).all() for part, array in kept.to_arrays().items())
    machine.state = kept
    np.testing.assert_array_equal(machine.advance(TOKENS[:, 5:]), first)


@EACH
def test_a_token_needs_one_stream(name):
    with pytest.raises(ShapeError, match="a machine of one stream"):
        CHIP_ENGINES[name]().load(PROGRAM, 2).token(np.zeros(2))


def test_an_engine_may_be_bound_to_a_real_system():
    engine = ChipEngine(Mode.PIPELINED, SYSTEMS["oheo-gulch"])
    np.testing.assert_array_equal(
        engine.load(PROGRAM, 3).advance(TOKENS), Reference().load(PROGRAM, 3).advance(TOKENS)
    )
    with pytest.raises(PlacementError, match="neuron states at most 24 bit"):
        engine.load(random_program(np.random.default_rng(0), WIDE), 1)
    assert isinstance(SYSTEMS["oheo-gulch"], System)


def test_every_profile_runs_on_the_unlimited_chip():
    for arithmetic in (LOIHI2, WIDE):
        program = shaped(5, 4, arithmetic=arithmetic)
        u = np.arange(-3, 4).reshape(1, 7, 1) * 300
        wanted = Reference().load(program, 1).advance(u)
        for make in CHIP_ENGINES.values():
            np.testing.assert_array_equal(make().load(program, 1).advance(u), wanted)


def test_programs_are_placed_once():
    machines = [ChipEngine(mode).load(PROGRAM, 1) for mode in Mode for _ in range(2)]
    assert len({id(machine._layout) for machine in machines}) == 1
    assert "numba" in sys.modules
