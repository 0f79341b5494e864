"""Hypothesis strategies for small state-space models, their inputs, partitions of time."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from hypothesis import settings
from hypothesis import strategies as st
from torch import Tensor

from ns4d.ssm import DiscreteSSM, discretize_bilinear, discretize_zoh

METHODS = (discretize_zoh, discretize_bilinear)
Continuous = tuple[Tensor, Tensor, Tensor, Tensor]

few = settings(max_examples=40)
"""For laws that cost many calls per example."""

channels = st.integers(1, 4)
modes = st.integers(1, 5)
lengths = st.integers(1, 40)
seeds = st.integers(0, 2**31 - 1)
partitions = st.lists(st.integers(1, 9), min_size=1, max_size=6)
"""Sizes of consecutive chunks; their sum is the length."""


def normal(*shape: int, seed: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """Standard normal numbers; complex ones have variance 1 too."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def random_continuous(h: int, n: int, seed: int) -> Continuous:
    """A, B, C, step: stable, decays of 0.1 to 10 1/s, frequencies up to 30 rad/s, 1 to 100 ms."""
    rng = np.random.default_rng(seed)
    decay = np.exp(rng.uniform(math.log(0.1), math.log(10), (h, n)))
    a = torch.from_numpy(-decay + 1j * rng.uniform(0, 30, (h, n)))
    b, c = (normal(h, n, seed=seed + k, dtype=torch.complex128) for k in (1, 2))
    return a, b, c, torch.from_numpy(np.exp(rng.uniform(math.log(1e-3), math.log(0.1), h)))


def random_discrete(h: int, n: int, seed: int) -> DiscreteSSM:
    """A stable recurrence whose factors fill the unit disc, the rim included."""
    rng = np.random.default_rng(seed)
    a_bar = np.sqrt(rng.uniform(0, 1, (h, n))) * np.exp(1j * rng.uniform(0, math.pi, (h, n)))
    a_bar[0, 0] /= abs(a_bar[0, 0])
    b, c = (normal(h, n, seed=seed + k, dtype=torch.complex128) for k in (1, 2))
    return DiscreteSSM(torch.from_numpy(a_bar), b, c)


@st.composite
def continuous_models(draw: Callable) -> Continuous:
    """A, B, C and step of any small model."""
    return random_continuous(draw(channels), draw(modes), draw(seeds))


@st.composite
def discrete_models(draw: Callable) -> DiscreteSSM:
    """Any small recurrence."""
    return random_discrete(draw(channels), draw(modes), draw(seeds))


def textbook_kernel(ssm: DiscreteSSM, length: int) -> Tensor:
    """Equation (3) as it stands: K[l] = 2 Re Σ_n C_n Ā_n^l B̄_n, by a Vandermonde matrix."""
    exponents = torch.arange(length)
    vandermonde = ssm.a_bar[..., None] ** exponents
    return 2 * (ssm.c * ssm.b_bar)[..., None].mul(vandermonde).sum(1).real


def plain_convolution(u: Tensor, k: Tensor) -> Tensor:
    """Each channel with its kernel by autograd's own FFTs, padded to twice the length."""
    size = 2 * u.shape[-1]
    return torch.fft.irfft(torch.fft.rfft(u, size) * torch.fft.rfft(k, size), size)[
        ..., : size // 2
    ]


def real_blocks(z: np.ndarray) -> np.ndarray:
    """The diagonal matrix of z acting on (Re x_1, Im x_1, Re x_2, …): one 2 × 2 block a mode."""
    n = len(z)
    matrix = np.zeros((2 * n, 2 * n))
    even, odd = np.arange(0, 2 * n, 2), np.arange(1, 2 * n, 2)
    matrix[even, even] = matrix[odd, odd] = z.real
    matrix[odd, even], matrix[even, odd] = z.imag, -z.imag
    return matrix


def real_vector(z: np.ndarray) -> np.ndarray:
    """Complex numbers as (Re z_1, Im z_1, Re z_2, …)."""
    return np.stack([z.real, z.imag], -1).reshape(-1)


def real_readout(c: np.ndarray) -> np.ndarray:
    """The row with which (Re x_1, Im x_1, …) gives 2 Re Σ c_n x_n."""
    return 2 * real_vector(c.conj())
