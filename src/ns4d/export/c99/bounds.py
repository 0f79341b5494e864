"""What every intermediate of a neuron can reach, exactly, so that C gets the narrowest safe types.

The range certificate bounds states and accumulators for every input. From these follow, in Python's
unbounded integers, the products and the sums on the way, in the order in which C adds them.

Axes      h channel, n stored mode.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from ns4d.numerics import Arithmetic, ProductRounding
from ns4d.program import S4D, NodeRange, aligned_reduction_bound, aligned_state_bound


@dataclass(frozen=True)
class NeuronBounds:
    """Magnitudes of one S4D node.

    Args:
        state: Components of a state.
        saturates: Whether some state is not proved to stay inside its width.
        message: The messages in.
        update: The sum of (1), (2) with every partial sum, before it is shifted or clipped.
        after: The same after the shift, before it is clipped.
        reduction: The sum of (3) with every partial sum, before the shift.
        v: (3).
    """

    state: int
    saturates: bool
    message: int
    update: int
    after: int
    reduction: int
    v: int


def neuron_bounds(
    arithmetic: Arithmetic, node: S4D, proved: NodeRange, limit: Int64[np.ndarray, " h"]
) -> NeuronBounds:
    """Bounds of a node inside a program.

    Args:
        arithmetic: The profile.
        node: The node.
        proved: Its row of the certificate.
        limit: Largest magnitude of the message into each channel.
    """
    assert proved.states is not None
    v = int(proved.accumulator.max())
    if arithmetic.product_rounding is ProductRounding.EACH_TOWARD_ZERO:
        update = after = _shifted_one_by_one(node, proved.states, limit)
        reduction = v
    else:
        update, after, reduction = _summed(node, proved.states, limit)
    return NeuronBounds(
        int(proved.states.max()),
        proved.may_saturate > 0,
        int(limit.max()),
        update,
        after,
        reduction,
        v,
    )


def _shifted_one_by_one(node: S4D, states: np.ndarray, limit: np.ndarray) -> int:
    a_re, a_im, b_re, b_im, x = map(
        _magnitudes, (node.a_re, node.a_im, node.b_re, node.b_im, states)
    )
    drive = np.maximum(b_re, b_im) * _magnitudes(limit)[:, None]
    shift = node.b_shift.astype(object)[:, None]
    return int(((a_re * x >> node.a_shift) + (a_im * x >> node.a_shift) + (drive >> shift)).max())


def _summed(node: S4D, states: np.ndarray, limit: np.ndarray) -> tuple[int, int, int]:
    a, b = (node.a_re, node.a_im), (node.b_re, node.b_im)
    update = aligned_state_bound(states, *a, *b, node.a_shift, node.b_shift, limit).astype(object)
    shift = np.maximum(node.a_shift, node.b_shift).astype(object)[:, None]
    total = update + ((1 << shift) >> 1)
    output = (node.c_re, node.c_im, node.d, node.c_shift, node.d_shift, limit)
    half = (1 << np.maximum(node.c_shift, node.d_shift).astype(object)) >> 1
    reduction = aligned_reduction_bound(states, *output).astype(object) + half
    # The floor of a negative number is one further out.
    return int(total.max()), int((total >> shift).max()) + 1, int(reduction.max())


def _magnitudes(array: np.ndarray) -> np.ndarray:
    return np.abs(array).astype(object)
