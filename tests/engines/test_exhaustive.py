"""At small widths: every state, every input, every rounding, against exact rational arithmetic.

The oracle knows fractions, floor and the definition of each rounding, and nothing of shifts.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from fractions import Fraction

import numpy as np
import pytest

from ns4d.engines import Engine, Reference, State
from ns4d.engines.native import Native
from ns4d.numerics import Arithmetic, ProductRounding, SynapseRounding
from ns4d.program import S4D, Dense, Descale, InputQuantizer, Metadata, Program, Readout
from ns4d.program.certificate import NodeRange

ENGINES = (Reference(), Native(1))
EACH_ENGINE = pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
ROUNDINGS = list(itertools.product(ProductRounding, SynapseRounding))
EACH_ROUNDING = pytest.mark.parametrize(("product", "synapse"), ROUNDINGS)


def toward_zero(v: Fraction) -> int:
    return math.floor(abs(v)) * (1 if v >= 0 else -1)


def half_up(v: Fraction) -> int:
    return math.floor(v + Fraction(1, 2))


def rounded(product: ProductRounding, terms: list[Fraction]) -> int:
    """A sum of exact products under a profile's rounding."""
    if product is ProductRounding.EACH_TOWARD_ZERO:
        return sum(map(toward_zero, terms))
    return half_up(sum(terms, Fraction(0)))


def clipped(x: int, low: int, high: int) -> int:
    return min(max(x, low), high)


def profile(product: ProductRounding, synapse: SynapseRounding, bits: int) -> Arithmetic:
    """Every width small, but the accumulator's: that one has to hold what is proved."""
    return Arithmetic("small", bits, bits, bits, bits, bits, 16, product, synapse)


def between(bits: int) -> range:
    top = 2 ** (bits - 1) - 1
    return range(-top, top + 1)


def program(arithmetic: Arithmetic, node: S4D | Dense) -> Program:
    one = np.ones((1, 1), np.int64)
    return Program(
        arithmetic,
        InputQuantizer(np.zeros(node.inputs), np.ones(node.inputs)),
        (node,),
        Readout(np.ones((1, node.outputs), np.int64), 0 * one[0]),
        Metadata("exhaustive", ("only",)),
    )


def outcomes(engine: Engine, model: Program, states: np.ndarray, u: np.ndarray) -> State:
    """The state after one token, every stream from a state of its own. What no run reaches is
    refused by the setter, so the certificate has to allow it."""
    machine = engine.load(model, len(u))
    zero = machine.state
    x_re, x_im = ({"node": states[:, part, None, None]} for part in (0, 1))
    machine.state = State(x_re, x_im, zero.r, 0)
    machine.advance(u[:, None])
    return machine.state


# (a, b, 2c, d), then the shifts of a, b, c, d. |a| is 1 or more where a state must reach every
# corner: the certificate then allows every state of the width.
NEURONS = [
    ((3, 3), (3, -1), (2, -3), 1, (2, 1, 1, 2)),
    ((-2, 3), (1, 2), (-3, -1), -3, (1, 2, 2, 0)),
    ((0, -3), (-3, 3), (1, 1), 2, (1, 0, 3, 1)),
    ((3, -2), (-1, -3), (3, 0), 0, (1, 3, 2, 2)),
    ((2, 0), (2, 0), (0, 3), 3, (1, 1, 1, 3)),
]


@EACH_ENGINE
@EACH_ROUNDING
@pytest.mark.parametrize("bits", [3, 4])
@pytest.mark.parametrize("neuron", NEURONS, ids=range(len(NEURONS)))
def test_a_neuron_step(engine, product, synapse, bits, neuron) -> None:
    """(1), (2), (3), (4): the new state, and the message by way of the read-out."""
    (ar, ai), (br, bi), (cr, ci), d, (sa, sb, sc, sd) = neuron
    arithmetic = profile(product, synapse, bits)
    top = arithmetic.message_max
    one = np.ones((1, 1), np.int64)
    node = S4D(
        "node",
        *(ar * one, ai * one, br * one, bi * one, cr * one, ci * one),
        d * one[0],
        sa,
        *(sb * one[0], sc * one[0], sd * one[0]),
        Descale(3 * one[0], 2, top * one[0], relu=False),
    )
    model = program(arithmetic, node)
    allowed = reachable(model.ranges[0], bits)
    cases = [(*x, u) for x in allowed for u in between(bits)]
    every = np.array(cases)
    after = outcomes(engine, model, every[:, :2], every[:, 2:])
    got = zip(
        after.x_re["node"].ravel().tolist(),
        after.x_im["node"].ravel().tolist(),
        after.r.ravel().tolist(),
        strict=True,
    )
    a, b, c, s = Fraction(1, 2**sa), Fraction(1, 2**sb), Fraction(1, 2**sc), Fraction(1, 2**sd)
    for (xr, xi, u), found in zip(cases, got, strict=True):
        new_r = rounded(product, [ar * xr * a, -ai * xi * a, br * u * b])
        new_i = rounded(product, [ar * xi * a, ai * xr * a, bi * u * b])
        new_r, new_i = clipped(new_r, -top, top), clipped(new_i, -top, top)
        v = rounded(product, [cr * new_r * c, -ci * new_i * c, d * u * s])
        message = clipped(descaled(synapse, v, 3, 2), -top, top)
        assert found == (new_r, new_i, message), (xr, xi, u)


def reachable(proved: NodeRange, bits: int) -> Iterator[tuple[int, int]]:
    """Every state that the certificate lets in."""
    assert proved.states is not None
    bound = int(proved.states.item())
    free = bound == proved.state_max
    for xr, xi in itertools.product(between(bits), repeat=2):
        if max(abs(xr), abs(xi)) <= bound and (free or xr**2 + xi**2 <= bound**2):
            yield xr, xi


def test_most_neurons_above_reach_every_state() -> None:
    """Else the test of a step would say less than it seems to."""
    unbounded = sum(ar * ar + ai * ai >= 4**sa for (ar, ai), _, _, _, (sa, *_) in NEURONS)
    assert unbounded >= 4


def descaled(synapse: SynapseRounding, v: int, multiplier: int, shift: int) -> int:
    exact = Fraction(v * multiplier, 2**shift)
    return math.floor(exact) if synapse is SynapseRounding.FLOOR else half_up(exact)


@EACH_ENGINE
@EACH_ROUNDING
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("bits", [3, 4])
def test_a_descale(engine, product, synapse, relu, bits) -> None:
    """(4) for every multiplier, every limit, every accumulator a message and a bias can make."""
    arithmetic = profile(product, synapse, bits)
    top = arithmetic.message_max
    channels = np.array(list(itertools.product(range(top + 1), range(top + 1), between(bits))))
    multiplier, limit, bias = channels.T
    for shift in (0, 1, 2, 3):
        descale = Descale(multiplier, shift, limit, relu)
        node = Dense("node", np.full((len(bias), 1), top), bias, descale)
        u = np.array(between(bits))
        sent = engine.trace(program(arithmetic, node), u[:, None, None])["node"][:, 0]
        for message, row in zip(u.tolist(), sent.tolist(), strict=True):
            for (m, most, extra), got in zip(channels.tolist(), row, strict=True):
                exact = descaled(synapse, top * message + extra, m, shift)
                assert got == clipped(exact, 0 if relu else -most, most), (message, m, most, extra)


@EACH_ENGINE
@EACH_ROUNDING
@pytest.mark.parametrize("bits", [3, 4])
def test_a_dense_node(engine, product, synapse, bits) -> None:
    """(5) for every pair of weights, every pair of messages."""
    arithmetic = profile(product, synapse, bits)
    weight = np.array(list(itertools.product(between(bits), repeat=2)))
    bias = np.arange(len(weight)) % 7 - 3
    top = arithmetic.message_max
    ones = np.ones(len(weight), np.int64)
    node = Dense("node", weight, bias, Descale(3 * ones, 3, top * ones, relu=False))
    u = np.array(list(itertools.product(between(bits), repeat=2)))
    sent = engine.trace(program(arithmetic, node), u[:, None])["node"][:, 0]
    for (m, n), row in zip(u.tolist(), sent.tolist(), strict=True):
        for (w, x), extra, got in zip(weight.tolist(), bias.tolist(), row, strict=True):
            exact = descaled(synapse, w * m + x * n + extra, 3, 3)
            assert got == clipped(exact, -top, top), (m, n, w, x)


WRONG: list[tuple[str, Callable[[Fraction], int]]] = [
    (
        "away from zero at a tie",
        lambda v: toward_zero(abs(v) + Fraction(1, 2)) * (1 if v >= 0 else -1),
    ),
    ("to even at a tie", lambda v: round(v)),
    ("toward zero", toward_zero),
    ("up", lambda v: math.ceil(v)),
]


@pytest.mark.parametrize(("name", "wrong"), WRONG)
def test_the_cases_tell_roundings_apart(name, wrong) -> None:
    """Some descale above must differ under each rounding that could be mistaken for these."""
    exact = [Fraction(v * m, 2**s) for v in range(-30, 31) for m in range(8) for s in range(4)]
    assert any(wrong(v) != half_up(v) for v in exact)
    assert any(wrong(v) != math.floor(v) for v in exact)
