"""Causal convolution by real FFTs, in both directions of training.

    y[k]     = Σ_{j≤k} K[k-j] u[j]          Y = F(K) F(u)                       (1)
    ∂L/∂u[j] = Σ_{k≥j} K[k-j] g[k]          correlation: conj(F(K)) F(g)        (2)
    ∂L/∂K[j] = Σ_{b,k≥j} u[b,k-j] g[b,k]    correlation: Σ_b conj(F(u)) F(g)    (3)

F is the real FFT of the sequence padded with zeros to at least 2l - 1, so nothing wraps round.
Autograd's own backward of a real FFT runs complex FFTs and keeps F(u) alive between the passes;
(2) and (3) need real ones only, and transforming u again costs less than holding it.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor


def fft_length(minimum: int) -> int:
    """The smallest even number ≥ minimum without a prime factor above 7, which FFTs run fast."""
    candidate = max(minimum + minimum % 2, 2)  # zero has every factor, for ever
    while _remove_factors(candidate, (2, 3, 5, 7)) != 1:
        candidate += 2
    return candidate


def _remove_factors(number: int, primes: tuple[int, ...]) -> int:
    for prime in primes:
        while number % prime == 0:
            number //= prime
    return number


class _CausalConvolution(torch.autograd.Function):
    """Equations (1) to (3)."""

    @staticmethod
    def forward(ctx: Any, u: Tensor, k: Tensor) -> Tensor:
        length = u.shape[-1]
        size = fft_length(2 * length - 1)
        ctx.save_for_backward(u, k)
        spectrum = torch.fft.rfft(u, n=size).mul_(torch.fft.rfft(k, n=size))
        return torch.fft.irfft(spectrum, n=size)[..., :length]

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
    """
    length = u.shape[-1]
    size = fft_length(2 * length - 1)
    g_spectrum = torch.fft.rfft(g, n=size)
    grad_k = grad_u = None
    if wants_k:
        product = torch.fft.rfft(u, n=size).conj_physical_().mul_(g_spectrum)
        grad_k = torch.fft.irfft(product.sum(0), n=size)[..., :length]
        del product
    if wants_u:
        g_spectrum.mul_(torch.fft.rfft(k, n=size).conj())
        grad_u = torch.fft.irfft(g_spectrum, n=size)[..., :length]
    return grad_u, grad_k


def convolve(u: Float[Tensor, "b h l"], k: Float[Tensor, "h l"]) -> Float[Tensor, "b h l"]:
    """Convolve each channel with its kernel, causally (1); differentiable in both.

    Args:
        u: Input sequences.
        k: One kernel per channel, as long as the input.

    Returns:
        The first l outputs.
    """
    with torch.autocast(u.device.type, enabled=False):
        return _CausalConvolution.apply(u.to(k.dtype), k)  # type: ignore[no-any-return]
