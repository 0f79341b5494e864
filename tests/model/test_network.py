"""The network as a module: shapes refused, seeds, saved parameters, gradients, stability."""

from __future__ import annotations

import inspect
import io
import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import TypeCheckError
from torch.nn import functional

from model_variants import PAPER, VARIANTS, build, random_tokens
from ns4d.errors import ShapeError
from ns4d.model import Discretization, ModelConfig, Network, S4DLayer

every_variant = pytest.mark.parametrize("config", VARIANTS.values(), ids=VARIANTS)


def forward(network: Network, tokens: torch.Tensor) -> object:
    """Without the type checker of the test run, whose error would come first."""
    return inspect.unwrap(Network.forward)(network, tokens)


def scan(network: Network, tokens: torch.Tensor) -> object:
    return inspect.unwrap(Network.scan)(network, tokens, network.init_state(3))


def step(network: Network, token: torch.Tensor) -> object:
    return inspect.unwrap(Network.step)(network, token, network.init_state(3))


@pytest.mark.parametrize("function", [forward, scan])
@pytest.mark.parametrize("shape", [(3, 2), (2,), (3, 0, 2), (3, 9, 5), (3, 2, 9), (1, 3, 9, 2)])
def test_tokens_of_another_shape_are_refused(function, shape):
    text = (
        f"tokens: expected (batch, length ≥ 1, 2 inputs), got {shape}. "
        "Put the batch first, time second, the token's values last."
    )
    with pytest.raises(ShapeError, match=f"^{re.escape(text)}$"):
        function(Network(PAPER), torch.zeros(shape))


@pytest.mark.parametrize("shape", [(2,), (3, 5), (2, 3), (3, 1, 2), ()])
def test_a_token_of_another_shape_is_refused(shape):
    text = (
        f"token: expected (batch, 2 inputs), got {shape}. "
        "Put the batch first, the token's values last."
    )
    with pytest.raises(ShapeError, match=f"^{re.escape(text)}$"):
        step(Network(PAPER), torch.zeros(shape))


def test_a_state_of_another_batch_is_refused():
    """In the test run; broadcasting would mix two streams."""
    network = Network(PAPER)
    with pytest.raises(TypeCheckError):
        network.step(torch.zeros(3, 2), network.init_state(1))
    with pytest.raises(TypeCheckError):
        network.scan(torch.zeros(3, 4, 2), network.init_state(1))


def test_integer_tokens_are_refused():
    """Raw bytes that nobody normalized."""
    with pytest.raises(TypeCheckError):
        Network(PAPER)(torch.zeros(3, 4, 2, dtype=torch.uint8))


@every_variant
def test_a_seed_gives_one_network(config):
    networks = []
    for seed in (5, 5, 6):
        torch.manual_seed(seed)
        networks.append(Network(config).double().eval())
    tokens = random_tokens(config, 2, 9)
    first, same, other = (network(tokens) for network in networks)
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


@every_variant
def test_saved_parameters_give_the_same_network(config):
    """Through a file that holds tensors only; another network's start is overwritten."""
    network, file = build(config, seed=1), io.BytesIO()
    torch.save(network.state_dict(), file)
    file.seek(0)
    restored = build(config, seed=2)
    restored.load_state_dict(torch.load(file, weights_only=True))
    tokens = random_tokens(config, 2, 9)
    assert torch.equal(restored(tokens), network(tokens))


def test_the_names_in_a_checkpoint_stay_as_they_are():
    """Files written by earlier versions must load: change these only with a migration."""
    saved = Network(ModelConfig(3, 10, 8, 4, 1)).state_dict()
    shapes = {name: tuple(value.shape) for name, value in saved.items()}
    assert shapes == {
        "encoder.weight": (8, 3),
        "encoder.bias": (8,),
        "layers.0.ssm.log_decay": (8, 4),
        "layers.0.ssm.frequency": (8, 4),
        "layers.0.ssm.b": (8, 4, 2),
        "layers.0.ssm.c": (8, 4, 2),
        "layers.0.ssm.d": (8,),
        "layers.0.ssm.log_step": (8,),
        "layers.0.linear.weight": (8, 8),
        "layers.0.linear.bias": (8,),
        "decoder.weight": (10, 8),
        "decoder.bias": (10,),
    }


@every_variant
def test_the_gradient_reaches_every_parameter(config):
    network = build(config).train()
    labels = torch.tensor([0, 1, 2, 0])
    functional.cross_entropy(network(random_tokens(config, 4, 30)), labels).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("name", ["gelu", "s4d"])
def test_the_gradient_reaches_every_number_of_the_first_state_space_model(name):
    """A GELU is never quite dead, as a ReLU may be."""
    network = build(VARIANTS[name])
    network(random_tokens(network.config, 4, 30))[:, 0].sum().backward()
    for parameter in network.layers[0].ssm.parameters():
        assert parameter.grad is not None
        assert (parameter.grad != 0).all()


@pytest.mark.parametrize("discretization", Discretization)
@settings(max_examples=40)
@given(
    log_decay=st.floats(-5, 8),
    frequency=st.floats(-100, 100),
    log_step=st.floats(-7, 2),
    rate=st.floats(0.1, 10),
)
def test_every_value_of_the_parameters_is_stable(
    discretization, log_decay, frequency, log_step, rate
):
    """Training may take A and the step anywhere; the recurrence still forgets."""
    config = ModelConfig(1, 2, channels=1, modes=1, layers=1, discretization=discretization)
    ssm = S4DLayer(config).double().ssm
    with torch.no_grad():
        ssm.log_decay.fill_(log_decay)
        ssm.frequency.fill_(frequency)
        ssm.log_step.fill_(log_step)
        assert ssm.discrete(rate).a_bar.abs().item() < 1
