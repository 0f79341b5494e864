"""A state is a value: it equals its copies, survives a file, and cannot be changed."""

from __future__ import annotations

import io
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

from ns4d.engines import State
from ns4d.engines.state import require_state, zero_state
from ns4d.errors import RangeError, ShapeError
from ns4d.numerics import LOIHI2, WIDE
from program_strategies import random_program


@pytest.fixture(params=[LOIHI2, WIDE], ids=["loihi2", "wide"])
def program(request):
    return random_program(np.random.default_rng(3), request.param, layers=2)


@pytest.fixture
def state(program):
    stream = program.stream()
    stream.run(np.arange(-20, 20)[:, None])
    return stream.state


def changed(state, key, index, value):
    """The state with one number replaced."""
    arrays = {name: array.copy() for name, array in state.to_arrays().items()}
    arrays[key][index] = value
    return State.from_arrays(arrays)


def test_zero_state(program):
    state = zero_state(program, 3)
    assert (state.batch, state.tokens_seen) == (3, 0)
    assert list(state.x_re) == ["layer0.ssm", "layer1.ssm"]
    assert {x.shape for x in state.x_im.values()} == {(3, 4, 3)}
    assert all(not array.any() for array in state.to_arrays().values())


def test_equality_is_by_value(state):
    copy = State.from_arrays({k: v.copy() for k, v in state.to_arrays().items()})
    assert copy == state
    assert copy != changed(state, "layer1.ssm/x_im", (0, 3, 2), 1_000)
    assert copy != changed(state, "r", (0, 0), -1)
    assert copy != replace(state, tokens_seen=41)
    assert state != "a state"


def test_it_survives_a_file(state):
    file = io.BytesIO()
    np.savez(file, **state.to_arrays())
    file.seek(0)
    with np.load(file) as arrays:
        assert State.from_arrays(dict(arrays)) == state


def test_nothing_in_it_can_be_changed(state):
    with pytest.raises(FrozenInstanceError):
        state.tokens_seen = 0
    with pytest.raises(TypeError):
        state.x_re["layer0.ssm"] = np.zeros(1)
    for array in (state.r, *state.x_re.values(), *state.x_im.values()):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


def test_it_does_not_see_later_changes_of_what_it_was_built_from():
    r = np.zeros((1, 2), np.int64)
    view = np.zeros((1, 2), np.int64)[:, :]
    view.setflags(write=False)
    state = State({}, {}, r, 0)
    r[:] = 7
    assert not state.r.any()
    assert State({}, {}, view, 0).r.base is None


def test_it_cannot_be_a_key(state):
    with pytest.raises(TypeError, match="unhashable"):
        hash(state)


def test_arrays_that_disagree_are_refused():
    x, r = np.zeros((2, 3, 4), np.int64), np.zeros((2, 5), np.int64)
    with pytest.raises(ShapeError, match=r"^state: expected x_re like x_im, all with one batch"):
        State({"a": x}, {}, r, 0)
    with pytest.raises(ShapeError, match=r"^state: expected x_re like x_im, all with one batch"):
        State({"a": x}, {"a": x}, r[:1], 0)
    with pytest.raises(
        ShapeError, match=r"^state x_re of 'a': expected an int64 array with 3 axes, got int32"
    ):
        State({"a": x.astype(np.int32)}, {"a": x}, r, 0)
    with pytest.raises(RangeError, match=r"^state tokens_seen: expected an integer from 0 to"):
        State({}, {}, r, -1)


def test_unknown_arrays_are_refused(state):
    arrays = state.to_arrays()
    for wrong in ({**arrays, "more": arrays["r"]}, {k: v for k, v in arrays.items() if k != "r"}):
        with pytest.raises(ShapeError, match=r"^state arrays: expected the names that"):
            State.from_arrays(wrong)


def test_what_a_stream_returns_is_accepted(program, state):
    require_state(program, state, 1)


def test_a_state_of_another_program_is_refused(program, state):
    with pytest.raises(ShapeError, match=r"^state: expected that of this program with batch 2"):
        require_state(program, state, 2)
    other = random_program(np.random.default_rng(3), program.arithmetic, layers=1)
    with pytest.raises(ShapeError, match=r"^state: expected that of this program with batch 1"):
        require_state(other, state, 1)


def test_a_state_beyond_the_certificate_is_refused(program, state):
    bound = int(program.ranges[1].states[2, 1])
    with pytest.raises(
        RangeError,
        match=r"^state of 'layer0\.ssm', index \(0, 2, 1\): expected a value within the program's",
    ):
        require_state(program, changed(state, "layer0.ssm/x_re", (0, 2, 1), -bound - 1), 1)


def test_the_certificate_bounds_the_modulus(program, state):
    bound = int(program.ranges[1].states[2, 1])
    corner = changed(state, "layer0.ssm/x_re", (0, 2, 1), bound)
    with pytest.raises(RangeError, match=r"^state of 'layer0\.ssm', index \(0, 2, 1\)"):
        require_state(program, changed(corner, "layer0.ssm/x_im", (0, 2, 1), bound), 1)
    require_state(program, changed(corner, "layer0.ssm/x_im", (0, 2, 1), 0), 1)


def test_a_score_beyond_the_certificate_is_refused(program, state):
    reach = 40 * int(program.ranges[-1].accumulator[1])
    require_state(program, changed(state, "r", (0, 1), reach), 1)
    with pytest.raises(RangeError, match=r"^state of 'readout', index \(0, 1\)"):
        require_state(program, changed(state, "r", (0, 1), reach + 1), 1)


def test_the_widest_state_does_not_overflow_the_check():
    program = random_program(np.random.default_rng(3), WIDE, layers=1, saturating=True)
    x_max = np.full((1, 4, 3), program.arithmetic.state_max)
    zero = zero_state(program, 1)
    state = State({"layer0.ssm": x_max}, {"layer0.ssm": -x_max}, zero.r, 0)
    saturating = program.ranges[1].states == program.arithmetic.state_max
    if saturating.all():
        require_state(program, state, 1)
    else:
        with pytest.raises(RangeError, match=r"^state of 'layer0\.ssm'"):
            require_state(program, state, 1)
