"""Another sampling rate: a factor on the step of every layer."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from model_variants import PAPER, VARIANTS, build, random_tokens
from ns4d.model import Network

every_variant = pytest.mark.parametrize("config", VARIANTS.values(), ids=VARIANTS)


@pytest.fixture(autouse=True)
def _no_gradients():
    with torch.no_grad():
        yield


def same(left, right, atol: float = 1e-9) -> None:
    torch.testing.assert_close(left, right, rtol=0, atol=atol)


def with_longer_steps(network: Network, factor: float, layers: set[int]) -> Network:
    """A copy in which the steps of some layers are multiplied."""
    network = copy.deepcopy(network)
    for index in layers:
        network.layers[index].ssm.log_step.add_(math.log(factor))
    return network


def by_forward(network: Network, tokens: Tensor, rate: float) -> Tensor:
    return network(tokens, rate=rate)


def by_scan(network: Network, tokens: Tensor, rate: float) -> Tensor:
    _, state = network.scan(tokens[:, :4], network.init_state(len(tokens)), rate)
    return network.scan(tokens[:, 4:], state, rate)[0]


def by_steps(network: Network, tokens: Tensor, rate: float) -> Tensor:
    state = network.init_state(len(tokens))
    for token in tokens.unbind(1):
        logits, state = network.step(token, state, rate)
    return logits


@every_variant
@pytest.mark.parametrize("run", [by_forward, by_scan, by_steps])
@pytest.mark.parametrize("rate", [0.5, 3.7])
def test_the_rate_reaches_every_layer(config, run, rate):
    """As if each layer had been built with steps that much longer."""
    network, tokens = build(config), random_tokens(config, 2, 9)
    everywhere = set(range(config.layers))
    answer = run(network, tokens, rate)
    same(answer, with_longer_steps(network, rate, everywhere)(tokens))
    for missing in everywhere:
        others = with_longer_steps(network, rate, everywhere - {missing})
        assert not torch.allclose(answer, others(tokens), atol=1e-7)


@every_variant
def test_a_rate_of_one_is_no_rate(config):
    network, tokens = build(config), random_tokens(config, 2, 9)
    assert torch.equal(network(tokens, rate=1.0), network(tokens))
    state = network.init_state(2)
    assert torch.equal(network.scan(tokens, state, 1.0)[0], network.scan(tokens, state)[0])


@pytest.mark.parametrize("hold", [2, 3])
def test_a_layer_at_that_rate_sees_the_same_held_signal(hold):
    """An input that changes every `hold` samples, sampled that often: the outputs at each end."""
    layer = build(PAPER).layers[0]
    sparse = torch.randn(2, PAPER.channels, 11, dtype=torch.float64)
    dense = sparse.repeat_interleave(hold, -1)
    same(layer(sparse, float(hold)), layer(dense)[..., hold - 1 :: hold])


def test_a_smooth_signal_is_classified_alike_at_any_sampling():
    """Twice the samples at half the rate: the difference halves with the sampling interval."""
    network, answers = build(replace(PAPER, step_min=1e-3, step_max=1e-2)), []
    for samples in (64, 128, 256, 512):
        time = torch.arange(1, samples + 1, dtype=torch.float64) / samples
        tokens = torch.stack([torch.sin(7 * time), torch.cos(4 * time)], -1)[None]
        answers.append(network(tokens, rate=512 / samples))
    errors = [(a - b).norm() for a, b in pairwise(answers)]
    assert errors[-1] < 0.01 * answers[-1].norm()
    for coarse, fine in pairwise(errors):
        assert 1.6 < coarse / fine < 2.4
