"""Widths of spikes and sums: never less than what occurs, and no wider than rounding up costs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loihi2_programs import neurons, shaped
from ns4d.loihi2.payload import payload_bits, signed_bits, sum_bits
from ns4d.loihi2.populations import Kind, populations
from ns4d.numerics import LOIHI2, WIDE, Arithmetic, ProductRounding
from ns4d.program import S4D, Program
from program_strategies import programs


def spikes(program: Program, kind: Kind) -> list[int]:
    return [payload_bits(program, p) for p in populations(program) if p.kind is kind]


@given(st.integers(0, 2**62))
def test_a_width_holds_both_signs_and_not_a_bit_more(bound):
    bits = signed_bits(bound)
    assert bound <= 2 ** (bits - 1) - 1
    assert bits == 1 or bound > 2 ** (bits - 2) - 1


def test_messages_are_as_wide_as_their_limits():
    program = shaped(4, 3, residual=True)  # limits of 1000
    assert spikes(program, Kind.INPUT) == [12]
    assert spikes(program, Kind.DENSE) == [11, 11]
    assert spikes(program, Kind.REDUCE) == spikes(program, Kind.ADD) == [11]
    assert spikes(program, Kind.READOUT) == [0]


@pytest.mark.parametrize("bits", [4, 12, 24])
def test_the_input_is_as_wide_as_the_profile(bits):
    profile = replace(LOIHI2, message_bits=bits, accumulator_bits=40)
    assert spikes(shaped(2, 1, arithmetic=profile), Kind.INPUT) == [bits]


def with_neurons(arithmetic: Arithmetic = LOIHI2, **changed) -> Program:
    program = shaped(4, 3, arithmetic=arithmetic)
    node = replace(neurons("layer0.s4d", 4, 3, arithmetic), **changed)
    return replace(program, nodes=(program.nodes[0], node, *program.nodes[2:]))


def test_direct_feed_through_widens_mode_0_only():
    """With c = 0 the neuron of mode 0 sends D·u alone: u reaches 1000, so 7 of it 7000."""
    nothing = np.zeros((4, 3), np.int64)
    silent = with_neurons(c_re=nothing, c_im=nothing, d=np.zeros(4, np.int64))
    loud = with_neurons(c_re=nothing, c_im=nothing, d=np.full(4, 7, np.int64))
    assert spikes(silent, Kind.STATE) == [1]
    assert spikes(loud, Kind.STATE) == [signed_bits(7000)]


@pytest.mark.parametrize("rounding", ProductRounding)
def test_twice_the_output_coefficient_is_one_bit_more(rounding):
    profile = replace(LOIHI2, product_rounding=rounding, accumulator_bits=40)
    zero, large = np.zeros(4, np.int64), np.full((4, 3), 1 << 10)
    once, twice = (
        spikes(with_neurons(profile, c_re=large * k, d=zero), Kind.STATE)[0] for k in (1, 2)
    )
    assert twice == once + 1


def test_a_sum_of_many_modes_is_wider_than_each():
    one, many = (shaped(2, modes) for modes in (1, 8))
    assert spikes(one, Kind.STATE) == spikes(many, Kind.STATE)
    assert sum_bits(one, 1) < sum_bits(many, 1) <= sum_bits(one, 1) + 3


@pytest.mark.parametrize("arithmetic", [LOIHI2, WIDE])
def test_sums_of_linear_layers_are_those_of_the_certificate(arithmetic):
    program = shaped(6, 2, inputs=3, arithmetic=arithmetic)
    top = arithmetic.message_max
    assert sum_bits(program, 0) == signed_bits(3 * top + 1)
    assert sum_bits(program, 2) == signed_bits(6 * 1000 + 1)
    assert sum_bits(program, 3) == signed_bits(6 * 1000)


@settings(max_examples=15)
@given(programs())
def test_no_part_of_a_sum_is_wider_than_the_sum(program):
    for found in populations(program):
        if found.kind is Kind.STATE:
            assert payload_bits(program, found) <= sum_bits(program, found.node)


@settings(max_examples=15)
@given(programs())
def test_rounded_programs_send_what_accumulators_hold(program):
    """So `loihi2`, with accumulators of 24 bits, never needs spikes of more than 24."""
    arithmetic = program.arithmetic
    if arithmetic.product_rounding is ProductRounding.EACH_TOWARD_ZERO:
        for found in populations(program):
            assert payload_bits(program, found) <= max(
                arithmetic.accumulator_bits, arithmetic.message_bits
            )
            if isinstance(node := _node(program, found.node), S4D):
                assert sum_bits(program, found.node) <= arithmetic.accumulator_bits, node.name


def _node(program: Program, index: int) -> object:
    return program.nodes[index] if 0 <= index < len(program.nodes) else None
