"""Dense layers by pairs of messages: what is skipped counts 0, what is not counts exactly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from native_edges import SUMS, around, require_equal
from ns4d.engines.native import Native
from ns4d.engines.native import plan as p
from ns4d.program import Add, Dense, Descale, Program

MOST = 2**15 - 1
# Around a pair, a vector of eight, a group of four vectors.
INPUTS = (1, 2, 3, 15, 16, 17, 64, 65)
OUTPUTS = (1, 7, 8, 9, 31, 32, 33)


def identity(channels: int, shift: int = 8) -> Descale:
    """Sends a sum of up to 31 bits, shifted."""
    full = np.ones(channels, np.int64)
    return Descale(full, shift, (2**23 - 1) * full, relu=False)


def layer(weight: np.ndarray, bias: np.ndarray) -> Program:
    """A dense node of these weights by pairs; nothing in it clips."""
    program = around(SUMS, Dense("trial", weight, bias, identity(len(weight))), MOST)
    assert Native(1).load(program, 1).plan.paths[1] == p.PAIRS
    return program


def sums(program: Program, u: np.ndarray) -> np.ndarray:
    """(5) with (4) by the definition of the product, without any engine."""
    node = program.nodes[1]
    assert isinstance(node, Dense)
    return (u @ node.weight.T + node.bias + 128) >> 8


def require_sums(program: Program, u: np.ndarray) -> None:
    """The node sends what the formula says, for each of (l, i) tokens."""
    sent = Native(1).trace(program, u[None])["trial"][0]
    np.testing.assert_array_equal(sent, sums(program, u))


def random_layer(outputs: int, inputs: int) -> Program:
    rng = np.random.default_rng([outputs, inputs])
    top = min(MOST, (2**31 - 1) // (2 * MOST * inputs))
    weight = rng.integers(-top, top + 1, (outputs, inputs))
    weight[weight == 0] = 1
    return layer(weight, rng.integers(-(2**20), 2**20, outputs))


@pytest.mark.parametrize("inputs", INPUTS)
@pytest.mark.parametrize("outputs", OUTPUTS)
def test_any_size(outputs, inputs):
    program = random_layer(outputs, inputs)
    u = np.random.default_rng(1).integers(-MOST, MOST + 1, (9, inputs))
    u[0], u[1], u[2], u[3] = 0, MOST, -MOST, MOST * (-1) ** np.arange(inputs)
    require_sums(program, u)


@pytest.mark.parametrize("inputs", INPUTS)
def test_silence_leaves_the_bias(inputs):
    program = random_layer(9, inputs)
    node = program.nodes[1]
    assert isinstance(node, Dense)
    sent = Native(1).trace(program, np.zeros((1, 3, inputs), np.int64))["trial"]
    assert (sent == (node.bias + 128) >> 8).all()


@pytest.mark.parametrize("inputs", INPUTS)
@pytest.mark.parametrize("message", [1, -1, MOST, -MOST, 256, -256])
def test_one_message_alone(inputs, message):
    # First of a pair, second of one, last without a partner: each is a token here.
    require_sums(random_layer(9, inputs), message * np.eye(inputs, dtype=np.int64))


@pytest.mark.parametrize("first", [0, 1, -1, MOST, -MOST])
@pytest.mark.parametrize("second", [0, 1, -1, MOST, -MOST])
def test_signs_within_a_pair(first, second):
    # A negative first message must not borrow from the second in their common word.
    u = np.tile(np.array([first, second]), (1, 3))
    program = random_layer(33, 6)
    require_sums(program, np.concatenate([u, u * [1, 1, 0, 0, 0, 0], u * [0, 0, 0, 1, 1, 0]]))


@given(data=st.data())
def test_any_pattern_of_silence(data):
    inputs = data.draw(st.sampled_from(INPUTS))
    program = random_layer(9, inputs)
    values = st.sampled_from([0, 0, 0, 1, -1, MOST, -MOST]) | st.integers(-MOST, MOST)
    u = np.array(data.draw(st.lists(values, min_size=3 * inputs, max_size=3 * inputs)))
    require_sums(program, u.reshape(3, inputs))


def test_a_busy_token_leaves_nothing_for_a_quiet_one():
    # The list of pairs is kept from token to token; a shorter one must not read on.
    program = random_layer(33, 65)
    u = np.zeros((6, 65), np.int64)
    u[0::2] = MOST
    u[3, 64] = -5
    require_sums(program, u)


def test_largest_weights_with_largest_messages():
    # Two products of 2^30 each fill the accumulator; the pair instruction adds them at once.
    weight = MOST * np.array([[1, 1], [-1, -1], [1, -1], [-1, 1]])
    program = layer(weight, np.array([2**17 - 300, 300 - 2**17, 0, 1]))
    u = MOST * np.array([[1, 1], [-1, -1], [1, -1], [-1, 1], [1, 0], [0, -1]])
    require_sums(program, u)
    require_equal(program, np.stack([u, -u]))


def test_the_readout_adds_up_the_same_pairs():
    for classes in (1, 8, 33):
        inputs = 17
        program = random_layer(classes, inputs)
        node, readout = program.nodes[1], program.readout
        assert isinstance(node, Dense)
        small = np.sign(node.weight) * (np.abs(node.weight) % 127)
        program = replace(program, nodes=program.nodes[:1], readout=replace(readout, weight=small))
        assert Native(1).load(program, 1).plan.paths[-1] == p.READ_PAIRS
        u = np.random.default_rng(2).integers(-MOST, MOST + 1, (1, 12, inputs))
        u[:, ::3] = 0
        u[:, 1, ::2] = 0
        scores = Native(1).load(program, 1).advance(u)
        ticks = np.arange(1, 13)[:, None]
        wanted = np.cumsum(u[0] @ small.T, axis=0) + ticks * readout.bias
        np.testing.assert_array_equal(scores[0], wanted)


@pytest.mark.parametrize("bits", [24, 16])
def test_an_add_is_its_formula(bits):
    arithmetic = replace(SUMS, name="add", weight_bits=bits // 2, message_bits=bits)
    top = arithmetic.weight_max
    rng = np.random.default_rng(3)
    weight, skip = rng.integers(-top, top + 1, (2, 9))
    weight[0], skip[0], weight[1], skip[1] = top, top, -top, top
    limit = arithmetic.message_max
    doubled = Dense("doubled", 2 * np.eye(9, dtype=np.int64), np.zeros(9, np.int64), identity(9, 1))
    doubled = replace(doubled, descale=replace(doubled.descale, limit=np.full(9, limit)))
    add = Add("trial", "limit", weight, skip, identity(9))
    add = replace(add, descale=replace(add.descale, limit=np.full(9, limit)))
    program = around(arithmetic, doubled, limit)
    nodes = (*program.nodes, add)
    program = replace(program, nodes=nodes)
    u = rng.integers(-limit, limit + 1, (2, 20, 9))
    u[0, :2], u[0, 2:4] = limit, -limit
    sent = Native(1).trace(program, u)["trial"]
    wanted = (weight * u + skip * u + 128) >> 8
    np.testing.assert_array_equal(sent, np.clip(wanted, -limit, limit))
    require_equal(program, u)
