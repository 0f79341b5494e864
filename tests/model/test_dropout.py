"""Dropout: whole channels of a sequence, in training only, equal in expectation."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from model_variants import PAPER, VARIANTS, build, random_tokens
from ns4d.model import Mixer, ModelConfig, Network, Nonlinearity, S4DLayer

P = 0.25
CONFIG = replace(PAPER, dropout=P, nonlinearity=Nonlinearity.GELU, mixer=Mixer.LINEAR)


@pytest.fixture(autouse=True)
def _no_gradients():
    with torch.no_grad():
        yield


def unmixed_layer(config: ModelConfig) -> S4DLayer:
    """A layer whose linear map is the identity: an output channel shows both its dropouts."""
    layer = S4DLayer(config).double()
    nn.init.eye_(layer.linear.weight)
    nn.init.zeros_(layer.linear.bias)
    return layer


def same_input(batch: int) -> Tensor:
    return torch.randn(1, CONFIG.channels, 20, dtype=torch.float64).expand(batch, -1, -1)


def test_a_channel_of_a_sequence_is_dropped_whole_or_kept_whole():
    layer, u = unmixed_layer(CONFIG), same_input(200)
    kept = layer.train()(u)
    expected = layer.eval()(u) / (1 - P) ** 2
    dropped = kept[..., 0] == 0
    assert (kept[dropped] == 0).all()
    torch.testing.assert_close(kept[~dropped], expected[~dropped], rtol=0, atol=1e-12)
    assert len(dropped.unique(dim=0)) > 10, "each sequence loses channels of its own"


def test_both_dropouts_happen():
    """After the state-space model, after the mixer: (1 - p)² of the channels survive both."""
    layer = unmixed_layer(CONFIG)
    survivors = (layer.train()(same_input(2000))[..., 0] != 0).double().mean().item()
    assert survivors == pytest.approx((1 - P) ** 2, abs=0.03)


def test_the_expectation_is_the_output_without_dropout():
    layer, u = unmixed_layer(CONFIG), same_input(4000)
    mean, expected = layer.train()(u).mean(0), layer.eval()(u[:1])[0]
    torch.testing.assert_close(mean, expected, rtol=0.1, atol=0)


def test_the_residual_path_is_not_dropped():
    layer, u = unmixed_layer(replace(CONFIG, residual=True)), same_input(50)
    added = layer.train()(u) - u
    dropped = added.abs().amax(-1) < 1e-12
    assert 0.2 < dropped.double().mean() < 0.7


def test_the_linear_map_sees_the_dropped_channels():
    """The first dropout comes before the map: one dropped channel changes every output."""
    layer, u = S4DLayer(replace(CONFIG, mixer=Mixer.RELU)).double(), same_input(50)
    layer.linear.bias.fill_(100)
    outputs = layer.train()(u)
    kept = outputs[:, 0, 0] != 0
    assert len(outputs[kept, 0].unique(dim=0)) > 5


@pytest.mark.parametrize("config", VARIANTS.values(), ids=VARIANTS)
def test_nothing_is_dropped_in_use(config):
    """The same weights with any dropout: the same logits, in `forward`, `scan`, `step`."""
    plain = build(replace(config, dropout=0.0))
    dropping = Network(replace(config, dropout=0.9)).double().eval()
    dropping.load_state_dict(plain.state_dict())
    tokens = random_tokens(config, 2, 7)
    assert torch.equal(dropping(tokens), plain(tokens))
    states = dropping.init_state(2), plain.init_state(2)
    assert torch.equal(dropping.scan(tokens, states[0])[0], plain.scan(tokens, states[1])[0])
    token = tokens[:, 0]
    assert torch.equal(dropping.step(token, states[0])[0], plain.step(token, states[1])[0])


def test_no_dropout_means_none_in_training_either():
    network = build(PAPER)
    tokens = random_tokens(PAPER, 2, 7)
    assert torch.equal(network.train()(tokens), network.eval()(tokens))


def test_training_with_dropout_repeats_from_its_seed():
    network = build(CONFIG).train()
    tokens, answers = random_tokens(CONFIG, 4, 7), []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        answers.append(network(tokens))
    assert torch.equal(answers[0], answers[1])
    assert not torch.equal(answers[0], answers[2])
