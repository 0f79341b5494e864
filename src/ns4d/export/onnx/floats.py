"""One token of a trained network as ONNX nodes on float32: the equations of `ns4d.export.chain`.

b moves into c (only their product reaches the output), so that the input enters each state with
weight one and two products per mode are saved. The state of a stream is, per recurrence,
"<node>/x_re", "<node>/x_im" (b, h, n), then "total" (b, h), the sum over the tokens, and
"tokens_seen" (), their number: all float32.

Axes      b stream, i in, o out, h channel, n stored mode.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from ns4d.export.chain import Activation, Chain, Linear, Link, Recurrence, Sum
from ns4d.export.onnx.graph import Axis, Graph
from ns4d.export.onnx.neuron import MODES, NEW

LAST_AXIS = -1


def float_state_shapes(chain: Chain) -> dict[str, tuple[Axis, ...]]:
    """The parts of the state -> shape, with "b" for the streams."""
    shapes: dict[str, tuple[Axis, ...]] = {}
    for link in chain.recurrent:
        shapes |= {f"{link.name}/{part}": ("b", *link.a.shape) for part in ("x_re", "x_im")}
    return shapes | {"total": ("b", chain.readout.weight.shape[1]), "tokens_seen": ()}


def add_float_token(graph: Graph, chain: Chain, state: Mapping[str, str], x: str) -> None:
    """One token: values "new/<part>" and "scores".

    Args:
        graph: Grows by the nodes.
        chain: What to run.
        state: Part of the state -> value before the token.
        x: (b, i) normalized tokens.
    """
    h, given = x, {}
    for link in chain.links:
        given[link.name] = h = _link(graph, link, state, h, given)
    total = graph.node("Add", state["total"], h, out=f"{NEW}total")
    seen = graph.node("Add", state["tokens_seen"], np.float32(1), out=f"{NEW}tokens_seen")
    _linear(graph, chain.readout, graph.node("Div", total, seen), out="scores")


def _link(
    graph: Graph, link: Link, state: Mapping[str, str], h: str, given: Mapping[str, str]
) -> str:
    if isinstance(link, Linear):
        return _activate(graph, link.activation, _linear(graph, link, h))
    if isinstance(link, Recurrence):
        re, im = (state[f"{link.name}/{part}"] for part in ("x_re", "x_im"))
        return _activate(graph, link.activation, _recurrence(graph, link, re, im, h))
    if isinstance(link, Sum):
        weighed = _times(graph, f"{link.name}/weight", link.weight, h)
        skipped = _times(graph, f"{link.name}/skip", link.skip, given[link.source])
        return _activate(graph, link.activation, graph.node("Add", weighed, skipped))
    weight = _constant(graph, f"{link.name}/weight", link.weight)
    bias = _constant(graph, f"{link.name}/bias", link.bias)
    return graph.node("LayerNormalization", h, weight, bias, epsilon=link.epsilon, axis=LAST_AXIS)


def _recurrence(graph: Graph, link: Recurrence, re: str, im: str, u: str) -> str:
    """Equation (2), with b in c."""
    node, name, w = graph.node, link.name, link.c * link.b
    a_re = _constant(graph, f"{name}/a_re", np.real(link.a))
    a_im = _constant(graph, f"{name}/a_im", np.imag(link.a))
    decayed = node("Sub", node("Mul", a_re, re), node("Mul", a_im, im))
    turned = node("Mul", a_re, im), node("Mul", a_im, re)
    new_re = node("Add", decayed, node("Unsqueeze", u, MODES), out=f"{NEW}{name}/x_re")
    new_im = node("Add", *turned, out=f"{NEW}{name}/x_im")
    real = _times(graph, f"{name}/w_re", np.real(w), new_re)
    imaginary = _times(graph, f"{name}/w_im", np.imag(w), new_im)
    y = node("ReduceSum", node("Sub", real, imaginary), MODES, keepdims=0)
    return node("Add", y, _times(graph, f"{name}/d", link.d, u))


def _activate(graph: Graph, activation: Activation, v: str) -> str:
    if activation is Activation.RELU:
        return graph.node("Relu", v)
    if activation is Activation.GELU:
        # x/2 · (1 + erf(x/√2)): an operator of its own only since opset 20.
        erf = graph.node("Erf", graph.node("Mul", v, np.float32(math.sqrt(0.5))))
        half = graph.node("Mul", v, np.float32(0.5))
        return graph.node("Mul", half, graph.node("Add", erf, np.float32(1)))
    if activation is Activation.GLU:
        names = [f"{v}/first", f"{v}/second"]
        first, second = graph.nodes("Split", [v], names, axis=LAST_AXIS, num_outputs=2)
        return graph.node("Mul", first, graph.node("Sigmoid", second))
    return v


def _linear(graph: Graph, link: Linear, x: str, out: str = "") -> str:
    product = graph.node("MatMul", x, _constant(graph, f"{link.name}/weight", link.weight.T))
    return graph.node("Add", product, _constant(graph, f"{link.name}/bias", link.bias), out=out)


def _times(graph: Graph, name: str, factor: np.ndarray, x: str) -> str:
    return graph.node("Mul", _constant(graph, name, factor), x)


def _constant(graph: Graph, name: str, value: np.ndarray) -> str:
    return graph.constant(value.astype(np.float32), name)
