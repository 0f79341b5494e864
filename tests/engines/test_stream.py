"""Laws of streams: chunks, restored states and copies never change a bit; errors change nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ns4d.engines import State
from ns4d.errors import RangeError, ShapeError
from ns4d.numerics import LOIHI2, WIDE
from program_strategies import messages, programs, random_program


@pytest.fixture(params=[LOIHI2, WIDE], ids=["loihi2", "wide"])
def program(request):
    return random_program(np.random.default_rng(1), request.param, inputs=2, layers=1)


@settings(max_examples=30)
@given(data=st.data())
def test_chunks_of_any_size_give_the_same_scores(data):
    program = data.draw(programs())
    u = data.draw(messages(program, batch=1))[0]
    whole, parts = program.stream(), program.stream()
    cut = data.draw(st.integers(0, len(u)))
    wanted = whole.run(u)
    got = [parts.run(u[:cut]), *(parts.step(token)[None] for token in u[cut:])]
    np.testing.assert_array_equal(np.concatenate(got), wanted)
    assert parts.state == whole.state


@settings(max_examples=30)
@given(data=st.data())
def test_a_restored_state_goes_on_as_if_nothing_had_happened(data):
    program = data.draw(programs())
    u = data.draw(messages(program, batch=1))[0]
    cut = data.draw(st.integers(0, len(u)))
    stream = program.stream()
    stream.run(u[:cut])
    saved = stream.state
    kept = {name: array.copy() for name, array in saved.to_arrays().items()}
    wanted = stream.run(u[cut:])
    assert saved == State.from_arrays(kept), "later steps changed a saved state"
    elsewhere = program.stream()
    elsewhere.state = State.from_arrays(kept)
    np.testing.assert_array_equal(elsewhere.run(u[cut:]), wanted)
    assert elsewhere.state == stream.state


@settings(max_examples=30)
@given(data=st.data())
def test_a_batch_equals_its_streams(data):
    program = data.draw(programs())
    u = data.draw(messages(program, batch=3))
    ends = np.array(data.draw(st.lists(st.integers(1, u.shape[1]), min_size=3, max_size=3)))
    scores = program.run(u, ends)
    for b in range(3):
        np.testing.assert_array_equal(scores[b], program.stream().run(u[b, : ends[b]])[-1])


def test_reset_returns_to_the_beginning(program):
    stream = program.stream()
    u = np.arange(20).reshape(10, 2)
    first = stream.run(u)
    stream.reset()
    assert stream.state.tokens_seen == 0
    np.testing.assert_array_equal(stream.run(u), first)


def test_no_tokens_change_nothing(program):
    stream = program.stream()
    stream.step(np.array([1, 2]))
    before = stream.state
    assert stream.run(np.zeros((0, 2), int)).shape == (0, 3)
    assert stream.state == before


def test_the_bias_counts_once_per_token(program):
    stream = program.stream()
    for k in range(1, 4):
        scores = stream.step(np.array([100 * k, -50]))
        assert stream.state.tokens_seen == k
        np.testing.assert_array_equal(scores, stream.state.r[0] + k * program.readout.bias)


def test_floats_are_quantized_and_integers_are_messages(program):
    tokens = np.random.default_rng(0).normal(size=(6, 2))
    u = program.quantize_input(tokens)
    np.testing.assert_array_equal(program.stream().run(tokens), program.stream().run(u))
    for dtype in (np.int16, np.int32):
        np.testing.assert_array_equal(
            program.stream().run(u.astype(dtype)), program.stream().run(u)
        )


def test_two_streams_do_not_mix(program):
    one, other = program.stream(), program.stream()
    u = np.arange(20).reshape(10, 2)
    wanted = program.stream().run(u)
    for k, token in enumerate(u):
        np.testing.assert_array_equal(one.step(token), wanted[k])
        other.step(-token)


ILLEGAL = {
    "nan": (
        np.array([0.0, math.nan]),
        RangeError,
        r"^channel 1: expected a finite number, got nan",
    ),
    "infinite": (np.array([math.inf, 0.0]), RangeError, r"^channel 0: expected a finite number"),
    "too large": (np.array([0, 2**15]), RangeError, r"^channel 1: expected an integer message fr"),
    "wrong width": (np.zeros(3), ShapeError, r"^tokens: expected a NumPy array whose last axis is"),
    "no axis": (np.array(1.0), ShapeError, r"^tokens: expected a NumPy array of shape \(i,\) with"),
    "an axis more": (np.zeros((1, 2)), ShapeError, r"^tokens: .* of shape \(i,\) with i = 2, got"),
    "bool": (np.ones(2, bool), ShapeError, r"^tokens: expected floats \(to be quantized\) or int"),
    "complex": (np.ones(2, complex), ShapeError, r"^tokens: expected floats .*, got complex128"),
    "text": (np.array(["a", "b"]), ShapeError, r"^tokens: expected floats .*, got <U1"),
}


@pytest.mark.parametrize(("token", "kind", "message"), ILLEGAL.values(), ids=ILLEGAL)
def test_an_illegal_token_leaves_the_state_unchanged(program, token, kind, message):
    stream = program.stream()
    stream.step(np.array([3, 4]))
    before = stream.state
    with pytest.raises(kind, match=message):
        stream.step(token)
    assert stream.state == before


def test_an_illegal_token_in_a_run_is_found_before_the_first_one_runs(program):
    stream = program.stream()
    before = stream.state
    tokens = np.zeros((5, 2))
    tokens[3, 1] = math.nan
    with pytest.raises(RangeError, match=r"^token 3, channel 1: expected a finite number, got nan"):
        stream.run(tokens)
    assert stream.state == before
    with pytest.raises(ShapeError, match=r"^tokens: expected a NumPy array of shape \(l, i\) with"):
        stream.run(tokens[0])


def test_an_illegal_state_leaves_the_state_unchanged(program):
    stream = program.stream()
    before = stream.state
    two = random_program(np.random.default_rng(1), program.arithmetic, inputs=2, layers=2)
    with pytest.raises(ShapeError, match=r"^state: expected that of this program"):
        stream.state = two.stream().state
    assert stream.state == before


def test_more_tokens_than_are_proved_safe_are_refused(program):
    stream = program.stream()
    before = State({}, {}, stream.state.r, program.safe_tokens - 1)
    stream.state = State(stream.state.x_re, stream.state.x_im, before.r, before.tokens_seen)
    stream.step(np.array([1, 1]))
    with pytest.raises(RangeError, match=r"expected at most \d+ tokens, proved safe .* Reset the"):
        stream.step(np.array([1, 1]))
    assert stream.state.tokens_seen == program.safe_tokens


def test_scores_belong_to_the_caller(program):
    stream = program.stream()
    scores = stream.step(np.array([5, 5]))
    wanted = scores.copy()
    scores[:] = 0
    np.testing.assert_array_equal(stream.state.r[0] + program.readout.bias, wanted)
