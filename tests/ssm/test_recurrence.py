"""Recurrence, chunked scan, convolution: one function of the input, computed three ways."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ns4d.ssm import DiscreteSSM, advance, convolve, kernel, respond, scan
from ssm_strategies import (
    discrete_models,
    few,
    lengths,
    normal,
    partitions,
    random_discrete,
    real_blocks,
    real_readout,
    real_vector,
    seeds,
)

batches = st.integers(1, 3)


def zero_state(ssm: DiscreteSSM, batch: int) -> Tensor:
    return torch.zeros(batch, *ssm.a_bar.shape, dtype=torch.complex128)


def any_state(ssm: DiscreteSSM, batch: int, seed: int) -> Tensor:
    return normal(batch, *ssm.a_bar.shape, seed=seed, dtype=torch.complex128)


def any_input(ssm: DiscreteSSM, batch: int, length: int, seed: int) -> Tensor:
    return normal(batch, len(ssm.a_bar), length, seed=seed)


def step_by_step(ssm: DiscreteSSM, x: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
    """`advance` applied to each column."""
    outputs = []
    for column in u.unbind(-1):
        x, y = advance(ssm, x, column)
        outputs.append(y)
    return x, torch.stack(outputs, -1)


def in_chunks(ssm: DiscreteSSM, x: Tensor, u: Tensor, sizes: list[int]) -> tuple[Tensor, Tensor]:
    """`scan` applied to each chunk."""
    outputs = []
    for chunk in u.split(sizes, -1):
        x, y = scan(ssm, x, chunk)
        outputs.append(y)
    return x, torch.cat(outputs, -1)


def assert_same(left: tuple[Tensor, ...], right: tuple[Tensor, ...], atol: float = 1e-12) -> None:
    torch.testing.assert_close(left, right, rtol=0, atol=atol)


@few
@given(discrete_models(), batches, lengths, seeds)
def test_recurrence_is_convolution(ssm, batch, length, seed):
    u = any_input(ssm, batch, length, seed)
    _, y = step_by_step(ssm, zero_state(ssm, batch), u)
    assert_same((convolve(u, kernel(ssm, length)),), (y,))


@few
@given(discrete_models(), seeds)
def test_a_step_is_the_real_system_with_both_modes_of_each_pair(ssm, seed):
    """Against matrices of real numbers: nothing of the complex shorthand is used twice."""
    x, u = any_state(ssm, 1, seed), any_input(ssm, 1, 1, seed + 1)[..., 0]
    after, y = advance(ssm, x, u)
    for h in range(len(ssm.a_bar)):
        a_bar, b_bar, c = (v[h].numpy() for v in (ssm.a_bar, ssm.b_bar, ssm.c))
        drive = real_vector(b_bar) * float(u[0, h])
        expected = real_blocks(a_bar) @ real_vector(x[0, h].numpy()) + drive
        np.testing.assert_allclose(real_vector(after[0, h].numpy()), expected, atol=1e-12)
        np.testing.assert_allclose(y[0, h], real_readout(c) @ expected, atol=1e-12)


@few
@given(discrete_models(), batches, partitions, seeds)
def test_chunking_does_not_matter(ssm, batch, sizes, seed):
    """From any state, in any partition of time: the same outputs, the same last state."""
    x, u = any_state(ssm, batch, seed), any_input(ssm, batch, sum(sizes), seed + 1)
    expected = step_by_step(ssm, x, u)
    assert_same(in_chunks(ssm, x, u, sizes), expected)
    assert_same(scan(ssm, x, u), expected)


@few
@given(discrete_models(), lengths, seeds)
def test_a_scan_is_the_response_to_the_state_plus_that_to_the_input(ssm, length, seed):
    x, u = any_state(ssm, 2, seed), any_input(ssm, 2, length, seed + 1)
    without_input, without_state = torch.zeros_like(u), torch.zeros_like(x)
    assert_same((respond(ssm, x, length),), step_by_step(ssm, x, without_input)[1:])
    parts = scan(ssm, x, without_input), scan(ssm, without_state, u)
    assert_same(scan(ssm, x, u), tuple(a + b for a, b in zip(*parts, strict=True)))


@few
@given(discrete_models(), st.integers(2, 4), lengths, seeds)
def test_batch_does_not_matter(ssm, batch, length, seed):
    x, u = any_state(ssm, batch, seed), any_input(ssm, batch, length, seed + 1)
    together = scan(ssm, x, u)
    alone = [scan(ssm, x[k : k + 1], u[k : k + 1]) for k in range(batch)]
    assert_same(together, tuple(torch.cat(parts) for parts in zip(*alone, strict=True)))


@few
@given(discrete_models(), lengths, seeds)
def test_channels_do_not_meet(ssm, length, seed):
    x, u = any_state(ssm, 2, seed), any_input(ssm, 2, length, seed + 1)
    together = scan(ssm, x, u)
    for h in range(len(ssm.a_bar)):
        only = slice(h, h + 1)
        one = DiscreteSSM(ssm.a_bar[only], ssm.b_bar[only], ssm.c[only])
        assert_same(scan(one, x[:, only], u[:, only]), tuple(v[:, only] for v in together))


@few
@given(discrete_models(), st.integers(2, 40), st.data())
def test_length_does_not_matter(ssm, length, data):
    """The outputs so far do not depend on how much follows."""
    cut = data.draw(st.integers(1, length - 1))
    x, u = any_state(ssm, 2, 1), any_input(ssm, 2, length, 2)
    assert_same(scan(ssm, x, u[..., :cut])[1:], (scan(ssm, x, u)[1][..., :cut],))


@few
@given(discrete_models(), lengths, st.floats(-3, 3), seeds)
def test_everything_is_linear_in_state_with_input(ssm, length, factor, seed):
    states = [any_state(ssm, 2, seed + k) for k in (0, 1)]
    inputs = [any_input(ssm, 2, length, seed + k) for k in (2, 3)]
    mixed = scan(ssm, states[0] + factor * states[1], inputs[0] + factor * inputs[1])
    first, second = (scan(ssm, x, u) for x, u in zip(states, inputs, strict=True))
    assert_same(mixed, tuple(a + factor * b for a, b in zip(first, second, strict=True)))


@pytest.mark.parametrize("function", [advance, scan])
def test_the_state_before_is_left_alone(function):
    """A stream can be continued twice from one state."""
    ssm = random_discrete(3, 2, seed=0)
    x, u = any_state(ssm, 2, 1), any_input(ssm, 2, 5, 2)
    u = u[..., 0] if function is advance else u
    kept = x.clone(), u.clone()
    function(ssm, x, u)
    assert torch.equal(x, kept[0])
    assert torch.equal(u, kept[1])


def test_a_long_stream_in_float32_stays_near_float64():
    """784 steps, modes on the rim of the unit disc: the state's rounding does not pile up."""
    ssm = random_discrete(4, 5, seed=3)
    single = DiscreteSSM(*(v.to(torch.complex64) for v in (ssm.a_bar, ssm.b_bar, ssm.c)))
    x, u = zero_state(ssm, 1), any_input(ssm, 1, 784, 4)
    _, expected = step_by_step(ssm, x, u)
    _, y = step_by_step(single, x.to(torch.complex64), u.float())
    assert (y - expected).abs().max() < 1e-4 * expected.abs().max()
