"""Shrinking: what fits stays, what does not is made to fit, by no more than it needs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from ns4d.numerics import LOIHI2, WIDE, Arithmetic
from ns4d.program.ranges import dense_bound, reduction_bound, state_bound
from ns4d.quantize import fit
from ns4d.quantize.fit import fit_dense, fit_output

TIGHT = replace(LOIHI2, name="tight", accumulator_bits=16)
arithmetics = st.sampled_from([LOIHI2, WIDE, TIGHT])


class Case:
    """A random neuron, anywhere from harmless to far too large."""

    def __init__(self, seed: int, arithmetic: Arithmetic) -> None:
        rng = np.random.default_rng(seed)
        h, n, top = 4, 3, arithmetic.coefficient_max
        radius = 1 - 2.0 ** -rng.uniform(1, 31, (h, n))
        angle = rng.uniform(-np.pi, np.pi, (h, n))
        a = [np.trunc(2**15 * radius * f(angle)).astype(np.int64) for f in (np.cos, np.sin)]
        b = [rng.integers(-top, top + 1, (h, n)) for _ in range(2)]
        self.parts = (*a, *b)
        self.shifts = (15, *(rng.integers(0, 16, h) for _ in range(3)))
        self.c = rng.integers(-top, top + 1, (h, n, 2)) >> int(rng.integers(0, 15))
        self.d = rng.integers(-top, top + 1, h)
        self.limit = rng.integers(0, arithmetic.message_max + 1, h)
        self.arithmetic = arithmetic

    def bound(self, c: np.ndarray, d: np.ndarray) -> np.ndarray:
        a_shift, b_shift, c_shift, d_shift = self.shifts
        states = state_bound(self.arithmetic, *self.parts, a_shift, b_shift, self.limit)
        return reduction_bound(
            self.arithmetic, states, c[..., 0], c[..., 1], d, c_shift, d_shift, self.limit
        )

    def fitted(self) -> tuple[np.ndarray, np.ndarray]:
        return fit_output(self.parts, self.shifts, self.c, self.d, self.limit, self.arithmetic)


@given(st.integers(0, 2**32 - 1), arithmetics)
def test_a_fitted_neuron_is_proved(seed: int, arithmetic: Arithmetic) -> None:
    case = Case(seed, arithmetic)
    c, d = case.fitted()
    assert (case.bound(c, d) <= arithmetic.accumulator_max).all()
    fits = case.bound(case.c, case.d) <= arithmetic.accumulator_max
    assert (c[fits] == case.c[fits]).all()
    assert (d[fits] == case.d[fits]).all()
    assert (np.abs(c) <= np.abs(case.c)).all()
    assert (c * case.c >= 0).all()


@given(st.integers(0, 2**32 - 1), arithmetics)
def test_the_estimate_is_never_below_the_exact_bound(seed: int, arithmetic: Arithmetic) -> None:
    case = Case(seed, arithmetic)
    exact = case.bound(case.c, case.d)
    assume((exact < 2**62).all())
    estimate = fit._estimate(case.parts, case.shifts, case.c, case.d, case.limit, case.arithmetic)
    assert (estimate >= exact).all()


def test_the_estimate_is_near_enough_to_settle_most_channels() -> None:
    cases = [Case(seed, LOIHI2) for seed in range(200)]
    ratio = np.concatenate(
        [
            fit._estimate(k.parts, k.shifts, k.c, k.d, k.limit, LOIHI2)
            / np.maximum(k.bound(k.c, k.d), 1000)
            for k in cases
        ]
    )
    assert np.median(ratio) < 1.01


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
