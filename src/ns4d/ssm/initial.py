"""Initial spectra of S4D: which frequencies the modes start from.

    S4D-Lin    A_n = -1/2 + i π n                                               (1)
    S4D-Inv    A_n = -1/2 + i (N/π) (N/(2n+1) - 1),  N = 2·modes                (2)
    S4D-LegS   A_n = eigenvalues of the normal part of HiPPO-LegS               (3)

HiPPO-LegS is A_nk = -√(2n+1) √(2k+1) for n > k, -(n+1) for n = k and 0 above. Adding P Pᵀ with
P_n = √(n + 1/2) leaves -1/2 I plus a skew-symmetric matrix, whose eigenvalues are imaginary and
come in conjugate pairs; the positive ones are kept.

Source    arXiv:2206.11893, equations (8), (9) and section 4.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Complex
from torch import Tensor


def linear_spectrum(modes: int) -> Complex[Tensor, " n"]:
    """S4D-Lin (1): equally spaced frequencies, as of a Fourier series."""
    return _with_half_decay(np.pi * np.arange(modes))


def inverse_spectrum(modes: int) -> Complex[Tensor, " n"]:
    """S4D-Inv (2): many slow modes and a few very fast ones, close to LegS."""
    size = 2 * modes
    return _with_half_decay(size / np.pi * (size / (2 * np.arange(modes) + 1) - 1))


def legs_spectrum(modes: int) -> Complex[Tensor, " n"]:
    """S4D-LegS (3): the frequencies that HiPPO derives for memory over all scales, ascending."""
    n = np.arange(2 * modes)
    root = np.sqrt(2 * n + 1)
    hippo = -np.tril(np.outer(root, root), -1) - np.diag(n + 1.0)
    skew = hippo + np.outer(root, root) / 2 + np.eye(2 * modes) / 2
    frequencies = np.linalg.eigvalsh(-1j * skew)
    return _with_half_decay(frequencies[modes:])


def _with_half_decay(frequencies: np.ndarray) -> Tensor:
    return torch.complex(
        torch.full((len(frequencies),), -0.5, dtype=torch.float64),
        torch.from_numpy(np.ascontiguousarray(frequencies, dtype=np.float64)),
    )
