"""Observe the ranges of a float network on calibration data: what the integer scales must cover.

The network runs as it will be deployed, by the recurrence, because the states are never formed
in the convolution.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ns4d.model import Network
from ns4d.model.layer import NONLINEARITIES, mix_channels
from ns4d.ssm import DiscreteSSM


@dataclass(frozen=True)
class LayerRange:
    """Largest magnitudes seen in one layer.

    Args:
        state: Of the real and imaginary parts, over all modes of a channel.
        ssm: Of the state-space model's output after its nonlinearity.
        linear: Of the mixer's output after its ReLU.
    """

    state: Float[np.ndarray, " h"]
    ssm: Float[np.ndarray, " h"]
    linear: Float[np.ndarray, " h"]


@dataclass(frozen=True)
class NetworkRange:
    """Largest magnitudes seen anywhere.

    Args:
        token: Of the normalized tokens.
        encoder: Of the encoder's output.
        layers: Of each layer.
        sequences: How many sequences were seen.
    """

    token: Float[np.ndarray, " i"]
    encoder: Float[np.ndarray, " h"]
    layers: tuple[LayerRange, ...]
    sequences: int


@torch.no_grad()
def observe(network: Network, tokens: Float[Tensor, "b l i"]) -> NetworkRange:
    """Run a folded network over calibration sequences and note the largest magnitudes.

    Args:
        network: In evaluation mode, batch normalization folded.
        tokens: Normalized calibration tokens, from the training part.

    Returns:
        The ranges.
    """
    h = mix_channels(network.encoder, tokens.mT)
    encoder, layers = _largest(h, (0, 2)), []
    for layer in network.stack:
        state = _largest_state(layer.ssm.discrete(), h)
        z = NONLINEARITIES[layer.config.nonlinearity](layer.ssm(h))
        h = layer(h)
        layers.append(LayerRange(state, _largest(z, (0, 2)), _largest(h, (0, 2))))
    return NetworkRange(_largest(tokens, (0, 1)), encoder, tuple(layers), len(tokens))


def _largest(values: Tensor, axes: tuple[int, ...]) -> np.ndarray:
    return values.abs().amax(axes).double().numpy()


def _largest_state(ssm: DiscreteSSM, u: Float[Tensor, "b h l"]) -> np.ndarray:
    x = torch.zeros(len(u), *ssm.a_bar.shape, dtype=ssm.a_bar.dtype)
    largest = torch.zeros(u.shape[1])
    for column in u.unbind(-1):
        x = ssm.a_bar * x + ssm.b_bar * column[..., None]
        parts = torch.view_as_real(x)
        largest = torch.maximum(largest, parts.abs().amax((0, 2, 3)))
    return largest.double().numpy()
