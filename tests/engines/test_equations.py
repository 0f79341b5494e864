"""Each equation once, with numbers that can be checked by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ns4d.engines import Reference, State
from ns4d.engines.reference import (
    NEURON,
    accumulate,
    descale,
    reduce_each_toward_zero,
    reduce_sum_half_up,
    update_each_toward_zero,
    update_sum_half_up,
)
from ns4d.numerics import LOIHI2, WIDE, ProductRounding
from ns4d.program import S4D, Dense, Descale, InputQuantizer, Metadata, Program, Readout


def one(value):
    return np.array([[value]])


def neuron(**changes):
    """One mode: a = (3 + 2i)/4, b = (5 - 1i)/2, 2c = (7 + 1i)/4, d = 3/8."""
    parts = {
        "a_re": one(3),
        "a_im": one(2),
        "b_re": one(5),
        "b_im": one(-1),
        "c_re": one(7),
        "c_im": one(1),
        "d": np.array([3]),
        "a_shift": 2,
        "b_shift": np.array([1]),
        "c_shift": np.array([2]),
        "d_shift": np.array([3]),
        "descale": Descale(np.array([1]), 0, np.array([1000]), relu=False),
    }
    return S4D("ssm", **{**parts, **changes})


X = one(10)[None], one(-7)[None]
U = np.array([[3]])


def test_update_each_toward_zero():
    # (1) 3·10/4 = 7.5 -> 7;  2·(-7)/4 = -3.5 -> -3;  5·3/2 = 7.5 -> 7:   7 + 3 + 7
    # (2) 3·(-7)/4 = -5.25 -> -5;  2·10/4 = 5;  -1·3/2 = -1.5 -> -1:     -5 + 5 - 1
    re, im = update_each_toward_zero(neuron(), *X, U)
    assert (re.item(), im.item()) == (17, -1)


def test_update_sum_half_up():
    # (1) (30 + 14)/4 + 15/2 = 18.5 -> 19;   (2) (-21 + 20)/4 - 3/2 = -1.75 -> -2
    re, im = update_sum_half_up(neuron(), *X, U)
    assert (re.item(), im.item()) == (19, -2)


def test_update_sum_half_up_with_the_larger_shift_on_the_input():
    # (1) (30 + 14)/4 + 15/8 = 12.875 -> 13;  (2) -1/4 - 3/8 = -0.625 -> -1
    re, im = update_sum_half_up(neuron(b_shift=np.array([3])), *X, U)
    assert (re.item(), im.item()) == (13, -1)


def test_reduce_each_toward_zero():
    # (3) 7·10/4 = 17.5 -> 17;  1·(-7)/4 = -1.75 -> -1;  3·3/8 = 1.125 -> 1:   17 + 1 + 1
    assert reduce_each_toward_zero(neuron(), *X, U).tolist() == [[19]]


def test_reduce_sum_half_up():
    # (3) (70 + 7)/4 + 9/8 = 20.375 -> 20
    assert reduce_sum_half_up(neuron(), *X, U).tolist() == [[20]]
    # (70 + 7)/16 + 9/2 = 9.3125 -> 9
    node = neuron(c_shift=np.array([4]), d_shift=np.array([1]))
    assert reduce_sum_half_up(node, *X, U).tolist() == [[9]]


def test_each_rounding_has_its_neuron():
    assert set(NEURON) == set(ProductRounding)
    assert NEURON[ProductRounding.SUM_HALF_UP] == (update_sum_half_up, reduce_sum_half_up)


@pytest.mark.parametrize(
    ("arithmetic", "relu", "wanted"),
    [
        (LOIHI2, True, [0, 0, 0, 0, 2, 4]),
        (LOIHI2, False, [-4, -3, -1, 0, 2, 4]),
        (WIDE, True, [0, 0, 0, 1, 3, 4]),
        (WIDE, False, [-4, -2, -1, 1, 3, 4]),
    ],
)
def test_descale(arithmetic, relu, wanted):
    # (4) v·5/8 = -12.5, -2.5, -0.625, 0.625, 2.5, 12.5, clipped to ±4
    v = np.array([[-20], [-4], [-1], [1], [4], [20]])
    parameters = Descale(np.array([5]), 3, np.array([4]), relu=relu)
    assert descale(arithmetic, parameters, v)[:, 0].tolist() == wanted


def test_descale_is_per_channel():
    parameters = Descale(np.array([1, 2, 0]), 1, np.array([9, 3, 9]), relu=True)
    assert descale(LOIHI2, parameters, np.array([[10, 10, 10]])).tolist() == [[5, 3, 0]]


def test_accumulate():
    # (5), (6): rows are outputs
    weight = np.array([[1, 2, 3], [-4, 5, -6]])
    assert accumulate(weight, np.array([[7, 8, 9], [1, 0, 0]])).tolist() == [[50, -42], [1, -4]]


def small(arithmetic=LOIHI2, **changes):
    """Dense 1 -> 1, one neuron, one class: m_dense = (2u + 1)/2, r += 3m, bias 5."""
    halve = Descale(np.array([1]), 1, np.array([1000]), relu=True)
    return Program(
        arithmetic,
        InputQuantizer(np.zeros(1), np.ones(1)),
        (Dense("dense", one(2), np.array([1]), halve), neuron(**changes)),
        Readout(one(3), np.array([5])),
        Metadata("by hand", ("only",)),
    )


def test_three_tokens_by_hand():
    # dense: u = 3, 0, -9 -> floor(7/2) = 3, floor(1/2) = 0, relu(floor(-17/2)) = 0
    # token 1: x = (7, -1);  v = 49/4 -> 12, +1/4 -> 0, 9/8 -> 1:  13;     r = 39
    # token 2: x = (21/4 -> 5, +2/4 -> 0;  -3/4 -> 0, 14/4 -> 3) = (5, 3);
    #          v = 35/4 -> 8, -3/4 -> 0:  8;                               r = 63
    # token 3: x = (15/4 -> 3, -6/4 -> -1;  9/4 -> 2, 10/4 -> 2) = (2, 4);
    #          v = 14/4 -> 3, -4/4 -> -1:  2;                              r = 69
    stream = small().stream()
    states = []
    scores = []
    for u in (3, 0, -9):
        scores.append(stream.step(np.array([u])).item())
        state = stream.state
        states.append((state.x_re["ssm"].item(), state.x_im["ssm"].item(), state.r.item()))
    assert states == [(7, -1, 39), (5, 3, 63), (2, 4, 69)]
    assert scores == [39 + 5, 63 + 10, 69 + 15]


def test_saturation_comes_before_the_output():
    # 8 state bits: x = 127 although b·u/2 = 247; the output reads the clipped state.
    program = small(replace(LOIHI2, state_bits=8), b_re=one(100), a_re=one(0), a_im=one(0))
    machine = Reference().load(program, 1)
    scores, state = machine.advance(np.array([[[5]]])), machine.state
    assert state.x_re["ssm"].item() == 127
    # 7·127/4 = 222.25 -> 222; c_im·x_im = -(-5/2 -> -2)/4 -> 0; d: 15/8 -> 1
    assert state.r.item() == 3 * 223
    assert scores.item() == 3 * 223 + 5


def test_the_state_moves_without_a_message():
    program = small()
    machine = Reference().load(program, 1)
    machine.state = State({"ssm": one(10)[None]}, {"ssm": one(-7)[None]}, np.array([[0]]), 0)
    machine.advance(np.array([[[0]]]))
    after = machine.state
    assert (after.x_re["ssm"].item(), after.x_im["ssm"].item()) == (10, 0)
