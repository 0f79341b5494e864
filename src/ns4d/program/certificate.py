"""The range certificate: proof, node by node, that no accumulator of a program overflows.

Message bounds walk the program: the input's largest message, then each node's `limit`. From them
and `ranges` follow the bounds of states, reductions and accumulators for every possible input.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from ns4d.errors import RangeError
from ns4d.numerics import PRODUCT_MAX, Arithmetic, ProductRounding
from ns4d.program.arrays import require_within
from ns4d.program.nodes import S4D, Add, Dense, Node, Readout
from ns4d.program.ranges import (
    aligned_reduction_bound,
    aligned_state_bound,
    dense_bound,
    reduction_bound,
    state_bound,
)


@dataclass(frozen=True, eq=False)
class NodeRange:
    """What is proved about one node.

    Args:
        name: The node, or 'readout'.
        accumulator: (o,) bound of the accumulator, of every partial sum too; for the read-out,
            of what one token adds to a score, without the bias.
        accumulator_max: What the accumulator can hold.
        states: (h, n) bound of each state, as `state_bound` returns it; None without states.
        state_max: What a state can hold.
    """

    name: str
    accumulator: Int64[np.ndarray, " o"]
    accumulator_max: int
    states: Int64[np.ndarray, "h n"] | None
    state_max: int

    @property
    def may_saturate(self) -> int:
        """How many states are not proved free of saturation."""
        return 0 if self.states is None else int((self.states >= self.state_max).sum())


def certify(
    arithmetic: Arithmetic, inputs: int, nodes: tuple[Node, ...], readout: Readout
) -> tuple[NodeRange, ...]:
    """Walk the program and prove every accumulator.

    Args:
        arithmetic: The profile.
        inputs: Values per token.
        nodes: In order; widths already chain.
        readout: The last node.

    Returns:
        One range per node, then the read-out's.

    Raises:
        RangeError: An accumulator could overflow; the node with its channel is named.
    """
    limit = np.full(inputs, arithmetic.message_max, dtype=np.int64)
    ranges, sent = [], {}
    for node in nodes:
        if isinstance(node, Dense):
            proved = _dense(arithmetic, node.name, node.weight, node.bias, limit)
        elif isinstance(node, Add):
            proved = _add(arithmetic, node, limit, sent[node.source])
        else:
            proved = _s4d(arithmetic, node, limit)
        ranges.append(proved)
        limit = sent[node.name] = node.descale.limit
    no_bias = np.zeros(readout.outputs, dtype=np.int64)
    ranges.append(_dense(arithmetic, "readout", readout.weight, no_bias, limit))
    return tuple(ranges)


def _dense(
    arithmetic: Arithmetic,
    name: str,
    weight: Int64[np.ndarray, "o i"],
    bias: Int64[np.ndarray, " o"],
    limit: Int64[np.ndarray, " i"],
) -> NodeRange:
    bound = dense_bound(weight, bias, limit)
    _require_fit(arithmetic, name, bound)
    return NodeRange(name, bound, arithmetic.accumulator_max, None, arithmetic.state_max)


def _add(
    arithmetic: Arithmetic,
    node: Add,
    limit: Int64[np.ndarray, " h"],
    source: Int64[np.ndarray, " h"],
) -> NodeRange:
    bound = np.abs(node.weight) * limit + np.abs(node.skip) * source
    _require_fit(arithmetic, node.name, bound)
    return NodeRange(node.name, bound, arithmetic.accumulator_max, None, arithmetic.state_max)


def _s4d(arithmetic: Arithmetic, node: S4D, limit: Int64[np.ndarray, " h"]) -> NodeRange:
    a, b = (node.a_re, node.a_im), (node.b_re, node.b_im)
    states = state_bound(arithmetic, *a, *b, node.a_shift, node.b_shift, limit)
    output = (node.c_re, node.c_im, node.d, node.c_shift, node.d_shift, limit)
    if arithmetic.product_rounding is ProductRounding.SUM_HALF_UP:
        update = aligned_state_bound(states, *a, *b, node.a_shift, node.b_shift, limit)
        _require_aligned(node.name, "state update (a_shift, b_shift)", update)
        _require_aligned(
            node.name, "output (c_shift, d_shift)", aligned_reduction_bound(states, *output)
        )
    bound = reduction_bound(arithmetic, states, *output)
    _require_fit(arithmetic, node.name, bound)
    return NodeRange(node.name, bound, arithmetic.accumulator_max, states, arithmetic.state_max)


def _require_fit(arithmetic: Arithmetic, name: str, bound: Int64[np.ndarray, " o"]) -> None:
    bad = np.flatnonzero(bound > arithmetic.accumulator_max)
    if bad.size:
        channel = int(bad[0])
        raise RangeError(
            f"node '{name}', channel {channel}",
            expected=f"an accumulator proved within {arithmetic.accumulator_max} "
            f"(accumulator_bits {arithmetic.accumulator_bits})",
            got=f"a bound of {bound[channel]}",
            fix="Lower the limit of the node before it, or the weights, or raise c_shift.",
        )


def _require_aligned(name: str, what: str, bound: np.ndarray) -> None:
    require_within(
        f"node '{name}' {what}: aligned 64-bit sum",
        bound,
        0,
        PRODUCT_MAX,
        "Bring the two shifts closer to each other.",
    )
