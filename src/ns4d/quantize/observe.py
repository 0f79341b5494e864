"""Observe the ranges of a float network on calibration data: what the integer scales must cover.

The network runs as it will be deployed, by the recurrence, because the states are never formed
in the convolution.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ns4d.model import Network
from ns4d.model.layer import NONLINEARITIES, mix_channels
from ns4d.ssm import DiscreteSSM


@dataclass(frozen=True)
class LayerRange:
    """Largest magnitudes seen in one layer.

    Args:
        state: Of the real and imaginary parts, over all modes of a channel; see `fold_b`.
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
def observe(
    network: Network,
    tokens: Float[Tensor, "b l i"],
    lengths: Int[Tensor, " b"] | None = None,
    fold_b: bool = False,
) -> NetworkRange:
    """Run a folded network over calibration sequences and note the largest magnitudes.

    Args:
        network: In evaluation mode, batch normalization folded.
        tokens: Normalized calibration tokens, from the training part.
        lengths: Valid tokens per sequence; what follows is padding and does not count.
        fold_b: Whether the states are those of B folded into C: driven by the input itself.

    Returns:
        The ranges.
    """
    length = tokens.shape[1]
    ends = torch.full((len(tokens),), length) if lengths is None else lengths
    valid = (torch.arange(length) < ends[:, None])[:, None]
    h = mix_channels(network.encoder, tokens.mT)
    encoder, layers = _largest(h, valid), []
    for layer in network.stack:
        ssm = layer.ssm.discrete()
        if fold_b:
            ssm = replace(ssm, b_bar=torch.ones_like(ssm.b_bar))
        state = _largest_state(ssm, h, valid)
        z = NONLINEARITIES[layer.config.nonlinearity](layer.ssm(h))
        h = layer(h)
        layers.append(LayerRange(state, _largest(z, valid), _largest(h, valid)))
    return NetworkRange(_largest(tokens.mT, valid), encoder, tuple(layers), len(tokens))


def _largest(values: Float[Tensor, "b h l"], valid: Bool[Tensor, "b 1 l"]) -> np.ndarray:
    return (values.abs() * valid).amax((0, 2)).double().numpy()


def _largest_state(
    ssm: DiscreteSSM, u: Float[Tensor, "b h l"], valid: Bool[Tensor, "b 1 l"]
) -> np.ndarray:
    x = torch.zeros(len(u), *ssm.a_bar.shape, dtype=ssm.a_bar.dtype)
    largest = torch.zeros(u.shape[1])
    for column, counts in zip(u.unbind(-1), valid.unbind(-1), strict=True):
        x = ssm.a_bar * x + ssm.b_bar * column[..., None]
        parts = torch.view_as_real(x).abs().amax((2, 3))
        largest = torch.maximum(largest, (parts * counts).amax(0))
    return largest.double().numpy()
