"""Causal convolution in both directions of training.

    y[k]     = Σ_{j≤k} K[k-j] u[j]                                      (1)
    ∂L/∂u[j] = Σ_{k≥j} K[k-j] g[k]          g = ∂L/∂y                   (2)
    ∂L/∂K[j] = Σ_{b,k≥j} u[b,k-j] g[b,k]                                (3)

All three by fast Fourier transforms: in single precision on a CPU, where trainings run without
an accelerator, by compiled code (`ns4d.ssm.vectorized`), else by the library's
(`ns4d.ssm.fourier`). Only u and K are kept between the passes.
"""

from __future__ import annotations

from typing import Any, NoReturn

import torch
from jaxtyping import Float
from torch import Tensor

from ns4d.errors import ShapeError
from ns4d.ssm import fourier, vectorized


class _CausalConvolution(torch.autograd.Function):
    """Equations (1) to (3)."""

    @staticmethod
    def forward(ctx: Any, u: Tensor, k: Tensor) -> Tensor:
        ctx.save_for_backward(u, k)
        return (vectorized if vectorized.serves(u, k) else fourier).convolve(u, k)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None]:
        (u, k), (g,) = ctx.saved_tensors, gradients
        return convolution_gradients(u, k, g, *ctx.needs_input_grad)


def convolution_gradients(
    u: Float[Tensor, "b h l"],
    k: Float[Tensor, "h l"],
    g: Float[Tensor, "b h l"],
    wants_u: bool = True,
    wants_k: bool = True,
) -> tuple[Float[Tensor, "b h l"] | None, Float[Tensor, "h l"] | None]:
    """(2) and (3): what the gradient g at the output is at the input and at the kernel.

    Args:
        u: Input sequences.
        k: One kernel per channel, as long as the input.
        g: Gradient with respect to the output (1).
        wants_u, wants_k: Which of the two are needed.

    Returns:
        The gradient with respect to u, then that with respect to k; None for what is not needed.

    Raises:
        ShapeError: If the three do not belong together.
    """
    _require_shapes(u, k)
    if g.shape != u.shape:
        _refuse("gradient g", f"{tuple(u.shape)}, the shape of the inputs", g)
    # Where a graph of the gradients themselves is wanted, they are made of operations of torch.
    differentiated = torch.is_grad_enabled() and any(each.requires_grad for each in (u, k, g))
    if differentiated or not vectorized.serves(u, k, g):
        return fourier.gradients(u, k, g, wants_u, wants_k)
    of_u, of_k = vectorized.gradients(u, k, g)
    return of_u if wants_u else None, of_k if wants_k else None


def convolve(u: Float[Tensor, "b h l"], k: Float[Tensor, "h l"]) -> Float[Tensor, "b h l"]:
    """Convolve each channel with its kernel, causally (1); differentiable in both.

    Args:
        u: Input sequences.
        k: One kernel per channel, as long as the input.

    Returns:
        The first l outputs.

    Raises:
        ShapeError: If there is not one kernel per channel, as long as the input.
    """
    _require_shapes(u, k)
    with torch.autocast(u.device.type, enabled=False):
        return _CausalConvolution.apply(u.to(k.dtype), k)  # type: ignore[no-any-return]


def _require_shapes(u: Tensor, k: Tensor) -> None:
    """Compiled code takes addresses: it would read whatever lies behind a kernel too short."""
    if u.ndim != 3:
        _refuse("inputs u", "(batch, channels, length)", u)
    if k.shape != u.shape[1:]:
        _refuse("kernels k", f"{tuple(u.shape[1:])}, one per channel, as long as the input", k)


def _refuse(where: str, expected: str, got: Tensor) -> NoReturn:
    fix = "Put the batch first, the channels second, time last."
    raise ShapeError(where, expected=expected, got=str(tuple(got.shape)), fix=fix)
