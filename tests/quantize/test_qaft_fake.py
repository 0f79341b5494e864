"""The straight-through pieces: exact values forward, the float layer's gradient backward."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from ns4d.model import ModelConfig
from ns4d.model.layer import StateSpace
from ns4d.program import S4D, Add, Dense, Descale, Readout
from ns4d.quantize.fake import (
    Sent,
    mean_over_time,
    sent_by,
    straight_add,
    straight_dense,
    straight_neuron,
    straight_readout,
)
from ns4d.ssm import convolve

BATCH, CHANNELS, LENGTH = 2, 3, 7
MULTIPLIER, SHIFT = np.array([3, 5, 7]), 4
LIMIT = np.array([9, 4, 0])
STEP_IN, STEP_OUT = 0.25, 0.5
seeds = st.integers(0, 2**16)
few = settings(max_examples=20)


def descale(relu: bool = True, limit: np.ndarray = LIMIT) -> Descale:
    return Descale(MULTIPLIER, SHIFT, limit, relu)


def close(left: Tensor | None, right: Tensor | None, tolerance: float = 1e-5) -> None:
    assert left is not None
    assert right is not None
    torch.testing.assert_close(left, right, rtol=tolerance, atol=tolerance)


def leaf(*shape: int) -> Tensor:
    return torch.randn(*shape, requires_grad=True)


def before(values: Tensor) -> Sent:
    return Sent(STEP_IN, values)


def everything_open(messages: np.ndarray) -> Sent:
    """What a node sent, with limits far beyond its messages."""
    wide = descale(relu=False, limit=np.full(CHANNELS, 1000))
    return sent_by(wide, STEP_OUT, torch.from_numpy(messages), torch.float32)


def random_messages(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(-50, 50, (BATCH, LENGTH, CHANNELS))


def unit() -> np.ndarray:
    """What one unit of the accumulator is worth after the multiplier: m = v·q / 2^shift."""
    return MULTIPLIER / 2**SHIFT * STEP_OUT


@pytest.mark.parametrize("relu", [True, False])
def test_a_message_is_open_strictly_inside_its_range(relu):
    """Channel 0 up to 9, channel 1 up to 4, channel 2 never: it cannot send."""
    steps = torch.arange(-9, 10)
    messages = torch.stack([steps.clamp(-k, k) for k in LIMIT.tolist()], dim=-1)[None]
    sent = sent_by(descale(relu), STEP_OUT, messages, torch.float32)
    assert torch.equal(sent.values, messages.mT * STEP_OUT)
    lowest = [0, 0, 0] if relu else (-LIMIT).tolist()
    for channel, (low, high) in enumerate(zip(lowest, LIMIT.tolist(), strict=True)):
        expected = [low < m < high for m in messages[0, :, channel].tolist()]
        assert sent.is_open is not None
        assert sent.is_open[0, channel].tolist() == expected


@few
@given(seeds)
def test_values_are_exact_at_24_bits(seed):
    messages = np.random.default_rng(seed).integers(-(2**23) + 1, 2**23, (1, 5, CHANNELS))
    assert np.array_equal(everything_open(messages).values.numpy() / STEP_OUT, messages.mT)


def dense(rng: np.random.Generator, width: int = 4) -> tuple[Dense, nn.Linear]:
    weight = rng.integers(-7, 8, (CHANNELS, width))
    return Dense("dense", weight, rng.integers(-9, 9, CHANNELS), descale()), nn.Linear(
        width, CHANNELS
    )


@few
@given(seeds)
def test_a_dense_node_has_the_gradient_of_its_dequantized_map(seed):
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    node, linear = dense(rng)
    after, u = everything_open(random_messages(rng)), leaf(BATCH, 4, LENGTH)
    g = torch.randn(BATCH, CHANNELS, LENGTH)
    found = straight_dense(node, linear, before(u), after)
    assert torch.equal(found, after.values)
    found.backward(g)
    weight = torch.tensor(node.weight * (unit() / STEP_IN)[:, None]).float().requires_grad_()
    bias = torch.tensor(node.bias * unit()).float().requires_grad_()
    v = leaf(BATCH, 4, LENGTH)
    v.data.copy_(u.data)
    functional.linear(v.mT, weight, bias).mT.backward(g)
    close(u.grad, v.grad)
    close(linear.weight.grad, weight.grad)
    close(linear.bias.grad, bias.grad)


def neuron(rng: np.random.Generator, modes: int = 4) -> S4D:
    def integers(*shape: int) -> np.ndarray:
        return rng.integers(-60, 61, shape)

    shape = (CHANNELS, modes)
    names = ("a_re", "a_im", "b_re", "b_im", "c_re", "c_im")
    return S4D(
        name="ssm",
        d=integers(CHANNELS),
        a_shift=7,
        b_shift=rng.integers(3, 6, CHANNELS),
        c_shift=rng.integers(3, 6, CHANNELS),
        d_shift=rng.integers(2, 5, CHANNELS),
        descale=descale(),
        **{name: integers(*shape) for name in names},
    )


def response(node: S4D, length: int) -> np.ndarray:
    """The impulse response of (1) to (3) without rounding, descaled, per unit of a message."""
    a = (node.a_re + 1j * node.a_im) / 2.0**node.a_shift
    b = (node.b_re + 1j * node.b_im) / 2.0 ** node.b_shift[:, None]
    c = (node.c_re + 1j * node.c_im) / 2.0 ** node.c_shift[:, None]
    k = np.stack([(c * b * a**t).sum(1).real for t in range(length)], axis=1)
    k[:, 0] += node.d / 2.0**node.d_shift
    return k * (unit() / STEP_IN)[:, None]


@few
@given(seeds)
def test_a_neuron_sends_back_through_its_own_impulse_response(seed):
    """The gradient at its input is the correlation with what its integers do to an impulse."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    node, ssm = neuron(rng), StateSpace(ModelConfig(1, 2, channels=CHANNELS, modes=4))
    after, u = everything_open(random_messages(rng)), leaf(BATCH, CHANNELS, LENGTH)
    g = torch.randn(BATCH, CHANNELS, LENGTH)
    found = straight_neuron(node, ssm, before(u), after)
    assert torch.equal(found, after.values)
    found.backward(g)
    v = u.detach().clone().requires_grad_()
    k = torch.tensor(response(node, LENGTH)).float()
    convolve(v, k).backward(g)
    close(u.grad, v.grad, 1e-4)


@few
@given(seeds)
def test_every_parameter_of_a_neuron_is_moved_by_its_kernel(seed):
    """D by the gradient at lag zero; the others by something."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    node, ssm = neuron(rng), StateSpace(ModelConfig(1, 2, channels=CHANNELS, modes=4))
    after, u = everything_open(random_messages(rng)), torch.randn(BATCH, CHANNELS, LENGTH)
    g = torch.randn(BATCH, CHANNELS, LENGTH)
    straight_neuron(node, ssm, before(u), after).backward(g)
    close(ssm.d.grad, (u * g).sum((0, 2)))
    assert all(p.grad is not None and p.grad.any() for p in ssm.parameters())


@pytest.mark.parametrize("kind", ["dense", "neuron", "add"])
def test_a_closed_message_passes_nothing(kind):
    """Channel 2 has a limit of 0; messages of 0 or at the limit stop the gradient, too."""
    rng = np.random.default_rng(0)
    messages = np.zeros((1, 3, CHANNELS), np.int64)
    messages[0, :, 0] = (0, 9, 5)
    after = sent_by(descale(), STEP_OUT, torch.from_numpy(messages), torch.float32)
    u = leaf(1, CHANNELS, 3)
    if kind == "dense":
        node, linear = dense(rng, CHANNELS)
        found = straight_dense(node, linear, before(u), after)
    elif kind == "neuron":
        ssm = StateSpace(ModelConfig(1, 2, channels=CHANNELS, modes=4))
        found = straight_neuron(neuron(rng), ssm, before(u), after)
    else:
        ones = np.ones(CHANNELS, np.int64)
        node = Add("add", "source", ones, ones, descale())
        found = straight_add(node, before(u), before(u), after)
    passing = torch.zeros(1, CHANNELS, 3)
    passing[0, 0, 2] = 1.0
    (only,) = torch.autograd.grad(found, u, passing, retain_graph=True)
    (everything,) = torch.autograd.grad(found, u, torch.ones(1, CHANNELS, 3))
    assert only.any()
    assert torch.equal(only, everything)


def test_an_add_shares_the_gradient_by_its_weights():
    weight, skip = np.array([1, 2, 3]), np.array([4, 5, 6])
    after = everything_open(random_messages(np.random.default_rng(0)))
    u, s = leaf(BATCH, CHANNELS, LENGTH), leaf(BATCH, CHANNELS, LENGTH)
    node = Add("add", "source", weight, skip, descale())
    found = straight_add(node, before(u), Sent(2 * STEP_IN, s), after)
    assert torch.equal(found, after.values)
    found.sum().backward()
    for leaf_, factor, step in ((u, weight, STEP_IN), (s, skip, 2 * STEP_IN)):
        expected = torch.tensor(factor * unit() / step).float()[:, None].expand(BATCH, -1, LENGTH)
        close(leaf_.grad, expected)


def test_the_read_out_answers_with_scores_and_learns_as_a_mean():
    rng = np.random.default_rng(0)
    node, linear = (
        Readout(rng.integers(-7, 8, (2, CHANNELS)), rng.integers(-9, 9, 2)),
        nn.Linear(CHANNELS, 2),
    )
    lengths, scores = torch.tensor([LENGTH, 3]), torch.tensor([[10, -3], [7, 2]])
    u = leaf(BATCH, CHANNELS, LENGTH)
    logits = straight_readout(node, linear, before(u), 0.125, scores, lengths)
    assert torch.equal(logits.double(), (scores * 0.125 / lengths[:, None]).float().double())
    logits.sum().backward()
    close(linear.weight.grad, mean_over_time(u, lengths).sum(0).expand(2, -1))
    close(linear.bias.grad, torch.full((2,), float(BATCH)))
    assert u.grad is not None
    assert not u.grad[1, :, 3:].any(), "padding has no part in the mean"
    per_message = torch.tensor(node.weight.sum(0) * 0.125 / STEP_IN).float()
    close(u.grad[1, :, 0], per_message / 3)
