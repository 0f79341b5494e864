"""An S4D node at one token as ONNX nodes on int64: (1) to (3) of docs/numerics.md.

Axes      b stream, h channel, n stored mode.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from jaxtyping import Int64

from ns4d.export.onnx.graph import Graph
from ns4d.export.onnx.shifts import Shift, shift_half_up, shift_toward_zero
from ns4d.numerics import ProductRounding
from ns4d.program import S4D, aligned_reduction_bound, aligned_state_bound

NEW = "new/"
MODES = np.array([2], np.int64)  # the axis of the modes


@dataclass(frozen=True, eq=False)
class Neuron:
    """A node with what is proved about it, and the messages of one token.

    Args:
        graph: Grows by the nodes.
        node: The parameters.
        states: (h, n) bounds of the states.
        limit: (h,) bounds of the messages in.
        state_max: Where states saturate.
        u: (b, h) messages in.
    """

    graph: Graph
    node: S4D
    states: Int64[np.ndarray, "h n"]
    limit: Int64[np.ndarray, " h"]
    state_max: int
    u: str

    def times(self, name: str, x: str, left: Shift = 0) -> str:
        """Product of x, the parameter of that name, and 2^left.

        A constant that overflows is harmless: the certificate then says that x is always 0.
        """
        parameter = getattr(self.node, name)
        if name == "b_re" and self.node.has_one_drive:
            parameter = parameter[:, :1]
        constant = self.graph.constant(parameter << left, f"{self.node.name}/{name}")
        return self.graph.node("Mul", x, constant)

    def add(self, left: str, right: str) -> str:
        """Sum of two values."""
        return self.graph.node("Add", left, right)

    def subtract(self, left: str, right: str) -> str:
        """Difference of two values."""
        return self.graph.node("Sub", left, right)

    def drive(self) -> str:
        """The messages for every mode: (b, h, 1)."""
        return self.graph.node("Unsqueeze", self.u, MODES)

    def over_modes(self, terms: str) -> str:
        """The sum over n."""
        return self.graph.node("ReduceSum", terms, MODES, keepdims=0)

    def saturate(self, x: str, part: str) -> str:
        """To the width of a state: its value after the token."""
        low, high = np.int64(-self.state_max), np.int64(self.state_max)
        return self.graph.node("Clip", x, low, high, out=f"{NEW}{self.node.name}/{part}")


def each_toward_zero(at: Neuron, re: str, im: str) -> str:
    """(1), (2), (3) where every product is shifted by itself.

    Args:
        at: The node at this token.
        re, im: (b, h, n) states before it.

    Returns:
        v. The states after the token are "new/<node>/x_re" and "new/<node>/x_im".
    """
    node, u = at.node, at.drive()
    sa, sb, sc = node.a_shift, node.b_shift[:, None], node.c_shift[:, None]

    def t(name: str, x: str, shift: Shift) -> str:
        return shift_toward_zero(at.graph, at.times(name, x), shift)

    new_re = at.subtract(t("a_re", re, sa), t("a_im", im, sa))
    new_im = at.add(t("a_re", im, sa), t("a_im", re, sa))
    new_re = at.add(new_re, t("b_re", u, sb))
    if node.b_im.any():
        new_im = at.add(new_im, t("b_im", u, sb))
    new_re, new_im = at.saturate(new_re, "x_re"), at.saturate(new_im, "x_im")
    y = at.over_modes(at.subtract(t("c_re", new_re, sc), t("c_im", new_im, sc)))
    return at.add(y, t("d", at.u, node.d_shift))


def sum_half_up(at: Neuron, re: str, im: str) -> str:
    """(1), (2), (3) where an exact sum is shifted once; arguments as above."""
    node, times, u = at.node, at.times, at.drive()
    shift = np.maximum(node.a_shift, node.b_shift)
    left, left_b, s = (k[:, None] for k in (shift - node.a_shift, shift - node.b_shift, shift))
    drive = node.a_re, node.a_im, node.b_re, node.b_im, node.a_shift, node.b_shift, at.limit
    bound = int(aligned_state_bound(at.states, *drive).max())

    new_re = at.subtract(times("a_re", re, left), times("a_im", im, left))
    new_im = at.add(times("a_re", im, left), times("a_im", re, left))
    new_re = at.add(new_re, times("b_re", u, left_b))
    if node.b_im.any():
        new_im = at.add(new_im, times("b_im", u, left_b))
    new_re = at.saturate(shift_half_up(at.graph, new_re, s, bound), "x_re")
    new_im = at.saturate(shift_half_up(at.graph, new_im, s, bound), "x_im")
    return _read_half_up(at, new_re, new_im)


def _read_half_up(at: Neuron, re: str, im: str) -> str:
    """Equation (3)."""
    node, s = at.node, np.maximum(at.node.c_shift, at.node.d_shift)
    left, left_d = (s - node.c_shift)[:, None], s - node.d_shift
    output = node.c_re, node.c_im, node.d, node.c_shift, node.d_shift, at.limit
    bound = int(aligned_reduction_bound(at.states, *output).max())
    y = at.over_modes(at.subtract(at.times("c_re", re, left), at.times("c_im", im, left)))
    v = at.add(y, at.times("d", at.u, left_d))
    return shift_half_up(at.graph, v, s, bound)


Step = Callable[[Neuron, str, str], str]

NEURON: Mapping[ProductRounding, Step] = MappingProxyType(
    {
        ProductRounding.EACH_TOWARD_ZERO: each_toward_zero,
        ProductRounding.SUM_HALF_UP: sum_half_up,
    }
)
