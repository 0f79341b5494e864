"""The impulse response of diagonal modes with its gradient, by the same two tables of powers.

    K[l]     = 2 Re Σ_n w_n Ā_n^l                                   (1)
    S_n(g)   = Σ_l g[l] Ā_n^l                                       (2)
    ∂L/∂w_n  = 2 conj(S_n(g))                 g = ∂L/∂K             (3)
    ∂L/∂Ā_n  = 2 conj(w_n S_n(g'))            g'[l] = (l+1) g[l+1]  (4)

With q about √l, Ā^(qj+i) = (Ā^q)^j Ā^i. So (1) is one real matrix product over n, in which
Re(z w) = Re z Re w - Im z Im w, and (2) one over j with a short sum over i. Autograd would go
back through every doubling of the tables.

Axes      h channel, n stored mode, l time step, k power.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Complex, Float
from torch import Tensor


def powers(a_bar: Complex[Tensor, "h n"], count: int) -> Complex[Tensor, "h n k"]:
    """Ā^0 … Ā^(count-1) by doubling: about log2(count) products, no logarithm, no division."""
    table = torch.ones_like(a_bar)[..., None]
    factor = a_bar[..., None]
    while table.shape[-1] < count:
        table = torch.cat([table, table * factor], dim=-1)
        factor = factor * factor
    return table[..., :count]


def impulse_response(
    a_bar: Complex[Tensor, "h n"], w: Complex[Tensor, "h n"], length: int
) -> Float[Tensor, "h l"]:
    """Equation (1), without an (h, n, l) tensor; differentiable once, in both.

    Args:
        a_bar: The discrete spectrum.
        w: What each mode's power is weighted by: C B̄.
        length: Number of time steps l, at least 1.

    Returns:
        K[0] … K[l-1] per channel.
    """
    with torch.autocast(a_bar.device.type, enabled=False):  # bfloat16 would cost five digits
        return _ImpulseResponse.apply(a_bar, w, length)  # type: ignore[no-any-return]


class _ImpulseResponse(torch.autograd.Function):
    """Equations (1), (3), (4)."""

    @staticmethod
    def forward(ctx: Any, a_bar: Tensor, w: Tensor, length: int) -> Tensor:
        fine_count = math.isqrt(length - 1) + 1
        fine = powers(a_bar, fine_count)
        coarse = powers(fine[..., -1] * a_bar, -(-length // fine_count))
        ctx.save_for_backward(w, fine, coarse)
        left = 2 * w[..., None] * coarse
        left = torch.cat([left.real, -left.imag], dim=1)
        right = torch.cat([fine.real, fine.imag], dim=1)
        return (left.mT @ right).flatten(1)[:, :length]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        w, fine, coarse = ctx.saved_tensors
        (g,) = gradients
        length, (h, n, fine_count) = g.shape[1], fine.shape
        # Both of (3) and (4) side by side, in blocks of time as long as the fine table.
        both = g.new_zeros(h, 2, coarse.shape[-1] * fine_count)
        both[:, 0, :length] = g
        lags = torch.arange(1, length, dtype=g.dtype, device=g.device)
        torch.mul(g[:, 1:], lags, out=both[:, 1, : length - 1])
        blocks = both.view(h, 2, -1, fine_count).transpose(1, 2).flatten(2)
        over_blocks = torch.cat([coarse.real, coarse.imag], dim=1) @ blocks
        over_blocks = torch.complex(over_blocks[:, :n], over_blocks[:, n:])
        sums = (over_blocks.view(h, n, 2, fine_count) * fine[:, :, None]).sum(-1)
        return 2 * (w * sums[..., 1]).conj(), 2 * sums[..., 0].conj(), None
