"""(0) in ONNX operators: real tokens, double, become messages with the bits of the reference.

    v = (x - offset) / scale                       IEEE 754 doubles, as `ns4d.numerics.quantize`
    w = Clip(v, ±largest)                          also what keeps infinity out of the rest
    u = Sign(w) · (⌊|w|⌋ + [ |w| - ⌊|w|⌋ >= ½ ])   a tie goes away from zero

Clip before rounding gives the same, because largest is an integer. Floor(|w| + ½) would not: the
double below ½ becomes 1. Round would not: its ties go to the even integer. The last Cast is from a
whole number, about which the specification leaves no doubt.

The graph cannot refuse a token that is not a number: what it makes of one is not specified.
"""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from ns4d.export.onnx.graph import Graph
from ns4d.numerics import Arithmetic
from ns4d.program import InputQuantizer


def add_quantizer(graph: Graph, arithmetic: Arithmetic, quantizer: InputQuantizer, x: str) -> str:
    """Messages, int64, from real numbers of any shape whose last axis is the inputs.

    Args:
        graph: Grows by the nodes.
        arithmetic: Gives the largest message.
        quantizer: Offset and scale.
        x: The value to quantize, double.

    Returns:
        The name of the messages.
    """
    node, largest = graph.node, np.float64(arithmetic.message_max)
    moved = node("Sub", x, graph.constant(quantizer.offset, "input/offset"))
    v = node("Div", moved, graph.constant(quantizer.scale, "input/scale"))
    w = node("Clip", v, -largest, largest)
    size = node("Abs", w)
    whole = node("Floor", size)
    tie_or_more = node("GreaterOrEqual", node("Sub", size, whole), np.float64(0.5))
    rounded = node("Add", whole, node("Cast", tie_or_more, to=TensorProto.DOUBLE))
    signed = node("Mul", node("Sign", w), rounded)
    return node("Cast", signed, to=TensorProto.INT64, out="u")
