"""One layer of the network: state-space model, nonlinearity, mixer.

From its input u to its output o:

    z = φ(SSM(u))          state-space model per channel, D u included                  (1)
    m = mix(W z + bias)    over channels; batch norm, if any, before the mixer's ReLU   (2)
    o = norm(m + u)        residual and layer norm where configured                     (3)
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Complex, Float
from torch import Tensor, nn
from torch.nn import functional

from ns4d.model.config import Discretization, Mixer, ModelConfig, Nonlinearity, Norm, Spectrum
from ns4d.ssm import (
    DiscreteSSM,
    advance,
    convolve,
    discretize_bilinear,
    discretize_zoh,
    inverse_spectrum,
    kernel,
    legs_spectrum,
    linear_spectrum,
    scan,
)

SPECTRA = {
    Spectrum.LEGS: legs_spectrum,
    Spectrum.LINEAR: linear_spectrum,
    Spectrum.INVERSE: inverse_spectrum,
}
DISCRETIZATIONS = {
    Discretization.ZOH: discretize_zoh,
    Discretization.BILINEAR: discretize_bilinear,
}
NONLINEARITIES = {Nonlinearity.RELU: functional.relu, Nonlinearity.GELU: functional.gelu}


def _glu(v: Tensor) -> Tensor:
    return functional.glu(v, dim=1)


def _identity(v: Tensor) -> Tensor:
    return v


# ReLU in place: what the linear map has just made is nobody else's yet.
MIXERS = {Mixer.RELU: torch.relu_, Mixer.GLU: _glu, Mixer.LINEAR: _identity}


def mix_channels(linear: nn.Linear, z: Float[Tensor, "b i l"]) -> Float[Tensor, "b o l"]:
    """Apply a linear map along the channels, with time kept last.

    One small product per sequence: `matmul` would fold the batch into one product and copy
    the activations twice to do so.
    """
    batch = len(z)
    weight = linear.weight.expand(batch, -1, -1)
    return torch.baddbmm(linear.bias[:, None].expand(batch, -1, 1), weight, z)


class StateSpace(nn.Module):
    """The trained state-space model of one layer: A, B, C per mode, D and the step per channel.

    A is stored as log(-Re A) and Im A, so that every value it can take is stable.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        h, n = config.channels, config.modes
        spectrum = SPECTRA[config.spectrum](n).expand(h, n)
        low, high = math.log(config.step_min), math.log(config.step_max)
        self.log_decay = nn.Parameter(torch.log(-spectrum.real).float())
        self.frequency = nn.Parameter(spectrum.imag.float().clone())
        self.b = nn.Parameter(torch.stack([torch.ones(h, n), torch.zeros(h, n)], dim=-1))
        self.c = nn.Parameter(torch.randn(h, n, 2) * math.sqrt(0.5))
        self.d = nn.Parameter(torch.randn(h))
        self.log_step = nn.Parameter(torch.rand(h) * (high - low) + low)
        self._discretize = DISCRETIZATIONS[config.discretization]

    def discrete(self, rate: float = 1.0) -> DiscreteSSM:
        """The recurrence for data sampled `rate` times as far apart as in training."""
        a = torch.complex(-torch.exp(self.log_decay), self.frequency)
        b, c = torch.view_as_complex(self.b), torch.view_as_complex(self.c)
        return self._discretize(a, b, c, torch.exp(self.log_step), rate)

    def forward(self, u: Float[Tensor, "b h l"], rate: float = 1.0) -> Float[Tensor, "b h l"]:
        """Convolve; D is the kernel's value at lag zero, so it costs nothing of its own."""
        with torch.autocast(u.device.type, enabled=False):
            k = kernel(self.discrete(rate), u.shape[-1])
            k = k + functional.pad(self.d[:, None], (0, k.shape[1] - 1))
            return convolve(u, k)


class S4DLayer(nn.Module):
    """Equations (1) to (3), as a convolution, a chunked scan and a single step."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        h = config.channels
        self.config = config
        self.ssm = StateSpace(config)
        self.linear = nn.Linear(h, 2 * h if config.mixer is Mixer.GLU else h)
        self.batch_norm = nn.BatchNorm1d(h) if config.norm is Norm.BATCH else None
        self.layer_norm = nn.LayerNorm(h) if config.norm is Norm.LAYER else None

    def forward(self, u: Float[Tensor, "b h l"], rate: float = 1.0) -> Float[Tensor, "b h l"]:
        """Whole sequences from the zero state."""
        return self._mix(self.ssm(u, rate), u)

    def scan(
        self, x: Complex[Tensor, "b h n"], u: Float[Tensor, "b h l"], rate: float = 1.0
    ) -> tuple[Complex[Tensor, "b h n"], Float[Tensor, "b h l"]]:
        """A chunk from the state x; returns the new state and the outputs."""
        x, y = scan(self.ssm.discrete(rate), x, u)
        return x, self._mix(y + self.ssm.d[:, None] * u, u)

    def step(
        self, x: Complex[Tensor, "b h n"], u: Float[Tensor, "b h"], rate: float = 1.0
    ) -> tuple[Complex[Tensor, "b h n"], Float[Tensor, "b h"]]:
        """One token by the recurrence; returns the new state and the output."""
        x, y = advance(self.ssm.discrete(rate), x, u)
        return x, self._mix((y + self.ssm.d * u)[..., None], u[..., None])[..., 0]

    def _mix(self, y: Tensor, u: Tensor) -> Tensor:
        z = self._drop(NONLINEARITIES[self.config.nonlinearity](y))
        v = mix_channels(self.linear, z)
        v = v if self.batch_norm is None else self.batch_norm(v)
        m = self._drop(MIXERS[self.config.mixer](v))
        m = m + u if self.config.residual else m
        return m if self.layer_norm is None else self.layer_norm(m.mT).mT

    def _drop(self, z: Tensor) -> Tensor:
        """Whole channels of a sequence, as in S4: single steps would be filled in by the SSM."""
        if not self.training or self.config.dropout == 0:
            return z
        return functional.dropout1d(z, self.config.dropout)
