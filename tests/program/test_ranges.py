"""The bounds: exact enough for rational arithmetic, never exceeded, nearly reached.

The adversary drives every channel with the input that pushes its one mode outward, step by step,
or with the signs that a whole impulse response asks for.
"""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ns4d.engines.reference import NEURON
from ns4d.numerics import LOIHI2, WIDE, ProductRounding, saturate
from ns4d.program import (
    S4D,
    Descale,
    aligned_reduction_bound,
    aligned_state_bound,
    dense_bound,
    reduction_bound,
    state_bound,
)
from program_strategies import ARITHMETICS

NAMES = [arithmetic.name for arithmetic in ARITHMETICS]
EACH_ARITHMETIC = pytest.mark.parametrize("arithmetic", ARITHMETICS, ids=NAMES)


def random_modes(rng, arithmetic, channels, modes, gain_shift):
    """A node of stable modes; gain_shift makes the input so much weaker."""
    top, shape = arithmetic.coefficient_max, (channels, modes)
    radius, angle = rng.uniform(0.3, 0.99, shape), rng.uniform(-math.pi, math.pi, shape)
    descale = Descale(np.ones(channels, int), 0, np.ones(channels, int), relu=False)
    return S4D(
        "node",
        np.trunc(top * radius * np.cos(angle)).astype(int),
        np.trunc(top * radius * np.sin(angle)).astype(int),
        *(rng.integers(-top, top + 1, shape) for _ in range(4)),
        rng.integers(-top, top + 1, channels),
        arithmetic.coefficient_bits - 1,
        np.full(channels, gain_shift),
        np.full(channels, arithmetic.coefficient_bits - 1),
        np.full(channels, arithmetic.coefficient_bits - 2),
        descale,
    )


def bounds_of(arithmetic, node, limit):
    a, b = (node.a_re, node.a_im), (node.b_re, node.b_im)
    states = state_bound(arithmetic, *a, *b, node.a_shift, node.b_shift, limit)
    out = (node.c_re, node.c_im, node.d, node.c_shift, node.d_shift, limit)
    return states, reduction_bound(arithmetic, states, *out)


def advance(arithmetic, node, x, u):
    update, reduce = NEURON[arithmetic.product_rounding]
    re, im = update(node, *x, u)
    x = saturate(re, arithmetic.state_bits), saturate(im, arithmetic.state_bits)
    return x, reduce(node, *x, u)


def pushed_outward(arithmetic, node, limit, steps=100):
    """Largest components, moduli and reductions under the greedy adversary."""
    x = (np.zeros((1, *node.a_re.shape), np.int64),) * 2
    most_x, most_v = np.zeros(node.a_re.shape), np.zeros(node.inputs)
    modulus = np.zeros(node.a_re.shape)
    for _ in range(steps):
        tried = [advance(arithmetic, node, x, u[None]) for u in (limit, -limit, 0 * limit)]
        reach = np.stack([np.hypot(*after).max(axis=(0, 2)) for after, _ in tried])
        best = reach.argmax(axis=0)
        u = np.choose(best, [limit, -limit, 0 * limit])
        x, v = advance(arithmetic, node, x, u[None])
        most_x = np.maximum(most_x, np.maximum(*np.abs(x))[0])
        modulus = np.maximum(modulus, np.hypot(*x)[0])
        most_v = np.maximum(most_v, np.abs(v[0]))
    return most_x, modulus, most_v


@EACH_ARITHMETIC
@pytest.mark.parametrize("gain_shift", [0, 10, 20])
def test_no_input_exceeds_the_bounds(arithmetic, gain_shift):
    rng = np.random.default_rng(gain_shift)
    for modes in (1, 3):
        node = random_modes(rng, arithmetic, 20, modes, gain_shift)
        limit = rng.integers(1, arithmetic.message_max + 1, 20)
        states, reductions = bounds_of(arithmetic, node, limit)
        most_x, modulus, most_v = pushed_outward(arithmetic, node, limit)
        assert (most_x <= states).all()
        unsaturated = states < arithmetic.state_max
        assert (modulus[unsaturated] <= states[unsaturated]).all()
        assert (most_v <= reductions).all()


@EACH_ARITHMETIC
def test_no_input_exceeds_the_bounds_where_rounding_is_all_there_is(arithmetic):
    # Slow modes, inputs of one unit: the rounding term is larger than the drive.
    rng = np.random.default_rng(9)
    node = random_modes(rng, arithmetic, 40, 1, gain_shift=2)
    slow = np.trunc(
        arithmetic.coefficient_max
        * 0.98
        * np.exp(1j * rng.uniform(0, 2 * math.pi, (40, 1))).view(np.float64).reshape(40, 1, 2)
    ).astype(int)
    node = replace(
        node,
        a_re=slow[..., 0],
        a_im=slow[..., 1],
        b_re=rng.integers(-4, 5, (40, 1)),
        b_im=rng.integers(-4, 5, (40, 1)),
    )
    limit = np.ones(40, int)
    states, reductions = bounds_of(arithmetic, node, limit)
    most_x, modulus, most_v = pushed_outward(arithmetic, node, limit, steps=400)
    assert (most_x <= states).all()
    assert (modulus <= states).all()
    assert (most_v <= reductions).all()


@EACH_ARITHMETIC
def test_inputs_of_matching_signs_come_within_a_factor_of_the_bound(arithmetic):
    # The factor: a component sees at least half of Σ|a|^l, for modes that turn by π/2 per step.
    rng = np.random.default_rng(4)
    wide = replace(arithmetic, state_bits=32, name="no-saturation")
    gain_shift = 0 if arithmetic.coefficient_bits < 10 else 6
    node = random_modes(rng, wide, 50, 1, gain_shift)
    limit = np.full(50, wide.message_max)
    states, _ = bounds_of(wide, node, limit)
    steps = 400
    a = (node.a_re + 1j * node.a_im)[:, 0] / 2**node.a_shift
    b = (node.b_re + 1j * node.b_im)[:, 0]
    response = b * a ** np.arange(steps - 1, -1, -1)[:, None]
    reached = np.zeros(50)
    for part in (response.real, response.imag):
        x = (np.zeros((1, 50, 1), np.int64),) * 2
        for u in np.where(part >= 0, limit, -limit):
            x, _ = advance(wide, node, x, u[None])
        reached = np.maximum(reached, np.maximum(*np.abs(x))[0, :, 0])
    assert (states < wide.state_max).all()
    assert (reached >= 0.45 * states[:, 0]).all()
    assert (reached <= states[:, 0]).all()


@pytest.mark.parametrize("arithmetic", [LOIHI2, WIDE], ids=["loihi2", "wide"])
def test_a_real_positive_mode_reaches_its_bounds(arithmetic):
    one = np.ones((1, 1), int)
    a = one * (arithmetic.coefficient_max // 2)
    states = state_bound(arithmetic, a, 0 * a, 256 * one, 0 * one, 15, one[0] * 0, one[0] * 1000)
    node = random_modes(np.random.default_rng(0), arithmetic, 1, 1, 0)
    node = replace(node, a_re=a, a_im=0 * a, b_re=256 * one, b_im=0 * one, d=one[0])
    most_x, _, most_v = pushed_outward(arithmetic, node, np.array([1000]))
    _, reduction = bounds_of(arithmetic, node, np.array([1000]))
    assert 0.9999 * states <= most_x <= states
    assert 0.5 * reduction <= most_v <= reduction


@settings(max_examples=60)
@given(data=st.data())
def test_the_state_bound_is_exact(data):
    """The smallest integer B with B · (1 - |a|) >= |b|·u + ε, to within 2^-20."""
    arithmetic = data.draw(st.sampled_from(ARITHMETICS))
    top = arithmetic.coefficient_max
    numbers = st.integers(-top, top)
    ar, ai, br, bi = (data.draw(numbers) for _ in range(4))
    a_shift, b_shift = data.draw(st.integers(0, 40)), data.draw(st.integers(0, 40))
    u = data.draw(st.integers(0, arithmetic.message_max))
    got = state_bound(
        arithmetic,
        *(np.array([[k]]) for k in (ar, ai, br, bi)),
        a_shift,
        np.array([b_shift]),
        np.array([u]),
    )[0, 0]
    with localcontext(prec=80):
        a = Decimal(ar * ar + ai * ai).sqrt() / 2**a_shift
        drive = Decimal(br * br + bi * bi).sqrt() / 2**b_shift * u
        each = arithmetic.product_rounding is ProductRounding.EACH_TOWARD_ZERO
        epsilon = Decimal(8).sqrt() if each else Decimal("0.5").sqrt()
        if drive == 0:
            assert got == 0
        elif a >= 1:
            assert got == arithmetic.state_max
        else:
            exact = (drive + epsilon) / (1 - a)
            assert got >= min(exact, arithmetic.state_max)
            assert got <= exact * (1 + Decimal(2) ** -12) + 1


def test_an_unstable_mode_has_the_state_width():
    one = np.ones((1, 1), int)
    for a in (2**15, 2**15 + 1):
        got = state_bound(LOIHI2, a * one, 0 * one, one, one, 15, one[0], one[0])
        assert got == LOIHI2.state_max
    just_stable = state_bound(LOIHI2, 32767 * one, 0 * one, one, 0 * one, 15, 0 * one[0], one[0])
    assert just_stable == math.ceil((1 + math.sqrt(8)) * 2**15)


def test_without_input_there_is_no_state():
    one = np.ones((1, 1), int)
    a = (32767 * one, one)
    assert state_bound(WIDE, *a, one, one, 15, one[0], 0 * one[0]) == 0
    assert state_bound(WIDE, *a, 0 * one, 0 * one, 15, one[0], one[0]) == 0


def test_dense_bound_is_reached_by_matching_signs():
    rng = np.random.default_rng(0)
    weight, bias = rng.integers(-127, 128, (5, 9)), rng.integers(-999, 1000, 5)
    limit = rng.integers(0, 2048, 9)
    bound = dense_bound(weight, bias, limit)
    for o in range(5):
        sign = 1 if bias[o] >= 0 else -1
        assert abs(weight[o] @ (sign * np.sign(weight[o]) * limit) + bias[o]) == bound[o]


def test_a_state_that_may_saturate_is_bounded_by_its_components():
    one = np.ones((1, 1), int)
    state = np.array([[LOIHI2.state_max]])
    out = (30000 * one, 30000 * one, 0 * one[0], one[0] * 16, one[0], one[0])
    assert reduction_bound(LOIHI2, state, *out) == 60000 * LOIHI2.state_max >> 16
    below = reduction_bound(LOIHI2, state - 1, *out)
    assert below == int(math.hypot(30000, 30000) * (LOIHI2.state_max - 1) / 2**16)


def test_a_reduction_too_large_for_int64_is_still_a_number():
    ones = np.ones((1, 4096), int)
    state = ones * WIDE.state_max
    limit = np.array([1])
    out = (32767 * ones, 32767 * ones, limit, 0 * limit, 62 * limit, limit)
    assert reduction_bound(WIDE, state, *out) == 32767 * 2 * 4096 * WIDE.state_max
    assert aligned_reduction_bound(state, *out) == 2**63 - 1


@settings(max_examples=40)
@given(data=st.data())
def test_aligned_bounds_cover_the_sums(data):
    """Bound of the sum that SUM_HALF_UP shifts, against Python integers at the worst signs."""
    top = WIDE.coefficient_max
    ar, ai, br, bi, d = (data.draw(st.integers(-top, top)) for _ in range(5))
    x, u = data.draw(st.integers(0, WIDE.state_max)), data.draw(st.integers(0, WIDE.message_max))
    s, t = data.draw(st.integers(0, 62)), data.draw(st.integers(0, 62))
    high = max(s, t)
    array = [np.array([[k]]) for k in (ar, ai, br, bi)]
    got = aligned_state_bound(np.array([[x]]), *array, s, np.array([t]), np.array([u]))
    recur, drive = (abs(ar) + abs(ai)) * x, max(abs(br), abs(bi)) * u
    assert got == min((recur << (high - s)) + (drive << (high - t)), 2**63 - 1)
    shifts = np.array([s]), np.array([t])
    got = aligned_reduction_bound(
        np.array([[x]]), *array[:2], np.array([d]), *shifts, np.array([u])
    )
    assert got == min((recur << (high - s)) + ((abs(d) * u) << (high - t)), 2**63 - 1)
