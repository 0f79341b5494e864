"""The float recurrence that the baselines compute, discretized once instead of at every token.

    x' = Ā x + u                     the input enters with weight 1                 (1)
    y  = 2 Re( (C B̄) x' ) + D u      only the product C B̄ reaches the output        (2)
    h  = relu(W relu(y) + bias)                                                     (3)

The same function as `Network.step` with fewer products: what a careful programmer would time.

Axes      h channel, n stored mode.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from ns4d.errors import ConfigError
from ns4d.model import Mixer, Network, Nonlinearity, Norm, S4DLayer


@dataclass(frozen=True)
class FloatLayer:
    """The constants of (1) to (3) for one layer, float32."""

    a: Complex[Tensor, "h n"]
    w: Complex[Tensor, "h n"]  # 2 C B̄
    d: Float[Tensor, " h"]
    weight: Float[Tensor, "h h"]
    bias: Float[Tensor, " h"]


@dataclass(frozen=True)
class FloatParameters:
    """The constants of the whole network, float32."""

    encoder_weight: Float[Tensor, "h i"]
    encoder_bias: Float[Tensor, " h"]
    layers: tuple[FloatLayer, ...]
    decoder_weight: Float[Tensor, "classes h"]
    decoder_bias: Float[Tensor, " classes"]

    @property
    def channels(self) -> int:
        """Width of every layer."""
        return len(self.encoder_bias)

    @property
    def modes(self) -> int:
        """Stored modes per channel."""
        return self.layers[0].a.shape[1]

    @property
    def inputs(self) -> int:
        """Values per token."""
        return self.encoder_weight.shape[1]

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.decoder_bias)


def float_parameters(network: Network) -> FloatParameters:
    """Discretize in float64, round once.

    Raises:
        ConfigError: If the network is not the paper's plain n-S4D.
    """
    _require_plain(network)
    exact = deepcopy(network).double()
    return FloatParameters(
        _constant(exact.encoder.weight),
        _constant(exact.encoder.bias),
        tuple(_float_layer(layer) for layer in exact.stack),
        _constant(exact.decoder.weight),
        _constant(exact.decoder.bias),
    )


def _float_layer(layer: S4DLayer) -> FloatLayer:
    ssm = layer.ssm.discrete()
    return FloatLayer(
        _constant(ssm.a_bar),
        _constant(2 * ssm.c * ssm.b_bar),
        _constant(layer.ssm.d),
        _constant(layer.linear.weight),
        _constant(layer.linear.bias),
    )


def _constant(value: Tensor) -> Tensor:
    kind = torch.complex64 if value.is_complex() else torch.float32
    return value.detach().to(kind).clone().contiguous()


def _require_plain(network: Network) -> None:
    c = network.config
    plain = (c.nonlinearity, c.mixer, c.norm, c.residual)
    if plain != (Nonlinearity.RELU, Mixer.RELU, Norm.NONE, False):
        raise ConfigError(
            "benchmark of streaming",
            expected="an n-S4D: ReLU, no normalization, no residual",
            got=str(c),
            fix="Benchmark a network of the sizes `small` or `large`.",
        )
