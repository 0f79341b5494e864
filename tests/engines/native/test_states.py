"""States between the kernels' bytes and arrays: nothing is lost, nothing leaks into the padding."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from native_edges import CHANNELS, EACH, MODES, SUMS, inputs, neuron
from ns4d.engines import Reference, State
from ns4d.engines.native import Native
from ns4d.engines.native import plan as p
from ns4d.engines.native.states import from_bytes, to_bytes
from ns4d.program import Program

SHORT_MOST = 2**31 - 1 - 2**15
LOUD = {"b": 32767, "c": 3000, "limit": 25_000, "shifts": (16, 0, 16, 9), "shift": 8}
QUIET = {"a": 20_000 + 9_000j, "b": 5000, "c": 30_000, "limit": 500, "shifts": (15, 0, 15, 9)}
# Path -> the program, the largest state its layout holds.
PATHS = {
    p.SINGLE: (neuron(EACH, **QUIET), 2**24 - 1),
    p.SINGLE_CLAMPED: (neuron(EACH, **{**QUIET, "limit": 3300}), 2**24 - 1),
    p.SINGLE_MODES: (neuron(EACH, **QUIET, uniform=False), 2**24 - 1),
    p.SINGLE_MODES_CLAMPED: (neuron(EACH, **{**QUIET, "limit": 3300}, uniform=False), 2**24 - 1),
    p.WORD: (neuron(SUMS, **{**LOUD, "a": 40_000 - 9_000j, "limit": 15_000}), 2**31 - 1),
    p.WORD_MODES: (neuron(SUMS, a=200 - 90j, **LOUD, uniform=False), 2**31 - 1),
    p.SHORT: (neuron(SUMS, a=20_000 - 9_000j, **LOUD), SHORT_MOST),
    p.PLAIN_EACH: (neuron(replace(EACH, name="more", state_bits=32), **QUIET, shift=53), 2**31 - 1),
    p.PLAIN_SUM: (neuron(SUMS, a=20_000 - 9_000j, **{**LOUD, "limit": 60_000}), 2**31 - 1),
}
paths = pytest.mark.parametrize("path", PATHS)


def state_of(program: Program, x_re: np.ndarray, x_im: np.ndarray, r: int = 0) -> State:
    scores = np.full((len(x_re), len(program.classes)), r)
    return State({"trial": x_re}, {"trial": x_im}, scores, 1)


def of_one_value(program: Program, value: int, r: int = 0) -> State:
    x = np.full((2, CHANNELS, MODES), value)
    return state_of(program, x, x.copy(), r)


def bytes_of(path: int, state: State) -> np.ndarray:
    program, _ = PATHS[path]
    return to_bytes(program, Native(1).load(program, 1).plan, state)


@paths
def test_the_programs_take_their_paths(path):
    assert Native(1).load(PATHS[path][0], 1).plan.paths[1] == path


@paths
@given(data=st.data())
def test_bytes_and_back(path, data):
    program, most = PATHS[path]
    plan = Native(1).load(program, 1).plan
    edges = [0, 1, -1, most, -most, 2**15 - 1, 2**15, 2**15 + 1, -(2**15) - 1, -(2**15), 2**16]
    values = st.sampled_from(edges) | st.integers(-most, most)
    few = st.lists(values, min_size=7, max_size=7)
    shape = (2, 3, CHANNELS, MODES)
    x = np.resize(np.array(data.draw(few)), shape)
    seen = data.draw(st.integers(0, 2**40))
    r = data.draw(st.integers(-(2**62), 2**62))
    state = State({"trial": x[0]}, {"trial": -x[1][::-1]}, np.full((3, CHANNELS), r), seen)
    states = to_bytes(program, plan, state)
    assert states.shape == (3, plan.state_bytes)
    assert from_bytes(program, plan, states) == state


@paths
def test_reading_gives_arrays_of_their_own(path):
    program, _ = PATHS[path]
    plan = Native(1).load(program, 1).plan
    states = bytes_of(path, of_one_value(program, 77, 5))
    state = from_bytes(program, plan, states)
    states[:] = 255
    assert state == of_one_value(program, 77, 5)


def place(path: int, h: int, n: int, part: int) -> tuple[int, str]:
    """Where the kernels look for a state: byte offset, type. SHORT: the lower half."""
    block, lane = divmod(h, 8)
    group, word = divmod(h, 4)
    if path in (p.PLAIN_EACH, p.PLAIN_SUM):
        return 16 * (h * MODES + n) + 8 * part, "<i8"
    if path in (p.WORD, p.WORD_MODES):
        return 32 * (group * MODES + n) + 8 * word + 4 * part, "<i4"
    if path == p.SHORT:
        return 64 * (block * MODES + n) + 4 * lane + 2 * part, "<i2"
    return 64 * (block * MODES + n) + 32 * part + 4 * lane, "<f4"


@paths
@pytest.mark.parametrize("value", [1, -1, 12_345, -12_345])
def test_each_state_stands_where_the_kernels_look(path, value):
    program, _ = PATHS[path]
    for h, n, part in ((0, 0, 0), (3, 1, 1), (4, 4, 0), (7, 2, 1), (8, 0, 0), (8, 4, 1)):
        x = np.zeros((2, 1, CHANNELS, MODES), np.int64)
        x[part, 0, h, n] = value
        states = bytes_of(path, state_of(program, x[0], x[1]))[0]
        states[Native(1).load(program, 1).plan.scores :] = 0  # r, then the tokens seen
        at, kind = place(path, h, n, part)
        size = np.dtype(kind).itemsize
        assert states[at : at + size].view(kind)[0] == value
        # A lower half below 0 is made good by the upper half, which is 0 here.
        states[at : at + size] = 0
        assert not states.any()


@given(st.integers(-SHORT_MOST, SHORT_MOST))
def test_two_halves_of_a_short_state(x):
    program, _ = PATHS[p.SHORT]
    states = bytes_of(p.SHORT, of_one_value(program, x))[0]
    low, high = (int(states[at : at + 2].view("<i2")[0]) for at in (0, 32))
    assert 2**16 * high + low == x
    # Signed halves: the lower one is the nearest, so that both may be negative.
    assert -(2**15) <= low < 2**15


@pytest.mark.parametrize(
    ("x", "high", "low"),
    [
        (0, 0, 0),
        (-1, 0, -1),
        (2**15 - 1, 0, 2**15 - 1),
        (2**15, 1, -(2**15)),
        (-(2**15), 0, -(2**15)),
        (-(2**15) - 1, -1, 2**15 - 1),
        (SHORT_MOST, 2**15 - 1, 2**15 - 1),
        (-(2**31) + 1 + 2**15, -(2**15) + 1, -(2**15) + 1),
    ],
)
def test_halves_by_hand(x, high, low):
    states = bytes_of(p.SHORT, of_one_value(PATHS[p.SHORT][0], x))[0]
    assert [int(states[at : at + 2].view("<i2")[0]) for at in (0, 32)] == [low, high]


def padding(path: int) -> np.ndarray:
    """Which bytes of a state belong to no state and no score."""
    # No byte of these is 0 in the layout of the path.
    value = 0x00FF7F7F if path <= p.SINGLE_MODES_CLAMPED else 0x01010101
    wide = of_one_value(PATHS[path][0], value, 0x0101010101010101)
    states = bytes_of(path, wide)
    if path in (p.PLAIN_EACH, p.PLAIN_SUM):
        wide = of_one_value(PATHS[path][0], 0x0101010101010101, 0x0101010101010101)
        states = bytes_of(path, wide)
    return states[0] == 0


@paths
def test_padding_stays_zero_whatever_comes(path):
    program, _ = PATHS[path]
    free = padding(path)
    assert free.any(), "nothing to see: no room is left over"
    machine = Native(1).load(program, 3)
    for length in (1, 3, 40):
        machine.advance(inputs(program, length))
        assert not machine._states[:, free].any()
        assert machine._states[:, ~free].any()


@paths
def test_missing_channels_send_nothing(path):
    program, _ = PATHS[path]
    sent = Native(1).load(program, 3).trace(inputs(program))
    assert sent.shape[-1] == p.padded(CHANNELS)
    assert sent[..., :CHANNELS].any()
    assert not sent[..., CHANNELS:].any()


@paths
def test_from_the_edge_of_the_certificate_on(path):
    """States that no run need reach, but that the certificate admits: the reference's bits."""
    program, _ = PATHS[path]
    bound = program.ranges[1].states
    assert bound is not None
    free = program.ranges[1].may_saturate > 0
    corner = bound if free else (bound / np.sqrt(2)).astype(np.int64)
    zero = np.zeros_like(bound)
    starts = [(bound, zero), (zero, -bound), (-bound, zero), (corner, corner), (-corner, corner)]
    x_re, x_im = (np.stack([start[part] for start in starts]) for part in (0, 1))
    start = state_of(program, x_re, x_im)
    u = np.concatenate([inputs(program, 9), -inputs(program, 9)])[: len(starts)]
    for step in (1, 9):
        machines = [engine.load(program, len(starts)) for engine in (Reference(), Native(1))]
        for machine in machines:
            machine.state = start
        for t in range(0, 9, step):
            wanted, got = (machine.advance(u[:, t : t + step]) for machine in machines)
            np.testing.assert_array_equal(got, wanted)
            assert machines[1].state == machines[0].state
