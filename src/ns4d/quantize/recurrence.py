"""The integer recurrence in PyTorch, on any device: the forward pass of QAFT where torch computes.

Equations (1) to (5) and (10) of `ns4d.program.nodes`, node by node, each over all its tokens. int64
throughout, except that sums of weighted messages are formed in float64: they are proved to stay
below 2^39, so every partial sum is an exact integer there, and CUDA has no int64 product.

Axes      b batch, h channel, n stored mode, l time step, i in, o out.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from ns4d.numerics import Arithmetic, ProductRounding, SynapseRounding
from ns4d.program import S4D, Dense, Descale, Program
from ns4d.program.nodes import Add, Node


def trace_tensors(program: Program, u: Int64[Tensor, "b l i"]) -> dict[str, Int64[Tensor, "b l _"]]:
    """What every node sends at every token, from zero state: the bits of `Engine.trace`.

    Args:
        program: What to run.
        u: Messages that have been admitted, on the device that is to compute.

    Returns:
        Node name -> (b, l, o) messages, on that device.
    """
    sent: dict[str, Tensor] = {}
    m = u
    for node in program.nodes:
        v = _accumulator(program.arithmetic, node, m, sent)
        m = sent[node.name] = _descale(program.arithmetic, node.descale, v)
    return sent


def _accumulator(arithmetic: Arithmetic, node: Node, m: Tensor, sent: dict[str, Tensor]) -> Tensor:
    """(5), (10) or (1) to (3): what the descaling of the node receives."""
    if isinstance(node, Dense):
        weight = _like(node.weight, m).double()
        return (m.double() @ weight.mT).long() + _like(node.bias, m)
    if isinstance(node, Add):
        return _like(node.weight, m) * m + _like(node.skip, m) * sent[node.source]
    neuron = NEURONS[arithmetic.product_rounding](arithmetic, node, m)
    return torch.stack([neuron.advance(token) for token in m.unbind(1)], dim=1)


def _descale(arithmetic: Arithmetic, descale: Descale, v: Int64[Tensor, "b l o"]) -> Tensor:
    """(4): from accumulators to messages."""
    product, limit = v * _like(descale.multiplier, v), _like(descale.limit, v)
    if arithmetic.synapse_rounding is SynapseRounding.HALF_UP:
        product = product + ((1 << descale.shift) >> 1)
    lowest = torch.zeros_like(limit) if descale.relu else -limit
    return (product >> descale.shift).clamp(lowest, limit)


class _EachTowardZero:
    """(1) to (3) with every product shifted toward zero by itself, and the states."""

    def __init__(self, arithmetic: Arithmetic, node: S4D, m: Tensor) -> None:
        self.a, self.b, self.c = _coefficients(node, m)
        self.d, self.d_shift = _like(node.d, m), _like(node.d_shift, m)
        self.a_shift = torch.tensor(node.a_shift, device=m.device)
        self.b_shift, self.c_shift = (_column(s, m) for s in (node.b_shift, node.c_shift))
        self.largest = arithmetic.state_max
        self.x_re = self.x_im = m.new_zeros(len(m), *node.a_re.shape)

    def advance(self, u: Int64[Tensor, "b h"]) -> Int64[Tensor, "b h"]:
        """One token: the new states, then v."""
        t, sa, column = _toward_zero, self.a_shift, u[..., None]
        (a_re, a_im), (b_re, b_im), (c_re, c_im) = self.a, self.b, self.c
        re = t(a_re * self.x_re, sa) - t(a_im * self.x_im, sa) + t(b_re * column, self.b_shift)
        im = t(a_re * self.x_im, sa) + t(a_im * self.x_re, sa) + t(b_im * column, self.b_shift)
        self.x_re, self.x_im = (x.clamp(-self.largest, self.largest) for x in (re, im))
        y = t(c_re * self.x_re, self.c_shift) - t(c_im * self.x_im, self.c_shift)
        return y.sum(-1) + t(self.d * u, self.d_shift)


class _SumHalfUp:
    """(1) to (3) with exact sums over the larger exponent, each shifted once, and the states."""

    def __init__(self, arithmetic: Arithmetic, node: S4D, m: Tensor) -> None:
        self.a, self.b, self.c = _coefficients(node, m)
        self.d = _like(node.d, m)
        self.update_shift = _column(np.maximum(node.a_shift, node.b_shift), m)
        self.output_shift = _like(np.maximum(node.c_shift, node.d_shift), m)
        self.a_lift = self.update_shift - node.a_shift
        self.b_lift = self.update_shift - _column(node.b_shift, m)
        self.c_lift = self.output_shift - _like(node.c_shift, m)
        self.d_lift = self.output_shift - _like(node.d_shift, m)
        self.largest = arithmetic.state_max
        self.x_re = self.x_im = m.new_zeros(len(m), *node.a_re.shape)

    def advance(self, u: Int64[Tensor, "b h"]) -> Int64[Tensor, "b h"]:
        """One token: the new states, then v."""
        (a_re, a_im), (b_re, b_im), (c_re, c_im) = self.a, self.b, self.c
        column, s = u[..., None], self.update_shift
        re, im = a_re * self.x_re - a_im * self.x_im, a_re * self.x_im + a_im * self.x_re
        re = _half_up((re << self.a_lift) + (b_re * column << self.b_lift), s)
        im = _half_up((im << self.a_lift) + (b_im * column << self.b_lift), s)
        self.x_re, self.x_im = (x.clamp(-self.largest, self.largest) for x in (re, im))
        y = (c_re * self.x_re - c_im * self.x_im).sum(-1)
        return _half_up((y << self.c_lift) + (self.d * u << self.d_lift), self.output_shift)


NEURONS = {
    ProductRounding.EACH_TOWARD_ZERO: _EachTowardZero,
    ProductRounding.SUM_HALF_UP: _SumHalfUp,
}


def _toward_zero(p: Tensor, s: Tensor) -> Tensor:
    """(b) of the primitives: what the shift would round down, a negative p, is lifted first."""
    return (p + ((p >> 63) & ((torch.ones_like(s) << s) - 1))) >> s


def _half_up(p: Tensor, s: Tensor) -> Tensor:
    """(c) of the primitives."""
    return (p + ((torch.ones_like(s) << s) >> 1)) >> s


def _coefficients(node: S4D, m: Tensor) -> tuple[tuple[Tensor, Tensor], ...]:
    """a, b and c, each as its real and imaginary parts (h, n)."""
    pairs = ((node.a_re, node.a_im), (node.b_re, node.b_im), (node.c_re, node.c_im))
    return tuple((_like(re, m), _like(im, m)) for re, im in pairs)


def _column(array: np.ndarray, m: Tensor) -> Int64[Tensor, "h 1"]:
    return _like(array, m)[:, None]


def _like(array: np.ndarray, m: Tensor) -> Tensor:
    """A program's array on the device of the messages; copied, because it is read-only."""
    return torch.from_numpy(array.astype(np.int64)).to(m.device)
