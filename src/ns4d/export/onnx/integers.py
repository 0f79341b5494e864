"""One token of a program as ONNX nodes on int64: the equations of docs/numerics.md, in order.

Operators: Add, Sub, Mul, Div, Mod, Max, Min, Clip, MatMul, ReduceSum, Squeeze, Unsqueeze. All are
defined on int64 and have a kernel for it in ONNX Runtime. No value leaves 63 bits, because the
program is proved not to.

Integers throughout: a double holds the products of most programs, but not those of every legal
profile, and the specification of Cast does not say how it rounds a fraction.

Axes      b stream, i in, o out, h channel, n stored mode.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from jaxtyping import Int64

from ns4d.export.onnx.graph import Axis, Graph
from ns4d.export.onnx.neuron import NEURON, NEW, Neuron
from ns4d.export.onnx.shifts import shift_floor, shift_half_up
from ns4d.numerics import Arithmetic, SynapseRounding
from ns4d.program import Add, Dense, Descale, Node, Program

SYNAPSE = MappingProxyType(
    {SynapseRounding.FLOOR: shift_floor, SynapseRounding.HALF_UP: shift_half_up}
)


def state_shapes(program: Program) -> dict[str, tuple[Axis, ...]]:
    """The parts of the state as `State.to_arrays` names them -> shape, with "b" for the streams."""
    shapes: dict[str, tuple[Axis, ...]] = {}
    for node in program.recurrent:
        shapes |= {f"{node.name}/{part}": ("b", *node.a_re.shape) for part in ("x_re", "x_im")}
    return shapes | {"r": ("b", len(program.classes)), "tokens_seen": ()}


def add_token(graph: Graph, program: Program, state: Mapping[str, str], u: str) -> None:
    """(1) to (6) for one token: values "new/<part>", "scores", "sent/<node>" (b, o).

    Args:
        graph: Grows by the nodes.
        program: What to run.
        state: Part of the state -> value before the token.
        u: (b, i) messages.
    """
    arithmetic, m = program.arithmetic, u
    limit = np.full(program.inputs, arithmetic.message_max)
    sent: dict[str, str] = {}
    for node, proved in zip(program.nodes, program.ranges, strict=False):
        if isinstance(node, Dense):
            v = _linear(graph, node.name, node.weight, node.bias, m)
        elif isinstance(node, Add):
            v = _sum(graph, node, m, sent[node.source])
        else:
            assert proved.states is not None
            re, im = (state[f"{node.name}/{part}"] for part in ("x_re", "x_im"))
            at = Neuron(graph, node, proved.states, limit, arithmetic.state_max, m)
            v = NEURON[arithmetic.product_rounding](at, re, im)
        m = _descale(graph, node, arithmetic, v, proved.accumulator)
        sent[node.name], limit = m, node.descale.limit
    _read_out(graph, program, state, m)


def _read_out(graph: Graph, program: Program, state: Mapping[str, str], m: str) -> None:
    """Equation (6)."""
    added = graph.node("MatMul", m, graph.constant(program.readout.weight.T, "readout/weight"))
    r = graph.node("Add", state["r"], added, out=f"{NEW}r")
    seen = graph.node("Add", state["tokens_seen"], np.int64(1), out=f"{NEW}tokens_seen")
    bias = graph.node("Mul", seen, graph.constant(program.readout.bias, "readout/bias"))
    graph.node("Add", r, bias, out="scores")


def _sum(graph: Graph, node: Add, m: str, skipped: str) -> str:
    """Equation (10)."""
    weighed = graph.node("Mul", m, graph.constant(node.weight, f"{node.name}/weight"))
    skip = graph.node("Mul", skipped, graph.constant(node.skip, f"{node.name}/skip"))
    return graph.node("Add", weighed, skip)


def _linear(
    graph: Graph, name: str, weight: Int64[np.ndarray, "o i"], bias: Int64[np.ndarray, " o"], m: str
) -> str:
    """Equation (5)."""
    product = graph.node("MatMul", m, graph.constant(weight.T, f"{name}/weight"))
    return graph.node("Add", product, graph.constant(bias, f"{name}/bias"))


def _descale(
    graph: Graph, node: Node, arithmetic: Arithmetic, v: str, accumulator: Int64[np.ndarray, " o"]
) -> str:
    """(4), for accumulators up to that bound."""
    descale: Descale = node.descale
    bound = int((accumulator * descale.multiplier).max())
    p = graph.node("Mul", v, graph.constant(descale.multiplier, f"{node.name}/multiplier"))
    e = SYNAPSE[arithmetic.synapse_rounding](graph, p, descale.shift, bound)
    out = f"sent/{node.name}"
    low, high = -descale.limit * (not descale.relu), descale.limit
    if (high == high[0]).all():
        return graph.node("Clip", e, low[0], high[0], out=out)
    return graph.node("Min", graph.node("Max", e, low), high, out=out)
