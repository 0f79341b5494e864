"""Memory that neurons take with their synapses. How Loihi 2 packs them is not public.

What is assumed stands in the facts below; a placement is as good as they are.

    S4D neuron   xr, xi, a, b (its real part alone if a channel has one drive), c, d; sb, sc, sd
    linear       accumulator, bias, multiplier, limit; the shift is part of the microcode
    reduce       the same without bias
    add          the same without bias, one accumulator more per step of the skip's delay
    read-out     accumulator, bias, r in as many words as 64 bits take
    synapses     of a linear layer whichever is smaller: a matrix, or weights with their targets;
                 all others with their targets
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Int64

from ns4d.loihi2.fact import Fact, Tag
from ns4d.loihi2.populations import Kind, Population, connections, synapses_in
from ns4d.program import S4D, Dense, Program

SHIFT_BYTES = Fact(1, "B", "assumed: a shift of 0..62 per neuron takes a byte", Tag.ASSUMED)
VALUE_STEP_BITS = Fact(
    8, "bit", "assumed: states and parameters of a neuron take whole bytes", Tag.ASSUMED
)
TARGET_BITS = Fact(
    16, "bit", "assumed: 13 bits name one of 8192 neurons of a core, 3 more the kind", Tag.ASSUMED
)
SCORE_BITS = 64  # of r, by docs/numerics.md


def neuron_bytes(program: Program, population: Population) -> int:
    """State with parameters of one neuron; all neurons of a population share one layout.

    Args:
        program: What runs.
        population: One of `populations(program)`.

    Returns:
        Bytes; 0 for the input, whose messages come from outside.
    """
    arithmetic = program.arithmetic
    accumulator = _bytes(arithmetic.accumulator_bits)
    if population.kind is Kind.INPUT:
        return 0
    if population.kind is Kind.READOUT:
        words = -(-SCORE_BITS // arithmetic.state_bits)
        return 2 * accumulator + words * _bytes(arithmetic.state_bits)
    if population.kind is Kind.STATE:
        node = program.nodes[population.node]
        assert isinstance(node, S4D)
        coefficients = (6 if node.has_one_drive else 7) * _bytes(arithmetic.coefficient_bits)
        return 2 * _bytes(arithmetic.state_bits) + coefficients + 3 * int(SHIFT_BYTES.value)
    descale = _bytes(arithmetic.multiplier_bits) + _bytes(arithmetic.message_bits)
    sums = 2 if population.kind is Kind.DENSE else 1
    if population.kind is Kind.ADD:
        sums += max(wire.delay for wire in connections(program) if wire.target == population.stage)
    return sums * accumulator + descale


def synapse_bits(program: Program, population: Population) -> Int64[np.ndarray, " neurons"]:
    """Memory of the synapses into each neuron.

    Args:
        program: What runs.
        population: One of `populations(program)`.

    Returns:
        int64 (neurons,) bits.
    """
    weight_bits = program.arithmetic.weight_bits
    listed = synapses_in(program, population) * (weight_bits + int(TARGET_BITS.value))
    weight = None
    if population.kind is Kind.READOUT:
        weight = program.readout.weight
    elif population.kind is Kind.DENSE:
        node = program.nodes[population.node]
        assert isinstance(node, Dense)
        weight = node.weight
    if weight is None or listed.sum() <= weight.size * weight_bits:
        return listed
    return np.full(population.neurons, weight.shape[1] * weight_bits, np.int64)


def _bytes(bits: int) -> int:
    step = int(VALUE_STEP_BITS.value)
    return -(-bits // step) * step // 8
