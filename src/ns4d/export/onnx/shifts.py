"""The shifts of `ns4d.numerics` in ONNX operators on int64, exact for all that a program allows.

    toward zero   Div(p, 2^s)                                    integer Div truncates        (b)
    floor         Div(p + k·2^s, 2^s) - k      k so large that the dividend is not negative   (a)
    half up       the floor of p + ⌊2^s / 2⌋                                                  (c)

The operators' specification says that Div of integers rounds toward zero and that Mod has the sign
of the divisor. BitShift is defined on unsigned integers alone. Where the bound of p leaves no room
for k·2^s in 63 bits, floor is Div(p - Mod(p, 2^s), 2^s): as exact, one slow division more.
"""

from __future__ import annotations

import numpy as np

from ns4d.export.onnx.graph import Graph

ROOM = 2**63

Shift = int | np.ndarray


def shift_toward_zero(graph: Graph, p: str, shift: Shift) -> str:
    """(b) sign(p)·⌊|p| / 2^shift⌋.

    Args:
        graph: Grows by what is needed.
        p: An int64 value.
        shift: 0..62, one or an array that broadcasts to p.
    """
    unit = _unit(shift)
    return p if (unit == 1).all() else graph.node("Div", p, unit)


def shift_floor(graph: Graph, p: str, shift: Shift, bound: int, added: Shift = 0) -> str:
    """(a) ⌊(p + added) / 2^shift⌋.

    Args:
        graph: Grows by what is needed.
        p: An int64 value.
        shift: 0..62, one or an array that broadcasts to p.
        bound: Of |p|, at most 2^62.
        added: From 0 to below 2^shift.
    """
    unit = _unit(shift)
    if (unit == 1).all():
        return p
    # Python's integers, which do not overflow.
    units, more = (np.atleast_1d(array).astype(object) for array in (unit, np.asarray(added)))
    lift = -(np.minimum(more - bound, 0) // units)
    lifted = more + lift * units
    if lifted.max() + bound >= ROOM:
        p = graph.node("Add", p, _few(more)) if more.any() else p
        return graph.node("Div", graph.node("Sub", p, graph.node("Mod", p, unit)), unit)
    p = graph.node("Add", p, _few(lifted))
    return graph.node("Sub", graph.node("Div", p, unit), _few(lift))


def shift_half_up(graph: Graph, p: str, shift: Shift, bound: int) -> str:
    """(c) ⌊p / 2^shift + ½⌋; arguments as for `shift_floor`."""
    return shift_floor(graph, p, shift, bound, added=np.asarray(_unit(shift) >> 1))


def _unit(shift: Shift) -> np.ndarray:
    return _few(np.int64(1) << np.atleast_1d(np.asarray(shift, np.int64)))


def _few(array: np.ndarray) -> np.ndarray:
    """As int64; one value where all are equal: runtimes are faster at that."""
    first = array.reshape(-1)[0]
    return np.asarray(first if (array == first).all() else array, np.int64)
