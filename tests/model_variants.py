"""One small network for every option of the configuration, at work in float64."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from ns4d.model import Discretization, Mixer, ModelConfig, Network, Nonlinearity, Norm, Spectrum

PAPER = ModelConfig(inputs=2, classes=3, channels=8, modes=4, layers=3, step_min=0.02, step_max=0.2)

VARIANTS: Mapping[str, ModelConfig] = {
    "paper": PAPER,
    "residual": replace(PAPER, residual=True),
    "batch norm": replace(PAPER, norm=Norm.BATCH),
    "batch norm, linear, residual": replace(
        PAPER, norm=Norm.BATCH, mixer=Mixer.LINEAR, residual=True
    ),
    "layer norm": replace(PAPER, norm=Norm.LAYER),
    "gelu": replace(PAPER, nonlinearity=Nonlinearity.GELU),
    "glu": replace(PAPER, mixer=Mixer.GLU),
    "linear": replace(PAPER, mixer=Mixer.LINEAR),
    "s4d": replace(
        PAPER,
        nonlinearity=Nonlinearity.GELU,
        mixer=Mixer.GLU,
        norm=Norm.LAYER,
        residual=True,
        dropout=0.1,
    ),
    "bilinear": replace(PAPER, discretization=Discretization.BILINEAR),
    "linear spectrum": replace(PAPER, spectrum=Spectrum.LINEAR),
    "inverse spectrum": replace(PAPER, spectrum=Spectrum.INVERSE),
}


def build(config: ModelConfig, seed: int = 0) -> Network:
    """A network in float64 that has seen some training data, ready to be used.

    Every parameter that starts as a constant is moved, so that none can be left out unseen; the
    maps are enlarged, so that the logits depend on the tokens well above rounding; the passes in
    training mode give batch norms statistics that are not (0, 1).
    """
    torch.manual_seed(seed)
    network = Network(config).double()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
            if name.endswith(("linear.weight", "encoder.weight")):
                parameter.mul_(3)
        for _ in range(3):
            network(2 * random_tokens(config, 4, 20) + 1)
    return network.eval()


def random_tokens(config: ModelConfig, batch: int, length: int) -> Tensor:
    """Standard normal tokens (b, l, i) from torch's global generator."""
    return torch.randn(batch, length, config.inputs, dtype=torch.float64)
