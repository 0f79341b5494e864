"""The whole network: encoder, layers, running mean over time, decoder.

    h_0 = W_enc token + b_enc;   h_j = layer_j(h_{j-1});   logits = W_dec mean_t(h_J[t]) + b_dec

`forward` sees whole sequences (convolution), `scan` chunks of any size, `step` one token
(recurrence). The three compute the same function; the laws are in `tests/model`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Complex, Float, Int
from torch import Tensor, nn

from ns4d.errors import ShapeError
from ns4d.model.config import ModelConfig
from ns4d.model.layer import S4DLayer, mix_channels


@dataclass(frozen=True)
class NetworkState:
    """What a stream remembers: one state per layer, the sum for the mean, the tokens seen."""

    layers: tuple[Complex[Tensor, "b h n"], ...]
    total: Float[Tensor, "b h"]
    tokens: int


class Network(nn.Module):
    """n-S4D or, by its configuration, one of the variants."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = nn.Linear(config.inputs, config.channels)
        self.layers = nn.ModuleList(S4DLayer(config) for _ in range(config.layers))
        self.decoder = nn.Linear(config.channels, config.classes)

    @property
    def stack(self) -> tuple[S4DLayer, ...]:
        """The layers in order, with their type, which a `ModuleList` forgets."""
        return tuple(cast(S4DLayer, layer) for layer in self.layers)

    @property
    def parameter_count(self) -> int:
        """Number of trained real numbers (a complex one counts twice)."""
        return sum(p.numel() for p in self.parameters())

    def forward(
        self,
        tokens: Float[Tensor, "b l i"],
        lengths: Int[Tensor, " b"] | None = None,
        rate: float = 1.0,
    ) -> Float[Tensor, "b classes"]:
        """Classify whole sequences.

        Args:
            tokens: Normalized tokens, padded at the end where lengths differ.
            lengths: Valid tokens per sequence; all of them if None.
            rate: Sampling interval relative to training; 2 for every other sample.

        Returns:
            One logit per class.

        Raises:
            ShapeError: If the tokens are not (b, l, inputs) with l ≥ 1.
        """
        self._check(tokens)
        h = self._encode(tokens)
        for layer in self.stack:
            h = layer(h, rate)
        return self.decoder(_mean_over_time(h, lengths))

    def init_state(self, batch: int = 1) -> NetworkState:
        """The zero state from which every stream starts."""
        weight = self.encoder.weight
        shape = (batch, self.config.channels)
        zero = torch.zeros(*shape, self.config.modes, dtype=weight.dtype, device=weight.device)
        return NetworkState(
            tuple(torch.complex(zero, zero) for _ in self.layers), weight.new_zeros(shape), 0
        )

    def scan(
        self, tokens: Float[Tensor, "b l i"], state: NetworkState, rate: float = 1.0
    ) -> tuple[Float[Tensor, "b classes"], NetworkState]:
        """Continue with a chunk: the logits after its last token, and the state after it."""
        self._check(tokens)
        h, states = self._encode(tokens), []
        for layer, x in zip(self.stack, state.layers, strict=True):
            x, h = layer.scan(x, h, rate)
            states.append(x)
        return self._read(tuple(states), state, h.sum(-1), tokens.shape[1])

    def step(
        self, token: Float[Tensor, "b i"], state: NetworkState, rate: float = 1.0
    ) -> tuple[Float[Tensor, "b classes"], NetworkState]:
        """Continue with one token: the logits after it, and the new state."""
        self._check_one(token)
        h, states = self.encoder(token), []
        for layer, x in zip(self.stack, state.layers, strict=True):
            x, h = layer.step(x, h, rate)
            states.append(x)
        return self._read(tuple(states), state, h, 1)

    def _read(
        self, layers: tuple[Tensor, ...], before: NetworkState, added: Tensor, count: int
    ) -> tuple[Tensor, NetworkState]:
        after = NetworkState(layers, before.total + added, before.tokens + count)
        return self.decoder(after.total / after.tokens), after

    def _encode(self, tokens: Tensor) -> Tensor:
        return mix_channels(self.encoder, tokens.mT)

    def _check(self, tokens: Tensor) -> None:
        if tokens.ndim != 3 or tokens.shape[1] < 1 or tokens.shape[2] != self.config.inputs:
            raise ShapeError(
                "tokens",
                expected=f"(batch, length ≥ 1, {self.config.inputs} inputs)",
                got=str(tuple(tokens.shape)),
                fix="Put the batch first, time second, the token's values last.",
            )

    def _check_one(self, token: Tensor) -> None:
        if token.ndim != 2 or token.shape[1] != self.config.inputs:
            raise ShapeError(
                "token",
                expected=f"(batch, {self.config.inputs} inputs)",
                got=str(tuple(token.shape)),
                fix="Put the batch first, the token's values last.",
            )


def _mean_over_time(h: Tensor, lengths: Tensor | None) -> Tensor:
    if lengths is None:
        return h.sum(-1) / h.shape[-1]  # the gradient of a mean is written out step by step
    valid = torch.arange(h.shape[-1], device=h.device) < lengths[:, None]
    return (h * valid[:, None]).sum(-1) / lengths[:, None]
