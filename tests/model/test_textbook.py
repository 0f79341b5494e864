"""The network is the one the paper describes: every variant against its formulas, written out.

This reference is slow, uses none of `ns4d.ssm`, and reads the parameters by name.
"""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from model_variants import VARIANTS, build, random_tokens
from ns4d.model import (
    Discretization,
    Mixer,
    ModelConfig,
    Network,
    Nonlinearity,
    Norm,
    S4DLayer,
    Spectrum,
)
from ns4d.model.layer import mix_channels
from ns4d.ssm import inverse_spectrum, legs_spectrum, linear_spectrum


def state_space(layer: S4DLayer, u: Tensor) -> Tensor:
    """x'(t) = A x(t) + B u(t), y(t) = 2 Re(C x(t)) + D u(t) in discrete time, on (b, l, h)."""
    p = layer.ssm
    a = -p.log_decay.exp() + 1j * p.frequency
    b, c = (v[..., 0] + 1j * v[..., 1] for v in (p.b, p.c))
    z = p.log_step.exp()[:, None] * a
    if layer.config.discretization is Discretization.ZOH:
        a_bar, b_bar = torch.exp(z), (torch.exp(z) - 1) / a * b
    else:
        a_bar, b_bar = (2 + z) / (2 - z), 2 * z / a / (2 - z) * b
    x, outputs = torch.zeros(len(u), *a.shape, dtype=a.dtype), []
    for value in u.unbind(1):
        x = a_bar * x + b_bar * value[..., None]
        outputs.append(2 * (c * x).sum(-1).real + p.d * value)
    return torch.stack(outputs, 1)


def relu(v: Tensor) -> Tensor:
    return torch.where(v > 0, v, 0)


def gelu(v: Tensor) -> Tensor:
    return v * (1 + torch.erf(v / math.sqrt(2))) / 2


def glu(v: Tensor) -> Tensor:
    value, gate = v.chunk(2, -1)
    return value / (1 + torch.exp(-gate))


def standardize(v: Tensor, mean: Tensor, variance: Tensor, norm: nn.Module) -> Tensor:
    return (v - mean) / torch.sqrt(variance + 1e-5) * norm.weight + norm.bias


def textbook_layer(layer: S4DLayer, u: Tensor) -> Tensor:
    """S4D → nonlinearity → linear (→ batch norm) → mixer (→ + u) (→ layer norm)."""
    config = layer.config
    z = (relu if config.nonlinearity is Nonlinearity.RELU else gelu)(state_space(layer, u))
    v = z @ layer.linear.weight.T + layer.linear.bias
    if (norm := layer.batch_norm) is not None:
        v = standardize(v, norm.running_mean, norm.running_var, norm)
    m = {Mixer.RELU: relu, Mixer.GLU: glu, Mixer.LINEAR: lambda v: v}[config.mixer](v)
    m = m + u if config.residual else m
    if layer.layer_norm is not None:
        mean, variance = m.mean(-1, keepdim=True), m.var(-1, keepdim=True, unbiased=False)
        m = standardize(m, mean, variance, layer.layer_norm)
    return m


def textbook(network: Network, tokens: Tensor) -> Tensor:
    """Encoder, layers, mean over time, decoder."""
    h = tokens @ network.encoder.weight.T + network.encoder.bias
    for layer in network.layers:
        h = textbook_layer(layer, h)
    return h.mean(1) @ network.decoder.weight.T + network.decoder.bias


@pytest.mark.parametrize("config", VARIANTS.values(), ids=VARIANTS)
def test_every_variant_is_its_formula(config):
    network = build(config)
    tokens = random_tokens(config, 3, 17)
    torch.testing.assert_close(network(tokens), textbook(network, tokens), rtol=0, atol=1e-9)


def test_every_variant_computes_something_of_its_own():
    """Else an option that does nothing would pass the law above."""
    networks = [build(config) for config in VARIANTS.values()]
    tokens = random_tokens(networks[0].config, 3, 17)
    answers = torch.stack([network(tokens) for network in networks])
    apart = (answers[:, None] - answers).abs().amax((-2, -1))
    apart.fill_diagonal_(1)
    assert apart.min() > 1e-4
    assert (answers.std(1).amax(-1) > 1e-2).all(), "the logits must depend on the tokens"


@pytest.mark.parametrize("norm", Norm)
def test_norms_exist_where_configured(norm):
    layer = S4DLayer(ModelConfig(1, 2, channels=4, modes=2, norm=norm))
    assert (layer.batch_norm is not None) == (norm is Norm.BATCH)
    assert (layer.layer_norm is not None) == (norm is Norm.LAYER)


def test_mixing_channels_is_a_linear_map_at_every_step():
    linear, z = nn.Linear(3, 5).double(), torch.randn(4, 3, 7, dtype=torch.float64)
    torch.testing.assert_close(mix_channels(linear, z), linear(z.mT).mT, rtol=0, atol=1e-12)
    assert mix_channels(linear, z).is_contiguous()


SPECTRA = {
    Spectrum.LEGS: legs_spectrum,
    Spectrum.LINEAR: linear_spectrum,
    Spectrum.INVERSE: inverse_spectrum,
}


@pytest.mark.parametrize("spectrum", Spectrum)
def test_a_layer_starts_from_its_spectrum(spectrum):
    ssm = S4DLayer(ModelConfig(1, 2, channels=3, modes=8, spectrum=spectrum)).ssm
    a = torch.complex(-ssm.log_decay.exp(), ssm.frequency)
    expected = SPECTRA[spectrum](8).to(torch.complex64).expand(3, 8)
    torch.testing.assert_close(a.detach(), expected, rtol=1e-6, atol=0)


def test_initial_steps_are_log_uniform_within_their_bounds():
    config = ModelConfig(1, 2, channels=4000, modes=1, layers=1, step_min=0.002, step_max=0.05)
    log_step = S4DLayer(config).ssm.log_step.detach().double()
    low, high = math.log(0.002), math.log(0.05)
    place = (log_step - low) / (high - low)
    assert -1e-6 <= place.min() < 0.01
    assert 0.99 < place.max() <= 1 + 1e-6
    for quarter in (0.25, 0.5, 0.75):
        assert (place < quarter).double().mean().item() == pytest.approx(quarter, abs=0.04)


def test_initial_outputs_have_unit_variance_with_inputs_of_one():
    """B = 1; C and D standard normal, C over the complex plane."""
    ssm = S4DLayer(ModelConfig(1, 2, channels=300, modes=10)).ssm
    assert torch.equal(ssm.b, torch.tensor([1.0, 0.0]).expand(300, 10, 2))
    assert ssm.c.square().sum(-1).mean().item() == pytest.approx(1, abs=0.1)
    assert ssm.d.square().mean().item() == pytest.approx(1, abs=0.3)
    assert ssm.c.mean((0, 1)).abs().max() < 0.1
