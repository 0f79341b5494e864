"""The reference engine against scalar Python integers and exact rationals, written from the text.

`Scalar` shares no code with ns4d: one number at a time, one unbounded integer or Fraction each.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ns4d.engines import Engine, Reference, trace
from ns4d.numerics import ProductRounding, SynapseRounding
from ns4d.program import Add, Dense, Program
from program_strategies import ARITHMETICS, messages, programs, random_program


def shifted(p: int, s: int) -> Fraction:
    return Fraction(p, 2**s)


def half_up(value: Fraction) -> int:
    return math.floor(value + Fraction(1, 2))


def clip(x: int, low: int, high: int) -> int:
    return min(max(x, low), high)


class Scalar:
    """Equations (1) to (6) for one stream."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.x = {
            (node.name, h, n): (0, 0)
            for node in program.recurrent
            for h in range(node.inputs)
            for n in range(node.modes)
        }
        self.r = [0] * len(program.classes)
        self.tokens = 0
        self.sent: dict[str, list[int]] = {}

    def total(self, terms: list[Fraction]) -> int:
        """A sum of shifted products, rounded where the profile says."""
        rounding = self.program.arithmetic.product_rounding
        if rounding is ProductRounding.EACH_TOWARD_ZERO:
            return sum(math.trunc(term) for term in terms)
        return half_up(sum(terms, Fraction(0)))

    def step(self, u: list[int]) -> list[int]:
        m = u
        for node in self.program.nodes:
            outputs = range(node.outputs)
            if isinstance(node, Dense):
                v = [self.dense(node.weight[o], m) + int(node.bias[o]) for o in outputs]
            elif isinstance(node, Add):
                s = self.sent[node.source]
                v = [int(node.weight[o]) * m[o] + int(node.skip[o]) * s[o] for o in outputs]
            else:
                v = [self.neuron(node, h, m[h]) for h in outputs]
            m = [self.descale(node.descale, o, v[o]) for o in outputs]
            self.sent[node.name] = m
        self.tokens += 1
        readout = self.program.readout
        for k in range(readout.outputs):
            self.r[k] += self.dense(readout.weight[k], m)
        return [r + self.tokens * int(bias) for r, bias in zip(self.r, readout.bias, strict=True)]

    def dense(self, weights: np.ndarray, m: list[int]) -> int:
        return sum(int(w) * value for w, value in zip(weights, m, strict=True))

    def neuron(self, node, h: int, u: int) -> int:
        top = 2 ** (self.program.arithmetic.state_bits - 1) - 1
        sa, sb, sc = node.a_shift, int(node.b_shift[h]), int(node.c_shift[h])
        out = []
        for n in range(node.modes):
            ar, ai, br, bi, cr, ci = (
                int(getattr(node, field)[h, n])
                for field in ("a_re", "a_im", "b_re", "b_im", "c_re", "c_im")
            )
            xr, xi = self.x[node.name, h, n]
            re = self.total([shifted(ar * xr, sa), shifted(-ai * xi, sa), shifted(br * u, sb)])
            im = self.total([shifted(ar * xi, sa), shifted(ai * xr, sa), shifted(bi * u, sb)])
            xr, xi = clip(re, -top, top), clip(im, -top, top)
            self.x[node.name, h, n] = (xr, xi)
            out += [shifted(cr * xr, sc), shifted(-ci * xi, sc)]
        return self.total([*out, shifted(int(node.d[h]) * u, int(node.d_shift[h]))])

    def descale(self, descale, o: int, v: int) -> int:
        exact = shifted(v * int(descale.multiplier[o]), descale.shift)
        floors = self.program.arithmetic.synapse_rounding is SynapseRounding.FLOOR
        limit = int(descale.limit[o])
        return clip(
            math.floor(exact) if floors else half_up(exact), 0 if descale.relu else -limit, limit
        )


def require_equal_to_scalar(program: Program, u: np.ndarray) -> None:
    machine = Reference().load(program, len(u))
    scalars = [Scalar(program) for _ in u]
    traced = trace(program, u)
    for k in range(u.shape[1]):
        scores, state = machine.advance(u[:, k : k + 1])[:, 0], machine.state
        for b, scalar in enumerate(scalars):
            assert scores[b].tolist() == scalar.step(u[b, k].tolist()), f"token {k}, stream {b}"
            assert state.r[b].tolist() == scalar.r
            for (name, h, n), (xr, xi) in scalar.x.items():
                assert state.x_re[name][b, h, n] == xr, (name, k, h, n)
                assert state.x_im[name][b, h, n] == xi, (name, k, h, n)
            for name, sent in scalar.sent.items():
                assert traced[name][b, k].tolist() == sent, (name, k)
    assert machine.state.tokens_seen == u.shape[1]


@settings(max_examples=40)
@given(data=st.data())
def test_reference_equals_scalar_integers(data):
    program = data.draw(programs())
    require_equal_to_scalar(program, data.draw(messages(program, batch=1, most=8)))


@pytest.mark.parametrize("arithmetic", ARITHMETICS, ids=lambda arithmetic: arithmetic.name)
@pytest.mark.parametrize("kind", ["zero", "largest", "smallest", "random"])
def test_reference_equals_scalar_integers_at_the_extremes(arithmetic, kind):
    program = random_program(np.random.default_rng(5), arithmetic, 2, 4, 3, 2, saturating=True)
    top = arithmetic.message_max
    u = {
        "zero": np.zeros((2, 12, 2), int),
        "largest": np.full((2, 12, 2), top),
        "smallest": np.full((2, 12, 2), -top),
        "random": np.random.default_rng(6).integers(-top, top + 1, (2, 12, 2)),
    }[kind]
    require_equal_to_scalar(program, u)


@pytest.mark.parametrize("arithmetic", ARITHMETICS, ids=lambda arithmetic: arithmetic.name)
def test_these_programs_do_saturate_and_clip(arithmetic):
    program = random_program(np.random.default_rng(5), arithmetic, 2, 4, 3, 2, saturating=True)
    top = arithmetic.message_max
    u = np.random.default_rng(6).integers(-top, top + 1, (2, 40, 2))
    machine, most = Reference().load(program, 2), 0
    for k in range(40):
        machine.advance(u[:, k : k + 1])
        most = max(most, *(int(np.abs(x).max()) for x in machine.state.x_re.values()))
    if arithmetic.product_rounding is ProductRounding.EACH_TOWARD_ZERO:
        assert most == arithmetic.state_max
    sent = trace(program, u)
    assert any((sent[n.name] == n.descale.limit).any() for n in program.nodes)
    assert any((sent[n.name] == 0).any() for n in program.nodes)


@settings(max_examples=25)
@given(data=st.data())
def test_streams_of_a_batch_do_not_mix(data):
    program = data.draw(programs())
    u = data.draw(messages(program, batch=3, most=6))
    together = trace(program, u)
    for b in range(3):
        alone = trace(program, u[b : b + 1])
        for name, sent in together.items():
            np.testing.assert_array_equal(sent[b : b + 1], alone[name])


def test_zero_input_leaves_the_state_at_zero():
    program = random_program(np.random.default_rng(0), layers=1)
    machine = Reference().load(program, 1)
    node = program.recurrent[0]
    machine.advance(np.zeros((1, 1, 1), dtype=np.int64))
    quiet = trace(program, np.zeros((1, 1, 1), int))["encoder"][0, 0] == 0
    assert not machine.state.x_re[node.name][0][quiet].any()


def test_a_state_is_a_value():
    program = random_program(np.random.default_rng(0), layers=2)
    machine = Reference().load(program, 2)
    before = machine.state
    u = np.array([[[5]], [[-7]]])
    machine.advance(u)
    assert before == Reference().load(program, 2).state
    assert machine.state != before
    assert u.tolist() == [[[5]], [[-7]]]


def test_reference_is_an_engine():
    assert isinstance(Reference(), Engine)
    assert Reference().name == "reference"


def test_a_large_program_in_one_step():
    program = random_program(np.random.default_rng(0), channels=64, modes=32, layers=4, classes=10)
    scores = program.run(np.full((2, 3, 1), 1000))
    assert scores.shape == (2, 10)
    np.testing.assert_array_equal(scores[0], scores[1])
