"""The certificate under attack: inputs made to drive states, reductions, sums as far as they go.

A mode seen at an angle θ is a filter of impulse response Re(e^{-iθ}·b·a^k). It becomes largest
now if the input k tokens ago had its sign: u = limit · sign(Re(e^{-iθ}·b·a^k)). θ = 0 drives the
real part, π/2 the imaginary part, all angles together the modulus; the kernel drives v.

This reaches Σ|a|^k·|cos φ_k| / Σ|a|^k of (7), φ_k the phase of the response. Where φ goes round the
circle before |a|^k fades, |cos| averages 2/π = 0.637. A real mode has |cos| = 1 and reaches all.
A mode that turns by a quarter per step sees 1, 0, 1, 0 … or 1/√2 throughout. FACTOR leaves room for
the rounding term, which the bound takes at its worst, and for angles between those tried.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest

import ns4d
from ns4d.engines.reference import NEURON
from ns4d.numerics import LOIHI2, PROFILES, Arithmetic, saturate
from ns4d.program import S4D, Dense, Program, dense_bound
from program_strategies import random_program

ANGLES = (0, math.pi / 4, math.pi / 2, 3 * math.pi / 4)
FACTOR = 0.6
STEPS_MAX = 20_000


@dataclass(frozen=True)
class Attack:
    """The most that was reached, as fractions of what is proved; NaN where nothing can move.

    Args:
        modulus: (h, n) of states that are proved not to saturate.
        component: (h, n) of all states.
        reduction: (h,).
    """

    modulus: np.ndarray
    component: np.ndarray
    reduction: np.ndarray


def values(node: S4D) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """a, b, 2c, d as real and complex numbers."""
    return (
        (node.a_re + 1j * node.a_im) / 2.0**node.a_shift,
        (node.b_re + 1j * node.b_im) / 2.0 ** node.b_shift[:, None],
        (node.c_re + 1j * node.c_im) / 2.0 ** node.c_shift[:, None],
        node.d / 2.0**node.d_shift,
    )


def steps_until_quiet(node: S4D) -> int:
    """How long until every impulse response has died out, to a thousandth."""
    slowest = np.abs(values(node)[0]).max()
    return min(math.ceil(math.log(1e-3) / math.log(slowest)) + 1, STEPS_MAX)


def matched_inputs(node: S4D, limit: np.ndarray, steps: int) -> np.ndarray:
    """(l, b, h): one stream per mode and angle, then one for the kernel; the last token is now."""
    a, b, c, d = values(node)
    with np.errstate(under="ignore"):
        response = b * a ** np.arange(steps)[:, None, None]
    turned = [(np.exp(-1j * angle) * response).real for angle in ANGLES]
    kernel = (c * response).sum(axis=2).real
    kernel[0] += d
    # (angle, l, h, n) -> (l, angle · n, h)
    modes = np.moveaxis(np.array(turned), (1, 3), (0, 2)).reshape(steps, -1, node.inputs)
    streams = np.concatenate([modes, kernel[:, None]], axis=1)
    return np.where(streams >= 0, limit, -limit)[::-1]


def attack(program: Program, name: str, steps: int | None = None) -> Attack:
    """Run the matched inputs through one S4D node, on the reference's own equations."""
    (k,) = (k for k, node in enumerate(program.nodes) if node.name == name)
    node, proved = program.nodes[k], program.ranges[k]
    assert isinstance(node, S4D)
    assert proved.states is not None
    top = program.arithmetic.message_max
    limit = program.nodes[k - 1].descale.limit if k else np.full(program.inputs, top)
    u = matched_inputs(node, limit, steps or steps_until_quiet(node))
    zero = np.zeros((u.shape[1], *node.a_re.shape), np.int64)
    x = zero, zero
    update, reduce = NEURON[program.arithmetic.product_rounding]
    most = np.zeros(node.a_re.shape), np.zeros(node.a_re.shape), np.zeros(node.inputs)
    for token in u:
        re, im = update(node, x[0], x[1], token)
        bits = program.arithmetic.state_bits
        x = saturate(re, bits), saturate(im, bits)
        v = reduce(node, x[0], x[1], token)
        seen = np.hypot(*x).max(0), np.maximum(*np.abs(x)).max(0), np.abs(v).max(0)
        for far, now in zip(most, seen, strict=True):
            np.maximum(far, now, out=far)
    with np.errstate(invalid="ignore"):
        modulus = np.where(proved.states < proved.state_max, most[0] / proved.states, np.nan)
        return Attack(modulus, most[1] / proved.states, most[2] / proved.accumulator)


def single(arithmetic: Arithmetic, seed: int, modes: int = 4) -> Program:
    """One layer of few modes of generated coefficients."""
    rng = np.random.default_rng(seed)
    return random_program(rng, arithmetic, channels=6, modes=modes, layers=1)


@pytest.mark.parametrize("arithmetic", PROFILES.values(), ids=PROFILES)
@pytest.mark.parametrize("seed", [0, 1])
def test_states_come_within_the_factor_and_never_above(arithmetic: Arithmetic, seed: int) -> None:
    reached = attack(single(arithmetic, seed), "layer0.ssm")
    assert np.isfinite(reached.modulus).all(), "no state of these saturates"
    assert (reached.modulus >= FACTOR).all(), reached.modulus.min()
    assert (reached.modulus <= 1).all(), reached.modulus.max()
    # A mode that turns by a quarter per step gives a component half.
    assert (reached.component >= 0.5).all()
    assert (reached.component <= 1).all()


@pytest.mark.parametrize("arithmetic", PROFILES.values(), ids=PROFILES)
def test_reductions_come_within_a_factor_and_never_above(arithmetic: Arithmetic) -> None:
    # (8) adds the worst cases of the modes, which cannot all be at their worst at once.
    for modes, factor in ((1, 0.55), (4, 0.15), (8, 0.2)):
        reached = attack(single(arithmetic, 5, modes), "layer0.ssm").reduction
        assert (reached >= factor).all(), (modes, reached.min())
        assert (reached <= 1).all()


@pytest.mark.parametrize("arithmetic", PROFILES.values(), ids=PROFILES)
def test_real_modes_reach_all_of_it(arithmetic: Arithmetic) -> None:
    program = single(arithmetic, 0, 1)
    top = arithmetic.coefficient_max
    a_re = np.array([[top // 2], [top * 3 // 4], [-(top * 7 // 8)]])
    given = program.nodes[1]
    assert isinstance(given, S4D)
    real = {"a_re": np.tile(a_re, (2, 1)), "a_im": 0 * given.a_im, "b_im": 0 * given.b_im}
    parts = {**vars(given), **real, "b_shift": given.b_shift + 4}
    program = Program(
        arithmetic,
        program.input,
        (program.nodes[0], S4D(**parts), *program.nodes[2:]),
        program.readout,
        program.metadata,
    )
    reached = attack(program, "layer0.ssm")
    assert (reached.modulus >= 0.99).all(), reached.modulus
    assert (reached.modulus <= 1).all()


@pytest.mark.parametrize("arithmetic", PROFILES.values(), ids=PROFILES)
def test_saturating_states_stay_inside_their_width(arithmetic: Arithmetic) -> None:
    rng = np.random.default_rng(2)
    program = random_program(rng, arithmetic, channels=4, modes=3, layers=1, saturating=True)
    reached = attack(program, "layer0.ssm")
    assert np.nanmax(reached.component) <= 1
    assert np.nanmax(reached.reduction) <= 1
    if program.ranges[1].may_saturate:
        assert np.nanmax(reached.component) == 1, "the width itself is reached"


@pytest.mark.parametrize("arithmetic", PROFILES.values(), ids=PROFILES)
def test_dense_accumulators_are_reached_exactly(arithmetic: Arithmetic) -> None:
    program = single(arithmetic, 7)
    limit = np.full(program.inputs, arithmetic.message_max)
    for node, proved in zip(program.nodes, program.ranges, strict=False):
        if isinstance(node, Dense):
            assert (dense_bound(node.weight, node.bias, limit) == proved.accumulator).all()
            sign = np.where(node.bias >= 0, 1, -1)
            u = sign[:, None] * np.sign(node.weight) * limit
            v = (node.weight * u).sum(axis=1) + node.bias
            assert (np.abs(v) == proved.accumulator).all()
        limit = node.descale.limit


def test_a_real_program_never_goes_above(repository) -> None:
    program = ns4d.load(repository / "benchmarks/results/digits/loihi2.ns4d")
    assert program.arithmetic == LOIHI2
    steps, node = 400, program.nodes[1]
    assert isinstance(node, S4D)
    reached = attack(program, "layer0.s4d", steps)
    assert np.nanmax(reached.modulus) <= 1
    assert np.nanmax(reached.component) == 1, "it saturates on purpose"
    assert np.nanmax(reached.reduction) <= 1
    # Slower modes would need longer inputs.
    quiet = np.isfinite(reached.modulus) & (np.abs(values(node)[0]) ** steps < 1e-3)
    assert quiet.sum() > 100
    assert (reached.modulus[quiet] >= FACTOR).all()
