"""Causal convolution: the sum it stands for, its gradient, its arguments."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from ns4d.ssm import convolve
from ns4d.ssm.convolution import convolution_gradients
from ssm_strategies import channels, few, lengths, normal, plain_convolution, seeds

batches = st.integers(1, 3)


@st.composite
def problems(draw) -> tuple[Tensor, Tensor]:
    """Inputs (b, h, l) with kernels (h, l)."""
    h, length, seed = draw(channels), draw(lengths), draw(seeds)
    return normal(draw(batches), h, length, seed=seed), normal(h, length, seed=seed + 1)


def same(left, right, atol: float = 1e-12) -> None:
    torch.testing.assert_close(left, right, rtol=0, atol=atol)


@few
@given(problems())
def test_it_is_the_convolution_of_each_channel_with_its_kernel(problem):
    u, k = problem
    y = convolve(u, k)
    assert y.shape == u.shape
    for b, h in np.ndindex(*u.shape[:2]):
        expected = np.convolve(u[b, h].numpy(), k[h].numpy())[: u.shape[-1]]
        np.testing.assert_allclose(y[b, h].numpy(), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("length", [*range(1, 71), 784, 1024])
def test_nothing_wraps_round(length):
    """Of ones with ones, y[k] = k + 1: a tail that came round would show at every k."""
    ones = torch.ones(1, 1, length, dtype=torch.float64)
    same(convolve(ones, ones[0])[0, 0], torch.arange(1.0, length + 1).double(), atol=1e-10)


@few
@given(problems(), st.data())
def test_it_is_causal(problem, data):
    """An input changed from k on changes no output before k, and the one at k."""
    u, k = problem
    at = data.draw(st.integers(0, u.shape[-1] - 1))
    changed = u.clone()
    changed[..., at:] += 1000
    before, after = convolve(u, k), convolve(changed, k)
    same(after[..., :at], before[..., :at], atol=1e-9)
    same(after[..., at] - before[..., at], (1000 * k[:, 0]).expand(len(u), -1), atol=1e-9)


def test_only_the_wanted_gradients_are_computed():
    u, k, g = normal(2, 3, 9, seed=1), normal(3, 9, seed=2), normal(2, 3, 9, seed=3)
    of_u, of_k = convolution_gradients(u, k, g)
    for wants in ((True, False), (False, True), (False, False)):
        for wanted, full, got in zip(
            wants, (of_u, of_k), convolution_gradients(u, k, g, *wants), strict=True
        ):
            assert torch.equal(got, full) if wanted else got is None


@few
@given(problems(), st.floats(-3, 3))
def test_it_is_linear_in_each_argument(problem, factor):
    u, k = problem
    v, m = u.flip(-1).cos(), k.flip(-1).sin()
    same(convolve(u + factor * v, k), convolve(u, k) + factor * convolve(v, k))
    same(convolve(u, k + factor * m), convolve(u, k) + factor * convolve(u, m))


@few
@given(problems(), st.data())
def test_a_delayed_input_gives_the_delayed_output(problem, data):
    u, k = problem
    delay = data.draw(st.integers(0, u.shape[-1]))
    padded = torch.nn.functional.pad(u, (delay, 0))[..., : u.shape[-1]]
    expected = torch.nn.functional.pad(convolve(u, k), (delay, 0))[..., : u.shape[-1]]
    same(convolve(padded, k), expected)


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 3, 2), (2, 2, 7), (1, 2, 11)])
def test_the_gradient_is_right(shape):
    """Against finite differences, by both arguments."""
    u, k = normal(*shape, seed=0).requires_grad_(), normal(*shape[1:], seed=1).requires_grad_()
    assert torch.autograd.gradcheck(convolve, (u, k))


@few
@given(problems(), st.sampled_from([(True, False), (False, True), (True, True)]), seeds)
def test_the_gradient_is_that_of_the_plain_formula(problem, wanted, seed):
    """Whichever arguments need one."""
    results = []
    for function in (convolve, plain_convolution):
        leaves = [v.clone().requires_grad_(w) for v, w in zip(problem, wanted, strict=True)]
        function(*leaves).backward(normal(*problem[0].shape, seed=seed))
        results.append([leaf.grad for leaf in leaves])
        assert [leaf.grad is not None for leaf in leaves] == list(wanted)
    fast, expected = ([g for g in grads if g is not None] for grads in results)
    same(fast, expected)


def test_memory_order_does_not_matter():
    """Transposed inputs, sliced kernels, an expanded gradient."""
    u = normal(2, 9, 3, seed=0).mT.requires_grad_()
    k = normal(3, 18, seed=1)[:, ::2].requires_grad_()
    assert not u.is_contiguous()
    assert not k.is_contiguous()
    copies = [v.detach().contiguous().requires_grad_() for v in (u, k)]
    y, expected = convolve(u, k), convolve(*copies)
    same(y, expected)
    gradient = torch.ones(1, 1, 1, dtype=torch.float64).expand_as(y)
    same(
        torch.autograd.grad(y, (u, k), gradient),
        torch.autograd.grad(expected, copies, gradient.contiguous()),
    )


def test_arguments_are_left_alone():
    u, k = normal(2, 3, 9, seed=0).requires_grad_(), normal(3, 9, seed=1).requires_grad_()
    kept, gradient = (u.detach().clone(), k.detach().clone()), normal(2, 3, 9, seed=2)
    given_gradient = gradient.clone()
    convolve(u, k).backward(gradient)
    assert torch.equal(u, kept[0])
    assert torch.equal(k, kept[1])
    assert torch.equal(gradient, given_gradient)


def test_only_the_arguments_are_kept_for_the_backward_pass():
    kept: list[Tensor] = []

    def remember(saved: Tensor) -> Tensor:
        kept.append(saved)
        return saved

    u, k = normal(2, 3, 9, seed=0).requires_grad_(), normal(3, 9, seed=1).requires_grad_()
    with saved_tensors_hooks(remember, lambda saved: saved):
        convolve(u, k)
    assert sorted(saved.data_ptr() for saved in kept) == sorted([u.data_ptr(), k.data_ptr()])


def test_mixed_precision_computes_in_the_precision_of_the_kernel():
    u, k = normal(2, 3, 9, seed=0).bfloat16().requires_grad_(), normal(3, 9, seed=1).float()
    with torch.autocast("cpu", torch.bfloat16):
        y = convolve(u, k)
    assert y.dtype == torch.float32
    same(y, convolve(u.float(), k), atol=0)
    y.sum().backward()
    assert u.grad is not None
    assert u.grad.dtype == torch.bfloat16
