"""Straight through: exact integers forward, the gradient of a float layer backward.

    forward    z = m · s                    messages of the program, times the value of a step  (1)
    backward   ∂z/∂u, ∂z/∂θ of the float layer at θ̂, where the message is open; else 0          (2)
    open       0 < m < limit after a ReLU, |m| < limit without                                  (3)
    θ̂          the program's integers, times their steps; ∂θ̂/∂θ = 1                             (4)

The steps in (4) hold all that the program does to a number on its way, the rounding of its
descaling factor included, so that the float layer at θ̂ differs from (1) by the rounding of states,
outputs and messages only. Of a neuron's B̄ and C only the product reaches the output, so (4) is
applied to Ā, to C·B̄ and to D; C and B̄ then receive their gradient through the float product. A
state that saturates passes the gradient as if it did not.

Axes      b batch, h channel, n stored mode, l time step, i in, o out. Time is last.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from ns4d.model.layer import StateSpace
from ns4d.program import S4D, Dense, Descale, Readout
from ns4d.program.nodes import Add
from ns4d.ssm import DiscreteSSM, kernel
from ns4d.ssm.convolution import convolution_gradients


@dataclass(frozen=True, eq=False)
class Sent:
    """What a node sends, as the next float layer sees it.

    Args:
        step: s, the value of one step of its messages.
        values: (1).
        is_open: (3); None where nothing is clipped, which is the case of the input.
    """

    step: float
    values: Float[Tensor, "b o l"]
    is_open: Bool[Tensor, "b o l"] | None = None


def sent_by(
    descale: Descale, step: float, messages: Int64[Tensor, "b l o"], dtype: torch.dtype
) -> Sent:
    """(1) and (3) of one node's messages."""
    # A message has at most 24 bits, so that float32 holds it exactly; its passes are cheaper.
    m = messages.to(dtype).mT.contiguous()
    limit = torch.from_numpy(descale.limit.astype(np.float64)).to(m)[:, None]
    is_open = (m > (0 if descale.relu else -limit)) & (m < limit)
    return Sent(step, m.mul_(step), is_open)


def straight_dense(
    node: Dense, linear: nn.Linear, before: Sent, after: Sent
) -> Float[Tensor, "b o l"]:
    """A linear map: the values in `after`, with the gradient (2).

    Args:
        node: Its integers.
        linear: Its parameters.
        before: Messages in; its values may carry a gradient.
        after: Messages out.
    """
    unit = _unit(node.descale, after)
    weight = _through(node.weight * (unit / before.step)[:, None], linear.weight)
    bias = _through(node.bias * unit, linear.bias)
    return _StraightLinear.apply(before.values, weight, bias, after.values, after.is_open)  # type: ignore[no-any-return]


def straight_neuron(
    node: S4D, ssm: StateSpace, before: Sent, after: Sent
) -> Float[Tensor, "b h l"]:
    """A state-space model: the values in `after`, with the gradient (2).

    Args: as in `straight_dense`.
    """
    gain = _unit(node.descale, after) / before.step
    discrete, u = ssm.discrete(), before.values
    a = (node.a_re + 1j * node.a_im) * 2.0**-node.a_shift
    product = (node.b_re + 1j * node.b_im) * (node.c_re + 1j * node.c_im)
    scale = np.ldexp(gain / 2, -(node.b_shift + node.c_shift))
    a_bar = _through(a, discrete.a_bar)
    cb = _through(product * scale[:, None], discrete.c * discrete.b_bar)
    d = _through(np.ldexp(node.d * gain, -node.d_shift), ssm.d)
    k = kernel(DiscreteSSM(a_bar, torch.ones_like(cb), cb), u.shape[-1])
    k = torch.cat([k[:, :1] + d[:, None], k[:, 1:]], dim=1)
    return _StraightConvolution.apply(u, k, after.values, after.is_open)  # type: ignore[no-any-return]


def mean_over_time(
    values: Float[Tensor, "b h l"], lengths: Int64[Tensor, " b"]
) -> Float[Tensor, "b h"]:
    """The mean over the first tokens of each sequence."""
    valid = torch.arange(values.shape[-1], device=values.device) < lengths[:, None]
    return (values * valid[:, None]).sum(-1) / lengths[:, None]


def straight_add(node: Add, before: Sent, source: Sent, after: Sent) -> Float[Tensor, "b h l"]:
    """A residual connection, which has no parameters: the gradient goes to both its inputs."""
    unit = _unit(node.descale, after)
    weight, skip = (
        torch.from_numpy(w * (unit / sent.step)).to(sent.values)[:, None]
        for w, sent in ((node.weight, before), (node.skip, source))
    )
    total = before.values * weight + source.values * skip
    return _Straight.apply(total, after.values, after.is_open)  # type: ignore[no-any-return]


def straight_readout(
    node: Readout,
    linear: nn.Linear,
    before: Sent,
    score: float,
    scores: Int64[Tensor, "b classes"],
    lengths: Int64[Tensor, " b"],
) -> Float[Tensor, "b classes"]:
    """The read-out: logits are the exact scores after T tokens, times the value of a step, over T.

    Args:
        node: Its integers.
        linear: The decoder's parameters.
        before: Messages in.
        score: The value of one step of a score.
        scores: (6) after the last token of each sequence.
        lengths: T of each sequence.
    """
    weight = _through(node.weight * (score / before.step), linear.weight)
    bias = _through(node.bias * score, linear.bias)
    smooth = nn.functional.linear(mean_over_time(before.values, lengths), weight, bias)
    return logits_of(scores, score, lengths).to(smooth.dtype) + (smooth - smooth.detach())


def logits_of(
    scores: Int64[Tensor, "b classes"], score: float, lengths: Int64[Tensor, " b"]
) -> Float[Tensor, "b classes"]:
    """Scores as logits, in doubles."""
    return scores.double() * score / lengths[:, None]


class _Straight(torch.autograd.Function):
    """(1), (2) for what autograd has differentiated already."""

    @staticmethod
    def forward(ctx: Any, total: Tensor, values: Tensor, is_open: Tensor) -> Tensor:
        ctx.save_for_backward(is_open)
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (is_open,) = ctx.saved_tensors
        return gradients[0] * is_open, None, None


class _StraightLinear(torch.autograd.Function):
    """(1), (2) of W u + bias, which is never computed."""

    @staticmethod
    def forward(
        ctx: Any, u: Tensor, weight: Tensor, bias: Tensor, values: Tensor, is_open: Tensor
    ) -> Tensor:
        ctx.save_for_backward(u, weight, is_open)
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        u, weight, is_open = ctx.saved_tensors
        g = gradients[0] * is_open
        grad_u = None
        if ctx.needs_input_grad[0]:
            grad_u = torch.bmm(weight.mT.expand(len(g), -1, -1), g)
        return grad_u, torch.bmm(g, u.mT).sum(0), g.sum((0, 2)), None, None


class _StraightConvolution(torch.autograd.Function):
    """(1), (2) of k * u, which is never computed."""

    @staticmethod
    def forward(ctx: Any, u: Tensor, k: Tensor, values: Tensor, is_open: Tensor) -> Tensor:
        ctx.save_for_backward(u, k, is_open)
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        u, k, is_open = ctx.saved_tensors
        g = gradients[0] * is_open
        return *convolution_gradients(u, k, g, *ctx.needs_input_grad[:2]), None, None


def _unit(descale: Descale, after: Sent) -> Float[np.ndarray, " o"]:
    """The value of one unit of the accumulator, as the multiplier has it."""
    return np.ldexp(descale.multiplier * after.step, -descale.shift)


def _through(value: np.ndarray, parameter: Tensor) -> Tensor:
    """(4): the value, with the gradient of the parameter."""
    there = torch.from_numpy(value).to(parameter.device, parameter.dtype)
    return there + (parameter - parameter.detach())
