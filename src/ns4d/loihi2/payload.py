"""How wide a graded spike of a population can become, proved for every input.

    EACH_TOWARD_ZERO   neuron (h, n) sends t(cr·xr', sc) - t(ci·xi', sc), plus t(d·u, sd) if n = 0
    SUM_HALF_UP        the exact sum (cr·xr' - ci·xi')·2^(s-sc), plus d·u·2^(s-sd) if n = 0, with
                       s = max(sc, sd): `reduce` rounds once

All other populations send messages: their limits are the bound.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Int64

from ns4d.loihi2.populations import Kind, Population
from ns4d.numerics import ProductRounding
from ns4d.program import S4D, Program, aligned_reduction_bound, reduction_bound


def payload_bits(program: Program, population: Population) -> int:
    """Width, sign included, that every message of the population fits.

    Args:
        program: What runs; its range certificate bounds the states.
        population: One of `populations(program)`.

    Returns:
        Bits; 0 for the read-out, which sends nothing on the chip.
    """
    if population.kind is Kind.READOUT:
        return 0
    if population.kind is Kind.INPUT:
        return program.arithmetic.message_bits
    node = program.nodes[population.node]
    if population.kind is not Kind.STATE:
        return signed_bits(int(node.descale.limit.max()))
    assert isinstance(node, S4D)
    return signed_bits(_state_bound(program, population.node, node))


def signed_bits(bound: int) -> int:
    """Width of a signed integer of that magnitude."""
    return bound.bit_length() + 1


def sum_bits(program: Program, index: int) -> int:
    """Width, sign included, of the sums in the neurons of a node.

    Args:
        program: What runs.
        index: Of the node, or that of the read-out, which comes last; of r one token counts.

    Returns:
        Bits. Of an S4D node under SUM_HALF_UP, `reduce` adds up sums that are not rounded yet.
    """
    if index < len(program.nodes):
        node = program.nodes[index]
        exact = program.arithmetic.product_rounding is ProductRounding.SUM_HALF_UP
        if isinstance(node, S4D) and exact:
            bounds = (_states(program, index), node.c_re, node.c_im, node.d)
            shifts = (node.c_shift, node.d_shift, _limit(program, index))
            return signed_bits(int(aligned_reduction_bound(*bounds, *shifts).max()))
    return signed_bits(int(program.ranges[index].accumulator.max()))


def _state_bound(program: Program, index: int, node: S4D) -> int:
    """(8) for each mode by itself; mode 0 adds D·u."""
    shape = node.a_re.shape
    d = np.zeros(shape, np.int64)
    d[:, 0] = node.d
    c_shift, d_shift, u = (
        np.repeat(array, shape[1]) for array in (node.c_shift, node.d_shift, _limit(program, index))
    )
    x, c_re, c_im = (
        array.reshape(-1, 1) for array in (_states(program, index), node.c_re, node.c_im)
    )
    rest = c_re, c_im, d.reshape(-1), c_shift, d_shift, u
    if program.arithmetic.product_rounding is ProductRounding.SUM_HALF_UP:
        return int(aligned_reduction_bound(x, *rest).max())
    return int(reduction_bound(program.arithmetic, x, *rest).max())


def _states(program: Program, index: int) -> Int64[np.ndarray, "h n"]:
    states = program.ranges[index].states
    assert states is not None
    return states


def _limit(program: Program, index: int) -> Int64[np.ndarray, " h"]:
    """Largest messages into a node."""
    if index:
        return program.nodes[index - 1].descale.limit
    return np.full(program.inputs, program.arithmetic.message_max, np.int64)
