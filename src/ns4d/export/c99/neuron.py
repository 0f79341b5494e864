"""An S4D node in C: the frame that both product roundings share.

Channel h and mode n of a table stand at h·N + n; one pointer walks the modes, one the states.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Int64

from ns4d.export.c99 import each_toward_zero, sum_half_up
from ns4d.export.c99.bounds import NeuronBounds, neuron_bounds
from ns4d.export.c99.descale import descale_columns, descaling
from ns4d.export.c99.function import Function, States
from ns4d.export.c99.pieces import Pieces
from ns4d.export.c99.scalars import INT32, within
from ns4d.export.c99.tables import Table, channel
from ns4d.numerics import Arithmetic, ProductRounding
from ns4d.program import S4D, NodeRange

ROUNDINGS = {
    ProductRounding.EACH_TOWARD_ZERO: each_toward_zero,
    ProductRounding.SUM_HALF_UP: sum_half_up,
}
WORDS = {
    ProductRounding.EACH_TOWARD_ZERO: "Each product is shifted toward zero",
    ProductRounding.SUM_HALF_UP: "Sums are exact, shifted once, a tie up",
}


def neuron(
    arithmetic: Arithmetic, node: S4D, proved: NodeRange, limit: Int64[np.ndarray, " h"], name: str
) -> Function:
    """The function of one S4D node.

    Args:
        arithmetic: The profile.
        node: The node.
        proved: Its row of the certificate.
        limit: Largest magnitude of the message into each channel.
        name: Its identifier.
    """
    bounds = neuron_bounds(arithmetic, node, proved, limit)
    rounding = ROUNDINGS[arithmetic.product_rounding]
    modes, channels = _tables(node, name, rounding.shift_columns(node))
    pieces = rounding.pieces(arithmetic, node, bounds, modes, channels)
    descaled = descaling(arithmetic, node.descale, proved.accumulator, channels, "m[h]")
    where = f"mode n of channel h at h * {node.modes} + n"
    states = States(f"x_{name}", within(bounds.state), node.a_re.size, where)
    lines = [
        f"/* {node.name}: {node.outputs} channels of {node.modes} modes. {_states(bounds)}.",
        f"   {WORDS[arithmetic.product_rounding]}: (1)-(3), then (4). */",
        *_lines(node, f"run_{name}", states, modes, channels, pieces, descaled.statement),
    ]
    needs = (*pieces.primitives, *descaled.primitives)
    return Function(f"run_{name}", lines, (modes, channels), needs, states, *_operations(node))


def _tables(node: S4D, name: str, shifts: dict[str, np.ndarray]) -> tuple[Table, Table]:
    by_mode = {"a_re": node.a_re, "a_im": node.a_im, "c_re": node.c_re, "minus_c_im": -node.c_im}
    by_channel = {"d": node.d, **shifts, **descale_columns(node.descale)}
    if node.has_one_drive:
        by_channel = {"b": node.b_re[:, 0], **by_channel}
    else:
        by_mode |= {"b_re": node.b_re, "b_im": node.b_im}
    flat = {column: values.reshape(-1) for column, values in by_mode.items()}
    where = f"{node.name}: mode n of channel h is row h * {node.modes} + n"
    modes = Table(f"{name}_modes", where, flat, node.modes)
    return modes, Table(f"{name}_channels", f"{node.name}: a row per channel", by_channel)


def _states(bounds: NeuronBounds) -> str:
    if bounds.saturates:
        return f"States may saturate at {bounds.state}"
    return f"States provably stay within {bounds.state}"


def _lines(
    node: S4D,
    function: str,
    states: States,
    modes: Table,
    channels: Table,
    pieces: Pieces,
    last: str,
) -> Iterator[str]:
    kind = states.kind
    cast = "" if kind is INT32 else f"({kind.name})"
    walk = "mode++, x++" if modes.members else "x++"
    x = f"COMPLEX{8 * kind.size_bytes} *x"
    yield f"OWN_FRAME static void {function}({x}, const message *u, message *m)"
    yield "{"
    if modes.members:
        yield f"    const struct {modes.name}_row *mode = {modes.name};"
    yield f"    for (int h = 0; h < {node.outputs}; h++) {{"
    yield from channel(channels, "h")
    yield "        const int32_t in = u[h];"
    yield from (f"        {line}" for line in pieces.before)
    yield f"        for (int n = 0; n < {node.modes}; n++, {walk}) {{"
    yield "            const int32_t re = x->re, im = x->im;"
    yield from (f"            {line}" for line in pieces.update)
    yield f"            x->re = {cast}next_re;"
    yield f"            x->im = {cast}next_im;"
    yield from (f"            {line}" for line in pieces.output)
    yield "        }"
    yield from (f"        {line}" for line in pieces.after)
    yield f"        {last}"
    yield "    }"
    yield "}"


def _operations(node: S4D) -> tuple[int, int]:
    """Products and sums per token: per mode, per channel."""
    drives = 0 if node.has_one_drive else 2 if node.b_im.any() else 1
    once = 1 if node.has_one_drive else 0
    products = node.a_re.size * (6 + drives) + node.outputs * (2 + once)
    sums = node.a_re.size * (2 + 2 + 2) + node.outputs
    return products, sums
