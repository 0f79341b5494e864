"""Shrinking: what fits stays, what does not is made to fit, by no more than it needs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from ns4d.numerics import LOIHI2, WIDE, Arithmetic
from ns4d.program.ranges import dense_bound
from ns4d.quantize.coefficients import Coefficients
from ns4d.quantize.fit import fit_dense, fit_output, upper_estimate

TIGHT = replace(LOIHI2, name="tight", accumulator_bits=16)
arithmetics = st.sampled_from([LOIHI2, WIDE, TIGHT])


def random_neuron(seed: int, arithmetic: Arithmetic) -> tuple[Coefficients, np.ndarray]:
    """A neuron anywhere from harmless to far too large, and the limit of its messages."""
    rng = np.random.default_rng(seed)
    h, n, top = 4, 3, arithmetic.coefficient_max
    radius = 1 - 2.0 ** -rng.uniform(1, 31, (h, n))
    angle = rng.uniform(-np.pi, np.pi, (h, n))
    a = np.stack([2**15 * radius * f(angle) for f in (np.cos, np.sin)], -1)
    b, c = (rng.integers(-top, top + 1, (h, n, 2)) for _ in range(2))
    neuron = Coefficients(
        np.trunc(a).astype(np.int64),
        b,
        c >> int(rng.integers(0, 15)),
        rng.integers(-top, top + 1, h),
        15,
        *(rng.integers(0, 16, h) for _ in range(3)),
    )
    return neuron, rng.integers(0, arithmetic.message_max + 1, h)


def exact_bound(neuron: Coefficients, limit: np.ndarray, arithmetic: Arithmetic) -> np.ndarray:
    return neuron.reduction(arithmetic, neuron.states(arithmetic, limit), limit)


@given(st.integers(0, 2**32 - 1), arithmetics)
def test_a_fitted_neuron_is_proved(seed: int, arithmetic: Arithmetic) -> None:
    neuron, limit = random_neuron(seed, arithmetic)
    fitted = fit_output(neuron, limit, arithmetic)
    assert (exact_bound(fitted, limit, arithmetic) <= arithmetic.accumulator_max).all()
    fits = exact_bound(neuron, limit, arithmetic) <= arithmetic.accumulator_max
    for old, new in ((neuron.c, fitted.c), (neuron.d, fitted.d)):
        assert (new[fits] == old[fits]).all()
        assert (np.abs(new) <= np.abs(old)).all()
        assert (new * old >= 0).all()


@given(st.integers(0, 2**32 - 1), arithmetics)
def test_the_estimate_is_never_below_the_exact_bound(seed: int, arithmetic: Arithmetic) -> None:
    neuron, limit = random_neuron(seed, arithmetic)
    exact = exact_bound(neuron, limit, arithmetic)
    assume((exact < 2**62).all())
    assert (upper_estimate(neuron, limit, arithmetic) >= exact).all()


def test_the_estimate_is_near_enough_to_settle_most_channels() -> None:
    ratios = []
    for seed in range(200):
        neuron, limit = random_neuron(seed, LOIHI2)
        exact = exact_bound(neuron, limit, LOIHI2)
        ratios.append(upper_estimate(neuron, limit, LOIHI2) / np.maximum(exact, 1000))
    assert np.median(ratios) < 1.01


@given(st.integers(0, 2**32 - 1), st.sampled_from([6, 10, 16, 24]))
def test_a_fitted_row_is_proved_and_the_others_are_untouched(seed: int, bits: int) -> None:
    arithmetic = replace(LOIHI2, name="other", accumulator_bits=bits)
    rng = np.random.default_rng(seed)
    weight = rng.integers(-127, 128, (5, 6)) >> rng.integers(0, 8, (5, 1))
    limit = rng.integers(0, 2048, 6) >> int(rng.integers(0, 12))
    bias = rng.integers(-(2**20), 2**20, 5) >> rng.integers(0, 20, 5)
    fitted, offset = fit_dense(weight, bias, limit, arithmetic)
    bound = dense_bound(weight, bias, limit)
    after = dense_bound(fitted, offset, limit)
    fits = bound <= arithmetic.accumulator_max
    assert (fitted[fits] == weight[fits]).all()
    assert (after <= arithmetic.accumulator_max).all()
    # Rounding toward zero costs less than one unit of each weight, and one of the bias.
    assert (after[~fits] >= arithmetic.accumulator_max - limit.sum() - 2).all()
