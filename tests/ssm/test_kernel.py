"""The kernel is the textbook's Vandermonde sum, its gradient included, without its memory."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ns4d.ssm import DiscreteSSM, advance, discretize_zoh, kernel, legs_spectrum, powers
from ssm_strategies import (
    METHODS,
    discrete_models,
    few,
    lengths,
    normal,
    random_continuous,
    random_discrete,
    textbook_kernel,
)


@pytest.mark.parametrize("length", [*range(1, 71), 784])
def test_the_kernel_is_the_vandermonde_sum(length):
    """Every remainder of the length by its blocks of about √l powers."""
    ssm = random_discrete(3, 5, seed=length)
    k = kernel(ssm, length)
    assert k.shape == (3, length)
    torch.testing.assert_close(k, textbook_kernel(ssm, length), rtol=0, atol=1e-11)


@few
@given(discrete_models(), lengths)
def test_the_kernel_is_the_impulse_response(ssm, length):
    x, outputs = torch.zeros_like(ssm.a_bar)[None], []
    for step in range(length):
        x, y = advance(ssm, x, torch.full((1, len(ssm.a_bar)), float(step == 0)).double())
        outputs.append(y[0])
    torch.testing.assert_close(kernel(ssm, length), torch.stack(outputs, -1), rtol=0, atol=1e-12)


@few
@given(discrete_models(), lengths, lengths)
def test_a_longer_kernel_only_adds_lags(ssm, short, more):
    """Only to rounding: the length decides in which order the powers are multiplied."""
    longer = kernel(ssm, short + more)[:, :short]
    torch.testing.assert_close(kernel(ssm, short), longer, rtol=0, atol=1e-12)


@few
@given(discrete_models(), st.integers(0, 70))
def test_powers_are_powers(ssm, count):
    table = powers(ssm.a_bar, count)
    expected = ssm.a_bar.numpy()[..., None] ** np.arange(count)
    assert table.shape == (*ssm.a_bar.shape, count)
    np.testing.assert_allclose(table.numpy(), expected, rtol=1e-12, atol=1e-300)


def test_powers_of_zero_begin_with_one():
    zero = torch.zeros(1, 1, dtype=torch.complex128)
    assert torch.equal(powers(zero, 4)[0, 0].real, torch.tensor([1.0, 0, 0, 0]).double())


def gradients(build, ssm: DiscreteSSM, length: int, weights: Tensor) -> tuple[Tensor, ...]:
    """Of a weighted sum of the kernel, with respect to Ā, B̄ and C."""
    leaves = [getattr(ssm, f.name).clone().requires_grad_() for f in dataclasses.fields(ssm)]
    total = (build(DiscreteSSM(*leaves), length) * weights).sum()
    return torch.autograd.grad(total, leaves, materialize_grads=True)


@few
@given(discrete_models(), lengths)
def test_the_gradient_is_that_of_the_vandermonde_sum(ssm, length):
    weights = normal(len(ssm.a_bar), length, seed=length)
    fast, plain = (gradients(f, ssm, length, weights) for f in (kernel, textbook_kernel))
    torch.testing.assert_close(fast, plain, rtol=1e-10, atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("length", [1, 2, 7])
def test_the_gradient_of_the_continuous_parameters_is_right(method, length):
    """Against finite differences, through either discretization."""
    model = tuple(v.requires_grad_() for v in random_continuous(2, 2, seed=length))
    assert torch.autograd.gradcheck(lambda *parts: kernel(method(*parts), length), model)


def test_the_gradient_holds_no_tensor_of_modes_by_time():
    """What is kept for the backward pass of h × l outputs is far below h × n × l numbers."""
    h, n, length, kept = 2, 16, 1024, []
    ssm = random_discrete(h, n, seed=0)
    leaves = DiscreteSSM(*(v.clone().requires_grad_() for v in (ssm.a_bar, ssm.b_bar, ssm.c)))

    def remember(saved: Tensor) -> Tensor:
        kept.append(saved.numel())
        return saved

    with torch.autograd.graph.saved_tensors_hooks(remember, lambda saved: saved):
        kernel(leaves, length)
    assert 0 < sum(kept) < h * n * length / 2


def test_float32_suffices_for_long_kernels():
    """The paper's modes over 784 steps: about √l roundings a power, not l."""
    a = legs_spectrum(32).expand(4, -1)
    b, c = (normal(4, 32, seed=k, dtype=torch.complex128) for k in (0, 1))
    exact = discretize_zoh(a, b, c, torch.logspace(-3, -1, 4, dtype=torch.float64))
    single = DiscreteSSM(*(v.to(torch.complex64) for v in (exact.a_bar, exact.b_bar, exact.c)))
    rounded = DiscreteSSM(*(v.to(torch.complex128) for v in (single.a_bar, single.b_bar, single.c)))
    k, expected = kernel(single, 784), textbook_kernel(rounded, 784)
    assert k.dtype == torch.float32
    assert (k - expected).abs().max() < 1e-5 * expected.abs().max()


def test_mixed_precision_leaves_the_kernel_alone():
    ssm = random_discrete(2, 3, seed=0)
    single = DiscreteSSM(*(v.to(torch.complex64) for v in (ssm.a_bar, ssm.b_bar, ssm.c)))
    with torch.autocast("cpu", torch.bfloat16):
        mixed = kernel(single, 50)
    assert mixed.dtype == torch.float32
    assert torch.equal(mixed, kernel(single, 50))
