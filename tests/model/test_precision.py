"""Mixed precision: the state-space model stays in float32, the rest may be bfloat16."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor

from model_variants import VARIANTS, build
from ns4d.model import Network

every_variant = pytest.mark.parametrize("config", VARIANTS.values(), ids=VARIANTS)


def single(config) -> Network:
    return build(config).float()


def tokens_for(network: Network) -> Tensor:
    return torch.randn(4, 40, network.config.inputs)


def mixed() -> torch.autocast:
    return torch.autocast("cpu", torch.bfloat16)


def assert_near(left: Tensor, right: Tensor) -> None:
    """Within a few roundings to bfloat16's eight bits."""
    assert (left.float() - right).abs().max() < 0.05 * right.abs().max()


@every_variant
def test_mixed_precision_gives_nearly_the_same_logits(config):
    network = single(config)
    tokens = tokens_for(network)
    with mixed():
        answer = network(tokens)
    assert answer.dtype == torch.bfloat16
    assert_near(answer, network(tokens))


@every_variant
def test_the_state_space_model_stays_in_float32(config):
    """To the bit, given the same input; the maps around it do run in bfloat16."""
    network, seen = single(config), []
    for layer in network.layers:
        layer.ssm.register_forward_hook(lambda ssm, u, y: seen.append((ssm, u[0], y)))
    with mixed():
        network(tokens_for(network))
    calls = list(seen)
    assert len(calls) == config.layers
    assert calls[0][1].dtype == torch.bfloat16
    for ssm, u, y in calls:
        assert y.dtype == torch.float32
        assert torch.equal(y, ssm(u.float()))


@every_variant
def test_streams_work_in_mixed_precision(config):
    """States stay in float32, in chunks or in steps."""
    network = single(config)
    tokens = tokens_for(network)
    expected, state = network(tokens), network.init_state(4)
    with mixed():
        _, state = network.scan(tokens[:, :30], state)
        for token in tokens[:, 30:].unbind(1):
            answer, state = network.step(token, state)
    assert all(x.dtype == torch.complex64 for x in state.layers)
    assert state.total.dtype == torch.float32
    assert_near(answer, expected)


def gradient(network: Network) -> Tensor:
    grads = [parameter.grad for parameter in network.parameters()]
    return torch.cat([grad.flatten() for grad in grads if grad is not None])


@every_variant
def test_gradients_point_the_same_way(config):
    network = single(config)
    twin, tokens = copy.deepcopy(network), tokens_for(network)
    network(tokens).square().sum().backward()
    with mixed():
        loss = twin(tokens).float().square().sum()
    loss.backward()
    exact, near = gradient(network), gradient(twin)
    assert near.dtype == torch.float32
    assert torch.cosine_similarity(exact, near, 0) > 0.99
