"""Single nodes of a program as ONNX: each equation, and what is left out where it can be."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from ns4d.engines import Reference
from ns4d.engines.state import zero_state
from ns4d.export.onnx.engine import open_session
from ns4d.export.onnx.integers import state_shapes
from ns4d.export.onnx.models import integer_token
from ns4d.export.onnx.unrolled import chunk_model, step_model
from ns4d.numerics import LOIHI2, WIDE
from ns4d.program import (
    S4D,
    Add,
    Dense,
    Descale,
    InputQuantizer,
    Metadata,
    Node,
    Program,
    Readout,
)
from program_strategies import random_program

ONE = np.ones(2, np.int64)
KEEP = Descale(ONE, 0, 500 * ONE, relu=False)


def program_of(*nodes: Node, arithmetic=LOIHI2) -> Program:
    quantizer, metadata = InputQuantizer(np.zeros(2), np.ones(2)), Metadata("by hand", ("a", "b"))
    readout = Readout(np.eye(2, dtype=np.int64), 3 * ONE)
    return Program(arithmetic, quantizer, nodes, readout, metadata)


def dense(descale: Descale = KEEP, name: str = "dense") -> Dense:
    return Dense(name, np.array([[2, -1], [1, 3]]), np.array([5, -7]), descale)


def neuron(b_im: int = 0, **other) -> S4D:
    full = np.ones((2, 3), np.int64)
    values = {
        "a_re": 1000 * full,
        "a_im": -2000 * full,
        "b_re": 9 * full,
        "b_im": b_im * full,
        "c_re": 40 * full,
        "c_im": -30 * full,
        "d": 11 * ONE,
        "a_shift": 12,
        "b_shift": 2 * ONE,
        "c_shift": 3 * ONE,
        "d_shift": 4 * ONE,
        "descale": replace(KEEP, shift=3),
    }
    return S4D("ssm", **values | other)


def messages(program: Program, u: np.ndarray) -> dict[str, np.ndarray]:
    session = open_session(chunk_model(integer_token(program), trace=True))
    names = [node.name for node in program.nodes]
    feeds = zero_state(program, len(u)).to_arrays() | {"tokens": u}
    return dict(zip(names, session.run([f"sent/{name}" for name in names], feeds), strict=True))


CHAINS: dict[str, tuple[Node, ...]] = {
    "dense": (dense(),),
    "relu": (dense(replace(KEEP, relu=True)),),
    "limits that differ": (dense(replace(KEEP, limit=np.array([3, 400]))),),
    "descaled": (dense(Descale(np.array([5, 3]), 4, 500 * ONE, relu=False)),),
    "silent": (dense(replace(KEEP, multiplier=0 * ONE)),),
    "neuron": (neuron(),),
    "neuron, complex b": (neuron(b_im=4),),
    "neuron, b per mode": (neuron(b_re=np.arange(6).reshape(2, 3)),),
    "neuron, no b": (neuron(b_re=np.zeros((2, 3), np.int64)),),
    "neuron, shifts per channel": (
        neuron(b_shift=np.array([0, 5]), c_shift=np.array([3, 6]), d_shift=np.array([7, 1])),
    ),
    "add": (dense(), dense(name="second"), Add("sum", "dense", 2 * ONE, -ONE, KEEP)),
    "add of the input's neighbour": (dense(), Add("sum", "dense", ONE, 3 * ONE, KEEP)),
    "nothing": (),
}


@pytest.mark.parametrize("arithmetic", [LOIHI2, WIDE], ids=lambda a: a.name)
@pytest.mark.parametrize("name", CHAINS)
def test_a_node_sends_what_the_reference_sends(name, arithmetic):
    program = program_of(*CHAINS[name], arithmetic=arithmetic)
    u = np.random.default_rng(0).integers(-200, 201, (2, 15, 2))
    expected = Reference().trace(program, u)
    if not CHAINS[name]:
        assert expected == {}
        return
    got = messages(program, u)
    for node, sent in expected.items():
        np.testing.assert_array_equal(got[node], sent, err_msg=node)


def step_of(program: Program) -> onnx.ModelProto:
    return step_model(integer_token(program))


def operators(*nodes: Node, arithmetic=LOIHI2) -> Counter[str]:
    """What the nodes take, without the read-out."""
    kinds = Counter(
        node.op_type for node in step_of(program_of(*nodes, arithmetic=arithmetic)).graph.node
    )
    return kinds - Counter(node.op_type for node in step_of(program_of()).graph.node)


def test_a_plain_dense_node_takes_four_operators():
    assert operators(dense()) == {"MatMul": 1, "Add": 1, "Mul": 1, "Clip": 1}


def test_limits_that_differ_take_one_more():
    limited = dense(replace(KEEP, limit=np.array([3, 400])))
    assert operators(limited) == {"MatMul": 1, "Add": 1, "Mul": 1, "Max": 1, "Min": 1}


def test_one_real_drive_saves_a_product():
    simple, full = operators(neuron()), operators(neuron(b_im=4))
    assert full - simple == {"Mul": 1, "Div": 1, "Add": 1}


def test_the_rounding_of_the_profile_decides_how_often_is_divided():
    toward_zero = operators(neuron(b_im=4))
    half_up = operators(neuron(b_im=4), arithmetic=WIDE)
    # Four products of a, two of b, two of c, one of d, each by itself; then the descaling.
    assert toward_zero["Div"] == 9 + 1
    # Two states, one sum, the descaling.
    assert half_up["Div"] == 3 + 1


def test_one_drive_is_one_constant_per_channel():
    stored = {
        part.name: numpy_helper.to_array(part)
        for part in step_of(program_of(neuron())).graph.initializer
    }
    assert stored["ssm/b_re"].shape == (2, 1)
    assert stored["ssm/a_re"].shape == (2, 3)
    np.testing.assert_array_equal(stored["ssm/a_im"], neuron().a_im)


def test_aligned_constants_carry_the_shift():
    program = program_of(neuron(b_shift=14 * ONE), arithmetic=WIDE)
    stored = {part.name: numpy_helper.to_array(part) for part in step_of(program).graph.initializer}
    np.testing.assert_array_equal(stored["ssm/a_re"], neuron().a_re << 2)
    np.testing.assert_array_equal(stored["ssm/b_re"], neuron().b_re[:, :1])


def test_a_constant_that_overflows_meets_zeros_alone():
    """b is 0, so the state is 0 and proved to be; a·2^(s-sa) does not fit 64 bits."""
    silent = neuron(b_re=np.zeros((2, 3), np.int64), b_shift=62 * ONE, a_shift=0)
    program = program_of(silent, arithmetic=WIDE)
    u = np.random.default_rng(0).integers(-200, 201, (1, 6, 2))
    np.testing.assert_array_equal(messages(program, u)["ssm"], Reference().trace(program, u)["ssm"])


def test_state_shapes_are_those_of_the_state():
    program = random_program(np.random.default_rng(0), layers=2)
    arrays = zero_state(program, 5).to_arrays()
    shapes = state_shapes(program)
    assert shapes.keys() == arrays.keys()
    for name, shape in shapes.items():
        assert tuple(5 if axis == "b" else axis for axis in shape) == arrays[name].shape


def test_a_program_without_states_keeps_its_scores():
    program = program_of(dense())
    assert set(state_shapes(program)) == {"r", "tokens_seen"}
    u = np.random.default_rng(0).integers(-200, 201, (2, 9, 2))
    session = open_session(chunk_model(integer_token(program)))
    feeds = zero_state(program, 2).to_arrays() | {"tokens": u}
    scores, r = session.run(["scores", "new/r"], feeds)
    np.testing.assert_array_equal(scores, Reference().load(program, 2).advance(u))
    np.testing.assert_array_equal(scores[:, -1], r + 9 * program.readout.bias)
