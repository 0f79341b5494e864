"""What neurons and synapses take, counted by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from loihi2_programs import shaped
from ns4d.loihi2.memory import neuron_bytes, synapse_bits
from ns4d.loihi2.populations import populations
from ns4d.numerics import LOIHI2, WIDE


def bytes_of(program) -> list[int]:
    return [neuron_bytes(program, population) for population in populations(program)]


def test_bytes_of_each_kind():
    """Of loihi2: accumulators and states 3 bytes, all the rest 2, a shift 1."""
    program = shaped(4, 3, residual=True)
    assert bytes_of(program) == [
        0,
        3 + 3 + 2 + 2,  # encoder: accumulator, bias, multiplier, limit
        2 * 3 + 6 * 2 + 3,  # S4D: a state; a, c complex, b, d real; three shifts
        3 + 2 + 2,  # reduce
        3 + 3 + 2 + 2,  # linear
        3 + 3 * 3 + 2 + 2,  # add: its source is three stages further back
        3 + 3 + 3 * 3,  # read-out: 64 bits of r in words of 24
    ]


def test_wider_words_take_more():
    narrow, wide = bytes_of(shaped(4, 3)), bytes_of(shaped(4, 3, arithmetic=WIDE))
    assert narrow[0] == wide[0] == 0
    assert all(a < b for a, b in zip(narrow[1:-1], wide[1:-1], strict=True))


def test_a_drive_per_mode_takes_one_more_coefficient():
    program = shaped(4, 3)
    node = program.nodes[1]
    b_im = np.zeros_like(node.b_im)
    b_im[0, 1] = 1
    nodes = (program.nodes[0], replace(node, b_im=b_im), *program.nodes[2:])
    kept = replace(program, nodes=nodes)
    assert bytes_of(kept)[2] == bytes_of(program)[2] + 2


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_dense_weights_stand_in_a_matrix(bits):
    program = shaped(6, 2, arithmetic=replace(LOIHI2, weight_bits=bits))
    found = populations(program)
    assert synapse_bits(program, found[4]).tolist() == [6 * bits] * 6
    assert synapse_bits(program, found[5]).tolist() == [6 * bits] * 10


def test_other_synapses_name_their_target():
    program = shaped(6, 2, residual=True)
    found = populations(program)
    assert synapse_bits(program, found[0]).tolist() == [0]
    assert synapse_bits(program, found[2]).tolist() == [8 + 16] * 12
    assert synapse_bits(program, found[3]).tolist() == [2 * (8 + 16)] * 6
    assert synapse_bits(program, found[5]).tolist() == [2 * (8 + 16)] * 6


def test_a_pruned_layer_lists_its_synapses():
    program = shaped(6, 2)
    node = program.nodes[2]
    weight = np.zeros_like(node.weight)
    weight[1, :3] = 1
    pruned = replace(
        program, nodes=(*program.nodes[:2], replace(node, weight=weight), *program.nodes[3:])
    )
    assert synapse_bits(pruned, populations(pruned)[4]).tolist() == [0, 3 * 24, 0, 0, 0, 0]
