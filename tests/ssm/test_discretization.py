"""From continuous to discrete time: exactness, order, precision, stability, sampling rate."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import expm
from torch import Tensor

from ns4d.ssm import DiscreteSSM, convolve, discretize_bilinear, discretize_zoh, kernel
from ssm_strategies import (
    METHODS,
    continuous_models,
    few,
    modes,
    normal,
    random_continuous,
    real_blocks,
    real_readout,
    real_vector,
    seeds,
)


def respond_to(ssm: DiscreteSSM, u: Tensor) -> Tensor:
    """The output from the zero state."""
    return convolve(u, kernel(ssm, u.shape[-1]))


def solve_exactly(a: np.ndarray, b: np.ndarray, c: np.ndarray, held: np.ndarray, step: float):
    """Equation (1) for an input held constant between samples, by a matrix exponential.

    With u as one more state whose derivative is 0, x' = Ax + Bu has the closed solution
    exp(Δ [[A, B], [0, 0]]).
    """
    size = 2 * len(a)
    system = np.zeros((size + 1, size + 1))
    system[:size, :size], system[:size, size] = real_blocks(a), real_vector(b)
    flow, x, outputs = expm(step * system), np.zeros(size), []
    for u in held:
        x = (flow @ np.append(x, u))[:size]
        outputs.append(real_readout(c) @ x)
    return np.array(outputs)


@few
@given(modes, seeds, st.lists(st.floats(-2, 2), min_size=1, max_size=20))
def test_zoh_is_exact_for_an_input_constant_within_each_step(n, seed, held):
    a, b, c, step = random_continuous(1, n, seed)
    y = respond_to(discretize_zoh(a, b, c, step), torch.tensor([[held]], dtype=torch.float64))
    exact = solve_exactly(*(v[0].numpy() for v in (a, b, c)), np.array(held), float(step[0]))
    np.testing.assert_allclose(y[0, 0], exact, rtol=0, atol=1e-11)


@few
@given(continuous_models(), st.integers(1, 60))
def test_zoh_is_exact_for_a_constant_input(model, length):
    """x(t) = (e^At - 1) B / A at every sample."""
    a, b, c, step = model
    time = step[:, None, None] * torch.arange(1, length + 1)
    exact = 2 * (c * b / a)[..., None].mul(torch.exp(a[..., None] * time) - 1).sum(1).real
    y = respond_to(discretize_zoh(*model), torch.ones(1, len(a), length, dtype=torch.float64))
    torch.testing.assert_close(y[0], exact, rtol=0, atol=1e-11)


@few
@given(continuous_models())
def test_bilinear_is_the_trapezoidal_rule(model):
    """(1 - ΔA/2) x[k] = (1 + ΔA/2) x[k-1] + ΔB u[k], in real matrices."""
    ssm = discretize_bilinear(*model)
    for h, step in enumerate(model[3].tolist()):
        a, b = real_blocks(model[0][h].numpy()), real_vector(model[1][h].numpy())
        one = np.eye(len(a))
        a_bar = np.linalg.solve(one - step * a / 2, one + step * a / 2)
        b_bar = np.linalg.solve(one - step * a / 2, step * b)
        np.testing.assert_allclose(real_blocks(ssm.a_bar[h].numpy()), a_bar, atol=1e-13)
        np.testing.assert_allclose(real_vector(ssm.b_bar[h].numpy()), b_bar, atol=1e-13)


@pytest.mark.parametrize("method", METHODS)
@few
@given(model=continuous_models())
def test_the_output_vector_is_untouched(method, model):
    assert torch.equal(method(*model).c, model[2])


def difference(model, step: Tensor) -> Tensor:
    """How far apart the two methods are at a step: Ā and B̄, per mode."""
    zoh, bilinear = (method(*model[:3], step) for method in METHODS)
    return torch.stack([zoh.a_bar - bilinear.a_bar, zoh.b_bar - bilinear.b_bar]).abs()


@few
@given(continuous_models())
def test_the_methods_agree_to_third_order_in_one_step(model):
    """Half the step, an eighth of the difference."""
    step = torch.full_like(model[3], 2.0**-10)
    ratio = difference(model, step) / difference(model, step / 2)
    torch.testing.assert_close(ratio, torch.full_like(ratio, 8), rtol=0.03, atol=0)


@few
@given(continuous_models())
def test_the_methods_agree_to_second_order_at_a_fixed_time(model):
    """Half the step, a quarter of the difference of the outputs after the same half second."""
    errors = []
    for steps in (256, 512):
        step, u = torch.full_like(model[3], 0.5 / steps), normal(1, len(model[0]), 32, seed=0)
        held = u.repeat_interleave(steps // 32, -1)
        zoh, bilinear = (respond_to(method(*model[:3], step), held) for method in METHODS)
        errors.append((zoh - bilinear)[..., steps // 32 - 1 :: steps // 32].norm())
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.05)


@pytest.mark.parametrize("delta_a", [5e-4, 1e-5, 1e-7])
@few
@given(angle=st.floats(np.pi / 2, np.pi))
def test_zoh_keeps_full_float32_precision_at_tiny_steps(delta_a, angle):
    """`exp(ΔA) - 1` would be wrong by 5.8e-5 at ΔA = 5e-4, and by more below."""
    a = torch.tensor([[np.exp(1j * angle)]], dtype=torch.complex64)
    one, step = torch.ones_like(a), torch.tensor([delta_a], dtype=torch.float32)
    b_bar = discretize_zoh(a, one, one, step).b_bar.item()
    z = complex(a.item()) * step.item()
    exact = step.item() * sum(z**k / float(np.prod(np.arange(1.0, k + 2))) for k in range(6))
    assert abs(b_bar - exact) < 1e-6 * abs(exact)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@few
@given(
    log_decay=st.floats(-10, 10),
    frequency=st.floats(-1e6, 1e6),
    log_step=st.floats(-10, 3),
)
def test_a_mode_that_decays_stays_inside_the_unit_disc(
    method, dtype, log_decay, frequency, log_step
):
    decay, step = (torch.tensor([[v]], dtype=dtype).exp() for v in (log_decay, log_step))
    a = torch.complex(-decay, torch.tensor([[frequency]], dtype=dtype))
    ssm = method(a, torch.ones_like(a), torch.ones_like(a), step[0])
    rounding = 4 * torch.finfo(dtype).eps
    assert ssm.a_bar.abs().item() <= 1 + rounding
    assert torch.isfinite(torch.view_as_real(ssm.b_bar)).all()


@pytest.mark.parametrize("method", METHODS)
@few
@given(model=continuous_models(), rate=st.floats(0.1, 10))
def test_the_rate_is_a_factor_on_the_step(method, model, rate):
    changed, expected = method(*model, rate), method(*model[:3], rate * model[3])
    assert torch.equal(changed.a_bar, expected.a_bar)
    assert torch.equal(changed.b_bar, expected.b_bar)
    assert not torch.equal(method(*model).a_bar, changed.a_bar) or rate == 1


@few
@given(continuous_models(), st.integers(1, 20), st.integers(1, 4), seeds)
def test_every_rate_th_sample_at_that_rate_gives_the_same_outputs(model, length, rate, seed):
    """ZOH, an input held over `rate` samples: y'[j] = y[rate·j + rate - 1].

    The outputs are those at the end of the hold: Ā^r is e^(rΔA), and (1 + Ā + … + Ā^(r-1)) B̄
    is the B̄ of the longer step.
    """
    sparse = normal(2, len(model[0]), length, seed=seed)
    dense = sparse.repeat_interleave(rate, -1)
    expected = respond_to(discretize_zoh(*model), dense)[..., rate - 1 :: rate]
    y = respond_to(discretize_zoh(*model, float(rate)), sparse)
    torch.testing.assert_close(y, expected, rtol=0, atol=1e-11)
