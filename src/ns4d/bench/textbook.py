"""The plain formulation of S4D, as textbooks write it: what we measure against.

    K[h, l] = 2 Re Σ_n C_hn B̄_hn exp(l Δ_h A_hn)         an (h, n, l) tensor of exponentials
    y       = irfft(rfft(u) rfft(K)) + D u                 autograd's own backward pass

It computes the same function as `Network.forward` from the same parameters; a test says so.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from ns4d.model import Network
from ns4d.model.layer import StateSpace


def textbook_forward(network: Network, tokens: Float[Tensor, "b l i"]) -> Tensor:
    """Logits of the paper's n-S4D, computed the textbook way.

    Args:
        network: A network without normalization or residual connections.
        tokens: Normalized tokens.

    Returns:
        Logits (b, classes).
    """
    h = network.encoder(tokens)
    for layer in network.stack:
        y = _convolve(layer.ssm, h.transpose(1, 2)).transpose(1, 2)
        h = functional.relu(layer.linear(functional.relu(y)))
    return network.decoder(h.mean(1))


def _convolve(ssm: StateSpace, u: Float[Tensor, "b h l"]) -> Float[Tensor, "b h l"]:
    length = u.shape[-1]
    a = torch.complex(-torch.exp(ssm.log_decay), ssm.frequency)
    delta_a = a * torch.exp(ssm.log_step)[:, None]
    b_bar = (torch.exp(delta_a) - 1) / a * torch.view_as_complex(ssm.b)
    exponents = delta_a[..., None] * torch.arange(length, device=u.device)
    weights = torch.view_as_complex(ssm.c) * b_bar
    kernel = 2 * torch.einsum("hn,hnl->hl", weights, torch.exp(exponents)).real
    return textbook_convolve(u, kernel) + ssm.d[:, None] * u


def textbook_convolve(u: Float[Tensor, "b h l"], k: Float[Tensor, "h l"]) -> Tensor:
    """Each channel with its kernel, causally: FFTs of 2l points."""
    length = u.shape[-1]
    product = torch.fft.rfft(u, n=2 * length) * torch.fft.rfft(k, n=2 * length)
    return torch.fft.irfft(product, n=2 * length)[..., :length]
