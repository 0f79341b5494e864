"""A diagonal state-space model (S4D): discretization, kernel, recurrence.

    continuous    x'(t) = A x(t) + B u(t)      y(t) = 2 Re(C x(t))              (1)
    recurrence    x[k]  = Ā x[k-1] + B̄ u[k]    y[k] = 2 Re(C x[k])              (2)
    convolution   y     = K * u                K[l] = 2 Re Σ_n C_n Ā_n^l B̄_n    (3)
    from a state  y[k]  = 2 Re Σ_n C_n Ā_n^(k+1) x_n + (K * u)[k]               (4)

Modes come in conjugate pairs: one of each pair is stored and 2 Re(·) stands for both.
From x = 0, (2), (3) and (4) give the same y. Training uses (3), streaming (2), chunks (4).

Axes      b batch, h channel, n stored mode (state size 2n), l time step.
Units     the step is in seconds and A in 1/s; both are per sample if the step is dimensionless.
Source    Gu et al., On the Parameterization and Initialization of Diagonal State Space
          Models, NeurIPS 2022, arXiv:2206.11893.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from ns4d.ssm.convolution import convolve
from ns4d.ssm.impulse import impulse_response, powers


@dataclass(frozen=True)
class DiscreteSSM:
    """The parameters of (2): everything that a streaming implementation needs."""

    a_bar: Complex[Tensor, "h n"]
    b_bar: Complex[Tensor, "h n"]
    c: Complex[Tensor, "h n"]


def discretize_zoh(
    a: Complex[Tensor, "h n"],
    b: Complex[Tensor, "h n"],
    c: Complex[Tensor, "h n"],
    step: Float[Tensor, " h"],
    rate: float = 1.0,
) -> DiscreteSSM:
    """Zero-order hold, exact when u is constant within a step: Ā = e^ΔA, B̄ = (e^ΔA - 1) B / A.

    `expm1` and not `exp(·) - 1`: at ΔA = 5e-4 the subtraction costs float32 three of its
    seven digits.

    Args:
        a: Continuous spectrum, real parts negative, 1/s.
        b: Input vector.
        c: Output vector.
        step: Time between two samples, per channel, s.
        rate: Factor on the step: 2 for data sampled half as often as in training.

    Returns:
        The recurrence at that step.
    """
    delta_a = (rate * step)[:, None] * a
    return DiscreteSSM(torch.exp(delta_a), torch.expm1(delta_a) / a * b, c)


def discretize_bilinear(
    a: Complex[Tensor, "h n"],
    b: Complex[Tensor, "h n"],
    c: Complex[Tensor, "h n"],
    step: Float[Tensor, " h"],
    rate: float = 1.0,
) -> DiscreteSSM:
    """Tustin's rule: Ā = (1 + ΔA/2) / (1 - ΔA/2), B̄ = ΔB / (1 - ΔA/2); arguments as for ZOH."""
    delta = (rate * step)[:, None]
    denominator = 1 - delta * a / 2
    return DiscreteSSM((1 + delta * a / 2) / denominator, delta * b / denominator, c)


def kernel(ssm: DiscreteSSM, length: int) -> Float[Tensor, "h l"]:
    """The impulse response (3), without an (h, n, l) tensor; see `ns4d.ssm.impulse`.

    Args:
        ssm: The discrete model.
        length: Number of time steps l, at least 1.

    Returns:
        K[0] … K[l-1] per channel.
    """
    return impulse_response(ssm.a_bar, ssm.c * ssm.b_bar, length)


def advance(
    ssm: DiscreteSSM, x: Complex[Tensor, "b h n"], u: Float[Tensor, "b h"]
) -> tuple[Complex[Tensor, "b h n"], Float[Tensor, "b h"]]:
    """One step of (2): the state after seeing u, and the output computed from it."""
    x = ssm.a_bar * x + ssm.b_bar * u[..., None]
    return x, 2 * (ssm.c * x).sum(-1).real


def respond(ssm: DiscreteSSM, x: Complex[Tensor, "b h n"], length: int) -> Float[Tensor, "b h l"]:
    """First term of (4): what the state alone contributes to the next `length` outputs."""
    decay = ssm.a_bar[..., None] * powers(ssm.a_bar, length)
    return 2 * torch.einsum("bhn,hnl->bhl", ssm.c * x, decay).real


def scan(
    ssm: DiscreteSSM, x: Complex[Tensor, "b h n"], u: Float[Tensor, "b h l"]
) -> tuple[Complex[Tensor, "b h n"], Float[Tensor, "b h l"]]:
    """A whole chunk from any state (4); equal to `advance` applied to each column of u.

    Args:
        ssm: The discrete model.
        x: State before the chunk.
        u: Input of the chunk.

    Returns:
        The state after the chunk and the outputs within it.
    """
    length = u.shape[-1]
    y = respond(ssm, x, length) + convolve(u, kernel(ssm, length))
    table = powers(ssm.a_bar, length)
    driven = torch.einsum("bhl,hnl->bhn", u.to(table.dtype), table.flip(-1))
    return table[..., -1] * ssm.a_bar * x + ssm.b_bar * driven, y
