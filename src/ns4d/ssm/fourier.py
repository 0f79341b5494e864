"""Causal convolution by real FFTs of the library: on every device, in every precision.

    Y = F(K) F(u)        ∂L/∂u: conj(F(K)) F(g)        ∂L/∂K: Σ_b conj(F(u)) F(g)        (1)

F is the real FFT of the sequence padded with zeros to at least 2l - 1, so nothing wraps round.
Autograd's own backward of a real FFT runs complex FFTs and keeps F(u) alive between the passes;
these need real ones only, and transforming u again costs less than holding it.

On a CPU the batch goes through in blocks whose spectra stay in the processor's cache; every
sequence is transformed by itself, so blocks change no bit of Y and ∂L/∂u.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

BLOCK_BYTES = 2**20  # of one spectrum; about the second-level caches of two cores
COMPLEX_BYTES = 8


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


def _blocks(u: Tensor, size: int) -> Iterator[slice]:
    """Consecutive parts of the batch; on an accelerator all of it at once."""
    batch, channels, _ = u.shape
    count = BLOCK_BYTES // (channels * (size // 2 + 1) * COMPLEX_BYTES)
    count = max(1, count) if u.device.type == "cpu" else max(1, batch)
    return (slice(first, first + count) for first in range(0, batch, count))


def convolve(u: Float[Tensor, "b h l"], k: Float[Tensor, "h l"]) -> Float[Tensor, "b h l"]:
    """The first l outputs, Y in (1).

    Args:
        u: Input sequences.
        k: One kernel per channel, as long as the input.
    """
    length = u.shape[-1]
    size = fft_length(2 * length - 1)
    k_spectrum = torch.fft.rfft(k, n=size)
    y = torch.empty_like(u)
    for block in _blocks(u, size):
        spectrum = torch.fft.rfft(u[block], n=size).mul_(k_spectrum)
        y[block] = torch.fft.irfft(spectrum, n=size)[..., :length]
    return y


def gradients(
    u: Float[Tensor, "b h l"],
    k: Float[Tensor, "h l"],
    g: Float[Tensor, "b h l"],
    wants_u: bool = True,
    wants_k: bool = True,
) -> tuple[Float[Tensor, "b h l"] | None, Float[Tensor, "h l"] | None]:
    """The gradients in (1).

    Args:
        u, k: As in `convolve`.
        g: Gradient with respect to its result.
        wants_u, wants_k: Which of the two are needed.

    Returns:
        The gradient with respect to u, then that with respect to k; None for what is not needed.
    """
    length = u.shape[-1]
    size = fft_length(2 * length - 1)
    k_spectrum = torch.fft.rfft(k, n=size).conj()
    total = torch.zeros_like(k_spectrum)
    grad_u = torch.empty_like(u) if wants_u else None
    for block in _blocks(u, size):
        g_spectrum = torch.fft.rfft(g[block], n=size)
        if wants_k:
            product = torch.fft.rfft(u[block], n=size).conj_physical_().mul_(g_spectrum)
            total = total + product.sum(0)
        if grad_u is not None:
            g_spectrum.mul_(k_spectrum)
            grad_u[block] = torch.fft.irfft(g_spectrum, n=size)[..., :length]
    grad_k = torch.fft.irfft(total, n=size)[..., :length] if wants_k else None
    return grad_u, grad_k
