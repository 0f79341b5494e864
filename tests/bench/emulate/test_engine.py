"""Emulated cores as engines: every message, score and state, by every way in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.emulate.tools import EACH_TARGET, require_toolchain
from conformance.family import case
from conformance.run import conform
from ns4d.bench.emulate.engine import Emulated
from ns4d.bench.emulate.targets import TARGETS
from ns4d.engines import Engine, Reference
from ns4d.engines.base import Machine
from ns4d.engines.compare import compare
from ns4d.errors import RangeError, ShapeError
from ns4d.export.c99 import C99
from program_strategies import random_program

# High, narrow and wide products, exact sums of both sizes, 64-bit accumulators, 24-bit factors.
CASES = (4, 5, 9, 20, 46)
M4 = TARGETS["cortex-m4"]


@pytest.fixture(scope="module")
def program():
    return random_program(np.random.default_rng(2), inputs=2, channels=3, modes=2)


@pytest.fixture(scope="module")
def engine():
    return Emulated(M4, require_toolchain(M4))


@EACH_TARGET
def test_every_core_equals_the_reference(target):
    cases = (case(number, streams=2, tokens=6) for number in CASES)
    found = conform(
        Emulated(target, require_toolchain(target)), lambda done: done.cases >= len(CASES), cases
    )
    assert found.engine.startswith(f"c99 on {target.name} by ")
    assert found.differences == []
    assert found.cases == len(CASES)
    assert found.values > 3000


def test_it_is_an_engine(engine, program):
    assert isinstance(engine, Engine)
    assert isinstance(engine.load(program, 2), Machine)


def test_a_wrong_program_is_found(engine, program):
    """The core runs a program whose last bias is one more."""
    bias = program.readout.bias + np.array([0, 0, 1])
    other = replace(program, readout=replace(program.readout, bias=bias))

    class Wrong:
        name, batch, trace = "wrong", 8, engine.trace

        def load(self, _, streams):
            return engine.load(other, streams)

    u = np.random.default_rng(0).integers(-2047, 2048, (2, 5, 2))
    found = compare(Wrong(), program, u).difference
    assert found is not None
    assert (found.node, found.part, found.channel) == ("readout", "score", 2)


def test_streams_take_turns_on_one_core(engine, program):
    u = np.random.default_rng(1).integers(-2047, 2048, (3, 4, 2))
    one, other = engine.load(program, 3), engine.load(program, 1)
    first = one.advance(u[:, :2])
    alone = other.advance(u[:1])
    second = one.advance(u[:, 2:])
    expected = Reference().load(program, 3).advance(u)
    np.testing.assert_array_equal(np.concatenate([first, second], axis=1), expected)
    np.testing.assert_array_equal(alone, expected[:1])


def test_a_state_goes_from_this_machine_to_the_core_and_back(engine, program):
    """A stream begun by the C here, continued on a Cortex-M4, ended by the reference."""
    u = np.random.default_rng(3).integers(-2047, 2048, (1, 9, 2))
    here, core, last = C99().load(program, 1), engine.load(program, 1), Reference().load(program, 1)
    scores = [here.advance(u[:, :3])]
    core.state = here.state
    scores.append(core.advance(u[:, 3:6]))
    last.state = core.state
    scores.append(last.advance(u[:, 6:]))
    expected = Reference().load(program, 1).advance(u)
    np.testing.assert_array_equal(np.concatenate(scores, axis=1), expected)


def test_what_is_illegal_changes_nothing(engine, program):
    machine = engine.load(program, 1)
    machine.advance(np.full((1, 2, 2), 7))
    before = machine.state
    with pytest.raises(RangeError):
        machine.token(np.array([9999, 0]))
    with pytest.raises(ShapeError):
        machine.advance(np.zeros((2, 1, 2), np.int64))
    with pytest.raises(RangeError, match="Reset the stream"):
        machine.state = replace(before, tokens_seen=program.safe_tokens)
        machine.advance(np.zeros((1, 1, 2), np.int64))
    machine.state = before
    assert machine.state == before


def test_a_program_without_nodes_sends_nothing(engine, program):
    readout = replace(program.readout, weight=program.readout.weight[:, :2])
    alone = replace(program, nodes=(), readout=readout)
    assert engine.trace(alone, np.zeros((1, 2, 2), np.int64)) == {}
    assert compare(engine, alone, np.ones((1, 3, 2), np.int64)).difference is None
