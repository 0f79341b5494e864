"""The generated C, compiled here, held to what every engine is held to."""

from __future__ import annotations

import ctypes
from dataclasses import replace

import numpy as np
import pytest

from conformance.family import PROFILES, case
from conformance.run import conform
from export.c99_host import require_compiler
from ns4d.engines import Engine, Reference
from ns4d.engines.base import Machine
from ns4d.engines.compare import compare
from ns4d.errors import ArtefactError, ConfigError, RangeError, ShapeError
from ns4d.export.c99 import C99
from ns4d.export.c99 import engine as engine_module
from ns4d.export.c99.unit import Unit
from ns4d.numerics import LOIHI2, WIDE
from ns4d.program import InputQuantizer, Metadata, Program, Readout
from program_strategies import NARROW, random_program

# Twelve have every profile; the others: sums with coefficients of more than 16 bits, 16-bit
# coefficients whose products with a message take more than 32.
CASES = (*range(len(PROFILES)), 187, 283)
SPLIT_CASES = (1, 2, 9, 46)
SANITIZED_CASES = (0, 46)
SANITIZED = ("-O1", "-DNS4D_SPLIT", "-fsanitize=undefined", "-fno-sanitize-recover=all")


@pytest.fixture(scope="module")
def engine() -> C99:
    require_compiler("gcc")
    return C99("gcc")


@pytest.fixture(scope="module")
def program() -> Program:
    return random_program(np.random.default_rng(8), inputs=2, channels=5, layers=2, residual=True)


def tally(engine: Engine, numbers):
    cases = (case(number, streams=2, tokens=8) for number in numbers)
    return conform(engine, lambda done: done.cases >= len(numbers), cases)


def test_it_is_an_engine(engine, program):
    assert isinstance(engine, Engine)
    assert isinstance(engine.load(program, 2), Machine)


def test_it_equals_the_reference_on_every_profile(engine):
    found = tally(engine, CASES)
    assert found.differences == []
    assert found.cases == len(CASES)
    assert found.values > 10_000


def test_it_equals_the_reference_without_a_long_multiply():
    found = tally(C99("gcc", ("-O1", "-DNS4D_SPLIT")), SPLIT_CASES)
    assert found.engine == "c99 -DNS4D_SPLIT"
    assert found.differences == []
    assert found.cases == len(SPLIT_CASES)


def test_it_equals_the_reference_with_undefined_behaviour_an_error():
    require_compiler("gcc")
    found = tally(C99("gcc", SANITIZED), SANITIZED_CASES)
    assert found.differences == []
    assert found.cases == len(SANITIZED_CASES)


def test_the_profiles_are_all_there():
    used = {case(number).program.arithmetic.name for number in CASES}
    assert used >= {profile.name for profile in PROFILES}


def test_a_program_without_nodes(engine):
    alone = Program(
        WIDE,
        InputQuantizer(np.zeros(2), np.ones(2)),
        (),
        Readout(np.array([[1, -2], [3, 4], [-5, 6]]), np.array([7, 0, -9])),
        Metadata("alone", ("a", "b", "c")),
    )
    found = compare(engine, alone, np.random.default_rng(0).integers(-99, 99, (2, 9, 2)))
    assert found.difference is None
    assert found.values > 100


def test_a_program_of_one_of_everything(engine):
    """One channel, one mode, one class: tables of one row become numbers in the code."""
    one = random_program(np.random.default_rng(2), NARROW, channels=1, modes=1, classes=1)
    found = compare(engine, one, np.random.default_rng(0).integers(-31, 32, (2, 30, 1)))
    assert found.difference is None


def test_a_change_of_the_text_is_found(program, monkeypatch):
    """A test that could not fail would prove nothing."""
    files = engine_module.model_files

    def altered(unit):
        text = files(unit)
        code = text["model.c"].decode()
        assert "next_re)" in code
        return {**text, "model.c": code.replace("-im", "im", 1).encode()}

    monkeypatch.setattr(engine_module, "model_files", altered)
    sequences = np.random.default_rng(0).integers(-2047, 2048, (2, 12, 2))
    found = compare(C99("gcc"), program, sequences)
    assert found.difference is not None
    assert found.difference.engine == "c99"
    assert "expected" in str(found.difference)


def test_text_that_does_not_compile_is_an_error(program, monkeypatch):
    files = engine_module.model_files
    monkeypatch.setattr(
        engine_module, "model_files", lambda unit: {**files(unit), "model.c": b"int unused = ;"}
    )
    with pytest.raises(ArtefactError, match="expected C that compiles without a warning, got"):
        C99("gcc").load(program, 1)


def test_a_compiler_that_is_not_there_is_an_error():
    with pytest.raises(ConfigError, match=r"got 'no-such-cc'\. Install gcc or clang"):
        C99("no-such-cc")


class TestMachine:
    """What a machine checks before the C runs."""

    @pytest.fixture
    def machine(self, engine, program):
        return engine.load(program, 1)

    def test_a_state_is_a_value(self, machine, program):
        u = np.random.default_rng(1).integers(-2047, 2048, (1, 8, 2))
        machine.advance(u[:, :5])
        kept = machine.state
        scores = machine.advance(u[:, 5:])
        assert kept.tokens_seen == 5
        machine.state = kept
        np.testing.assert_array_equal(machine.advance(u[:, 5:]), scores)

    def test_a_state_of_another_engine(self, machine, program):
        u = np.random.default_rng(2).integers(-2047, 2048, (1, 9, 2))
        other = Reference().load(program, 1)
        other.advance(u[:, :4])
        machine.state = other.state
        assert machine.state == other.state
        np.testing.assert_array_equal(machine.advance(u[:, 4:]), other.advance(u[:, 4:]))
        assert machine.state == other.state

    def test_a_state_beyond_the_certificate_is_refused(self, machine, program):
        state = machine.state
        name = program.recurrent[0].name
        broken = {**state.x_re, name: state.x_re[name] + 2**40}
        with pytest.raises(RangeError, match="expected a value within the program's range"):
            machine.state = replace(state, x_re=broken)
        assert machine.state == state

    def test_an_illegal_token_changes_nothing(self, machine):
        machine.advance(np.full((1, 3, 2), 5))
        before = machine.state
        with pytest.raises(RangeError, match="expected an integer message from -2047 to 2047"):
            machine.token(np.array([0, 2048]))
        with pytest.raises(ShapeError):
            machine.token(np.zeros(3))
        assert machine.state == before

    def test_one_token_too_many_is_refused(self, machine, program):
        state = replace(machine.state, tokens_seen=program.safe_tokens)
        machine.state = state
        with pytest.raises(RangeError, match="Reset the stream"):
            machine.advance(np.zeros((1, 1, 2), np.int64))
        assert machine.state == state

    def test_streams_do_not_mix(self, engine, program):
        u = np.random.default_rng(3).integers(-2047, 2048, (4, 7, 2))
        together = engine.load(program, 4).advance(u)
        for k in range(4):
            np.testing.assert_array_equal(
                engine.load(program, 1).advance(u[k : k + 1])[0], together[k]
            )

    def test_a_token_needs_one_stream(self, engine, program):
        with pytest.raises(ShapeError, match="a machine of one stream"):
            engine.load(program, 2).token(np.zeros(2))


class TestStep:
    """What the C itself refuses, since a firmware has no Python before it."""

    @pytest.fixture
    def step(self, engine, program):
        machine = engine.load(program, 1)

        def call(token):
            tokens = np.array(token, np.int32)
            scores = np.full(len(program.classes), 99, np.int64)
            pointers = [ctypes.c_void_p(a.ctypes.data) for a in (machine._states, tokens, scores)]
            return machine._library.model_step(*pointers), scores, machine.state

        return call, machine

    def test_a_legal_token_gives_0_and_the_scores(self, step, program):
        call, _ = step
        code, scores, state = call([2047, -2047])
        assert (code, state.tokens_seen) == (0, 1)
        expected = Reference().load(program, 1).advance(np.array([[[2047, -2047]]]))
        np.testing.assert_array_equal(scores, expected[0, 0])

    @pytest.mark.parametrize("token", [[2048, 0], [0, -2048], [2**31 - 1, 0], [0, -(2**31)]])
    def test_a_token_beyond_a_message_gives_1_and_changes_nothing(self, step, token):
        call, _ = step
        before = call([1, 2])[2]
        code, scores, state = call(token)
        assert code == 1
        assert (scores == 99).all()
        assert state == before

    def test_a_token_after_the_last_safe_one_gives_2_and_changes_nothing(self, step, program):
        call, machine = step
        machine.state = replace(machine.state, tokens_seen=program.safe_tokens - 1)
        assert call([0, 0])[0] == 0
        before = machine.state
        code, scores, state = call([0, 0])
        assert code == 2
        assert (scores == 99).all()
        assert state == before
        assert state.tokens_seen == program.safe_tokens


def test_scores_of_32_bits_are_the_same_where_they_provably_fit(engine, program, monkeypatch):
    """Worst case: every message at its limit, for as many tokens as were promised."""
    unit = Unit(program, "model", 40)
    assert unit.score.name == "int32_t"
    monkeypatch.setattr(engine_module, "Unit", lambda p, name: Unit(p, name, 40))
    machine = C99("gcc").load(program, 1)
    u = np.full((1, 40, 2), 2047)
    np.testing.assert_array_equal(machine.advance(u), Reference().load(program, 1).advance(u))
    assert machine.state == after(program, u)


def after(program, u):
    machine = Reference().load(program, 1)
    machine.advance(u)
    return machine.state


@pytest.mark.parametrize("arithmetic", [LOIHI2, WIDE])
def test_adversarial_inputs_reach_the_limits(engine, arithmetic):
    """Constant extremes drive states and accumulators as far as they go."""
    program = random_program(
        np.random.default_rng(11), arithmetic, channels=6, modes=3, layers=2, saturating=True
    )
    assert program.ranges[1].may_saturate
    top = arithmetic.message_max
    signs = (-1) ** np.arange(40)
    u = np.stack([np.full(40, top), np.full(40, -top), top * signs])[:, :, None]
    assert compare(engine, program, u).difference is None
