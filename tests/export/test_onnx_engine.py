"""The integer models in ONNX Runtime: engines with the bits of the reference."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

from conformance.family import PROFILES, case
from conformance.run import conform
from ns4d.engines import Engine, Reference
from ns4d.engines.base import Machine
from ns4d.engines.compare import compare
from ns4d.errors import RangeError, ShapeError
from ns4d.export.onnx.engine import OnnxRuntime, open_session
from ns4d.export.onnx.models import integer_token
from ns4d.export.onnx.unrolled import sequence_model
from ns4d.numerics import LOIHI2, WIDE
from ns4d.program import S4D, Descale, InputQuantizer, Metadata, Program, Readout, load
from program_strategies import random_program

RESULTS = Path(__file__).resolve().parents[2] / "benchmarks/results"
ENGINES = {"chunk": OnnxRuntime(whole=True), "step": OnnxRuntime(whole=False)}
CASES = 15


@pytest.fixture(params=ENGINES)
def engine(request) -> OnnxRuntime:
    return ENGINES[request.param]


def program(seed: int = 0, **kind) -> Program:
    return random_program(np.random.default_rng(seed), LOIHI2, inputs=2, **kind)


def test_it_equals_the_reference_on_the_family(engine):
    cases = (case(number, streams=3, tokens=9) for number in range(CASES))
    tally = conform(engine, lambda done: done.cases >= CASES, cases)
    assert tally.differences == []
    assert tally.cases == CASES >= len(PROFILES)


@pytest.mark.parametrize("name", ["smnist/loihi2", "smnist/wide", "digits/loihi2"])
def test_trained_programs_have_the_bits_of_the_reference(name):
    trained = load(RESULTS / f"{name}.ns4d")
    pixels = np.random.default_rng(0).integers(0, 256, (2, 30, trained.inputs)).astype(float)
    expected = Reference().load(trained, 2).advance(pixels)
    session = open_session(sequence_model(integer_token(trained, real=True)))
    (scores,) = session.run(["scores"], {"tokens": pixels})
    np.testing.assert_array_equal(scores, expected)
    assert np.ptp(scores) > 1000


def beyond_room() -> Program:
    """Aligned sums so close to 2^62 that floor has no room to make them positive."""
    profile = replace(
        WIDE, name="no-room", coefficient_bits=24, message_bits=24, accumulator_bits=40
    )
    one, top = np.ones(2, np.int64), profile.coefficient_max
    large = np.full((2, 1), top)
    node = S4D(
        "far",
        a_re=large,
        a_im=-large,
        b_re=large,
        b_im=0 * large,
        c_re=large,
        c_im=large,
        d=top * one,
        a_shift=62,
        b_shift=46 * one,
        c_shift=62 * one,
        d_shift=46 * one,
        descale=Descale(one, 0, 1000 * one, relu=False),
    )
    quantizer, metadata = InputQuantizer(np.zeros(2), np.ones(2)), Metadata("far", ("a", "b"))
    return Program(profile, quantizer, (node,), Readout(np.eye(2, dtype=np.int64), one), metadata)


def test_sums_without_room_have_the_bits_of_the_reference(engine):
    made = beyond_room()
    kinds = [node.op_type for node in sequence_model(integer_token(made)).graph.node]
    (scan,) = (n for n in sequence_model(integer_token(made)).graph.node if n.op_type == "Scan")
    kinds += [node.op_type for node in scan.attribute[0].g.node]
    assert "Mod" in kinds, "the case misses what it is for"
    top = made.arithmetic.message_max
    u = np.random.default_rng(0).choice([-top, -1, 0, 1, top], (3, 12, 2))
    found = compare(engine, made, u)
    assert found.difference is None, str(found.difference)


def test_a_planted_mistake_is_found():
    right, wrong = program(), program(1)
    mixed = OnnxRuntime(whole=True)
    mixed._sessions = {right.digest: mixed._session(wrong)}
    found = compare(mixed, right, np.full((2, 5, 2), 100))
    assert found.difference is not None
    assert found.difference.engine == "ONNX Runtime, chunk"


def test_it_is_an_engine(engine):
    assert isinstance(engine, Engine)
    machine = engine.load(program(), 3)
    assert isinstance(machine, Machine)
    assert (machine.streams, machine.program) == (3, program())
    assert engine.name.startswith("ONNX Runtime, ")


def test_errors_leave_the_stream_as_it_was(engine):
    machine = engine.load(program(), 1)
    machine.advance(np.full((1, 3, 2), 7))
    before = machine.state
    with pytest.raises(RangeError, match="token 1, channel 0"):
        machine.advance(np.array([[[1, 1], [10**9, 0]]]))
    with pytest.raises(ShapeError, match="a NumPy array of shape"):
        machine.advance(np.zeros((1, 2)))
    with pytest.raises(RangeError, match="finite"):
        machine.token(np.array([np.nan, 0.0]))
    assert machine.state == before


def test_an_illegal_state_is_refused(engine):
    machine = engine.load(program(), 1)
    other = engine.load(program(), 2)
    with pytest.raises(ShapeError, match="batch 1"):
        machine.state = other.state


def test_a_single_token_needs_a_single_stream(engine):
    with pytest.raises(ShapeError, match="a machine of one stream"):
        engine.load(program(), 2).token(np.zeros(2))


def test_a_state_is_a_value(engine):
    machine = engine.load(program(), 2)
    first = machine.advance(np.full((2, 2, 2), 50))
    kept = machine.state
    second = machine.advance(np.full((2, 2, 2), -50))
    assert not np.array_equal(first, second)
    machine.state = kept
    np.testing.assert_array_equal(machine.advance(np.full((2, 2, 2), -50)), second)


@pytest.mark.parametrize("real", [False, True])
@pytest.mark.parametrize("profile", [LOIHI2, WIDE])
def test_a_sequence_begins_at_zero_and_ends_with_the_last_scores(profile, real):
    made = random_program(np.random.default_rng(3), profile, inputs=2, residual=True, layers=2)
    x = np.random.default_rng(4).normal(0, 3, (4, 11, 2))
    u = made.quantize_input(x)
    expected = Reference().load(made, 4).advance(u)
    tokens = x if real else u
    model = sequence_model(integer_token(made, real))
    for scores, last in (
        open_session(model).run(["scores", "last"], {"tokens": tokens}),
        # The specification's own implementation, in NumPy.
        ReferenceEvaluator(model).run(["scores", "last"], {"tokens": tokens}),
    ):
        np.testing.assert_array_equal(scores, expected)
        np.testing.assert_array_equal(last, expected[:, -1])
        assert scores.dtype == last.dtype == np.int64


def test_onnx_itself_agrees_over_the_family():
    for number in range(len(PROFILES)):
        trial = case(number, streams=2, tokens=6)
        tokens = trial.sequences[:2, :6]
        expected = Reference().load(trial.program, len(tokens)).advance(tokens)
        model = sequence_model(integer_token(trial.program, tokens.dtype.kind == "f"))
        (scores,) = ReferenceEvaluator(model).run(["scores"], {"tokens": tokens})
        np.testing.assert_array_equal(scores, expected, err_msg=trial.name)


def test_a_session_warns_of_nothing(capfd):
    token = integer_token(program(residual=True), real=True)
    open_session(sequence_model(token)).run(None, {"tokens": np.zeros((1, 2, 2))})
    assert capfd.readouterr() == ("", "")
    assert onnx.checker.check_model(sequence_model(token), full_check=True) is None
