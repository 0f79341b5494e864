"""What a program costs per token, counted from its integers: products, sums, bytes.

A weight of 0 needs no synapse, and a b that is a power of two needs a shift only, so neither is
counted as a product. Messages that are 0 are not: how many there are depends on the input.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ns4d.numerics import Arithmetic
from ns4d.program import S4D, Add, Dense, Node, Program, Readout


@dataclass(frozen=True)
class Operations:
    """Per token.

    Args:
        multiplications: Integer products.
        additions: Integer sums, the bias included.
        bit_products: Sum over the products of the widths of their two factors: what a product
            costs in hardware grows with both.
    """

    multiplications: int
    additions: int
    bit_products: int

    def __add__(self, other: Operations) -> Operations:
        return Operations(
            self.multiplications + other.multiplications,
            self.additions + other.additions,
            self.bit_products + other.bit_products,
        )


def count_operations(program: Program) -> Operations:
    """The operations of one token through all nodes of a program."""
    total = Operations(0, 0, 0)
    for node in (*program.nodes, program.readout):
        total += _node(program.arithmetic, node)
    return total


def stored_bytes(program: Program) -> int:
    """`Program.parameter_bytes`, with one exponent instead of a b that is a power of two."""
    saved = sum(
        2 * node.b_re.size * program.arithmetic.coefficient_bits
        for node in program.recurrent
        if has_shift_drive(node)
    )
    return program.parameter_bytes - saved // 8


def has_shift_drive(node: S4D) -> bool:
    """Whether b is one power of two per channel, as with B folded into C."""
    powers = (node.b_re > 0).all() and (np.bitwise_count(node.b_re) == 1).all()
    return node.has_one_drive and bool(powers)


def _node(arithmetic: Arithmetic, node: Node | Readout) -> Operations:
    if isinstance(node, S4D):
        return _neuron(arithmetic, node)
    if isinstance(node, Add):
        synapses = _nonzero(node.weight, node.skip)
        sums = node.outputs
    else:
        synapses = _nonzero(node.weight)
        sums = synapses
    product = arithmetic.weight_bits * arithmetic.message_bits
    total = Operations(synapses, sums, synapses * product)
    return total if isinstance(node, Readout) else total + _descale(arithmetic, node)


def _neuron(arithmetic: Arithmetic, node: S4D) -> Operations:
    by_state = 2 * _nonzero(node.a_re, node.a_im) + _nonzero(node.c_re, node.c_im)
    by_message = _nonzero(node.d)
    if not has_shift_drive(node):
        by_message += _nonzero(node.b_re, node.b_im)
    driven = node.a_re.size * (1 if not node.b_im.any() else 2)
    # Two sums of two products each, the drive, two summands of y per mode, d.
    sums = 2 * node.a_re.size + driven + 2 * node.a_re.size + node.outputs
    bits = arithmetic.coefficient_bits
    return Operations(
        by_state + by_message,
        sums,
        bits * (by_state * arithmetic.state_bits + by_message * arithmetic.message_bits),
    ) + _descale(arithmetic, node)


def _descale(arithmetic: Arithmetic, node: Dense | S4D | Add) -> Operations:
    used = _nonzero(node.descale.multiplier)
    return Operations(used, 0, used * arithmetic.multiplier_bits * arithmetic.accumulator_bits)


def _nonzero(*arrays: np.ndarray) -> int:
    return sum(int(np.count_nonzero(array)) for array in arrays)
