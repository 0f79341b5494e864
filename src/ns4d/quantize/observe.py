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
from ns4d.model.layer import MIXERS, NONLINEARITIES, S4DLayer, mix_channels
from ns4d.numerics import LOIHI2, Arithmetic
from ns4d.quantize.observers import Tally
from ns4d.quantize.options import Options
from ns4d.ssm import DiscreteSSM


@dataclass(frozen=True)
class LayerRange:
    """Largest magnitudes in one layer, as the observer sees them.

    Args:
        state: Of the real and imaginary parts, over all modes of a channel; with B folded into C
            those of a state that the input itself drives.
        ssm: Of the state-space model's output after its nonlinearity.
        linear: Of the mixer's output after its nonlinearity.
        output: Of the layer's output; differs from `linear` with a residual connection.
    """

    state: Float[np.ndarray, " h"]
    ssm: Float[np.ndarray, " h"]
    linear: Float[np.ndarray, " h"]
    output: Float[np.ndarray, " h"]


@dataclass(frozen=True)
class NetworkRange:
    """Largest magnitudes anywhere, as the observer sees them.

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
    options: Options | None = None,
    arithmetic: Arithmetic = LOIHI2,
) -> NetworkRange:
    """Run a folded network over calibration sequences and note the largest magnitudes.

    Args:
        network: In evaluation mode, batch normalization folded.
        tokens: Normalized calibration tokens, from the training part.
        lengths: Valid tokens per sequence; what follows is padding and does not count.
        options: The observer, and whether B is folded into C.
        arithmetic: Gives an observer that weighs rounding the widths.

    Returns:
        The ranges.
    """
    watch = _Watch(tokens, lengths, options or Options(), arithmetic)
    h = mix_channels(network.encoder, tokens.mT)
    encoder, layers = watch.peaks(h), []
    for layer in network.stack:
        output = layer(h)
        layers.append(watch.layer(layer, h, output))
        h = output
    return NetworkRange(watch.peaks(tokens.mT), encoder, tuple(layers), len(tokens))


class _Watch:
    """Reads peaks off the valid tokens of a batch."""

    def __init__(
        self,
        tokens: Float[Tensor, "b l i"],
        lengths: Int[Tensor, " b"] | None,
        options: Options,
        arithmetic: Arithmetic,
    ) -> None:
        length = tokens.shape[1]
        ends = torch.full((len(tokens),), length) if lengths is None else lengths
        self.valid: Bool[Tensor, "b l"] = torch.arange(length) < ends[:, None]
        self.options, self.arithmetic = options, arithmetic

    def peaks(self, values: Float[Tensor, "b h l"]) -> Float[np.ndarray, " h"]:
        """Of messages."""
        tally = self._tally(values.shape[1], self.arithmetic.message_max)
        tally.add((values.mT[self.valid].abs().float())[..., None])
        return tally.peaks()

    def layer(
        self, layer: S4DLayer, u: Float[Tensor, "b h l"], output: Float[Tensor, "b h l"]
    ) -> LayerRange:
        """Of one layer with this input and this output."""
        z = NONLINEARITIES[layer.config.nonlinearity](layer.ssm(u))
        linear = output
        if layer.config.residual:
            linear = MIXERS[layer.config.mixer](mix_channels(layer.linear, z))
        state = self._states(layer.ssm.discrete(), u)
        return LayerRange(state, self.peaks(z), self.peaks(linear), self.peaks(output))

    def _states(self, ssm: DiscreteSSM, u: Float[Tensor, "b h l"]) -> Float[np.ndarray, " h"]:
        if self.options.fold_b:
            ssm = replace(ssm, b_bar=torch.ones_like(ssm.b_bar))
        tally = self._tally(u.shape[1], self.arithmetic.state_max)
        x = torch.zeros(len(u), *ssm.a_bar.shape, dtype=ssm.a_bar.dtype)
        for column, counts in zip(u.unbind(-1), self.valid.unbind(-1), strict=True):
            x = ssm.a_bar * x + ssm.b_bar * column[..., None]
            parts = torch.view_as_real(x if counts.all() else x[counts])
            tally.add(parts.abs().flatten(2).float())
        return tally.peaks()

    def _tally(self, channels: int, largest: int) -> Tally:
        return self.options.observer.tally(channels, largest)
