"""Each rule, kept at its limit and broken by one."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ns4d
from loihi2_programs import shaped, with_limits
from ns4d.engines import Reference
from ns4d.errors import PlacementError
from ns4d.loihi2.chip import SYSTEMS, UNLIMITED, System
from ns4d.loihi2.design_rules import RULES
from ns4d.loihi2.payload import payload_bits, signed_bits, sum_bits
from ns4d.loihi2.place import place
from ns4d.loihi2.placement import Placement, Slice
from ns4d.loihi2.populations import Kind, populations
from ns4d.numerics import LOIHI2, ProductRounding, shift_toward_zero
from ns4d.program import S4D
from program_strategies import messages, programs


def on_one_core(program, system: System = UNLIMITED) -> Placement:
    found = populations(program)
    slices = tuple(Slice(k, 0, 0, population.neurons) for k, population in enumerate(found))
    return Placement(program, system, slices)


def roomy(**limits: int | float) -> System:
    return with_limits(
        UNLIMITED.chip, **{"s4d_neurons_per_core": 1e6, "synops_per_core": 1e6} | limits
    )


PROGRAM = shaped(6, 5, layers=2, residual=True)
# One core has all: 2·6·5 states, 2·(6 + 6 + 6) neurons behind them, encoder, input, read-out.
STATES, NEURONS = 60, 60 + 36 + 6 + 1 + 10
SYNAPSES = [
    6 * 8,  # encoder
    *2 * [30 * 24, 6 * 5 * 24, 36 * 8, 6 * 2 * 24],  # expand, reduce, linear, add
    60 * 8,  # read-out
]
NEURON_BYTES = 6 * 10 + 60 * 21 + 12 * 7 + 12 * 10 + 12 * 16 + 10 * 15


@pytest.mark.parametrize(
    ("limit", "most", "message"),
    [
        ("synapse_weight_bits", 8, "profile 'loihi2': expected weights at most"),
        ("state_bits", 24, "layer 'layer0.s4d': expected neuron states at most"),
        ("payload_bits", 12, "layer 'input' (input): expected graded spikes at most"),
        ("delay_steps", 3, "layer 'layer0.add': expected delay of a residual connection at"),
        ("neuron_state_bytes", 21, "layer 'layer0.s4d' (S4D): expected memory of one neuron"),
        ("neurons_per_core", NEURONS, "core 0, layer 'layer0.s4d' (S4D): expected neurons at"),
        ("s4d_neurons_per_core", STATES, "core 0, layer 'layer0.s4d' (S4D): expected S4D neur"),
        ("synapse_bytes", sum(SYNAPSES) // 8, "core 0, layer 'layer0.s4d' (S4D): expected syn"),
        ("core_bytes", NEURON_BYTES + sum(SYNAPSES) // 8, "core 0, layer 'layer0.s4d' (S4D): ex"),
    ],
)
def test_a_limit_holds_to_the_last_unit(limit, most, message):
    on_one_core(PROGRAM, roomy(**{limit: most}))
    with pytest.raises(PlacementError, match=re.escape(message)) as caught:
        on_one_core(PROGRAM, roomy(**{limit: most - 1}))
    assert caught.value.got == f"{most}, 1 of a test too many"
    assert "(assumed: made up)" in caught.value.expected
    assert caught.value.fix


def test_the_system_has_so_many_cores():
    small = replace(roomy(cores=2), chips=3)
    at = lambda core: Placement(  # noqa: E731
        PROGRAM, small, tuple(replace(part, core=core) for part in on_one_core(PROGRAM).slices)
    )
    assert at(5).chips == 1
    with pytest.raises(
        PlacementError, match=r"expected the system at most 6 cores.*got 7, 1 cores"
    ):
        at(6)


def test_every_rule_has_its_own_name_and_says_what_to_change():
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert all(rule.fix.endswith(".") for rule in RULES)


def test_sums_count_as_wide_as_they_are_proved():
    """The encoder adds 6 inputs of 12 bits and 1: 14 bits and a sign, whatever the profile says."""
    program = shaped(2, 1, inputs=6)
    widest = max(int(proved.accumulator.max()) for proved in program.ranges)
    assert widest == 6 * 2047 + 1
    roomy_enough = {"payload_bits": 24}
    narrow = replace(program, arithmetic=replace(LOIHI2, state_bits=12))
    on_one_core(narrow, roomy(state_bits=signed_bits(widest), **roomy_enough))
    with pytest.raises(PlacementError, match="layer 'encoder': expected sums in a neuron"):
        on_one_core(narrow, roomy(state_bits=signed_bits(widest) - 1, **roomy_enough))


def test_wide_does_not_go_on_the_chip(repository):
    program = ns4d.load(repository / "benchmarks/results/smnist/wide.ns4d")
    with pytest.raises(
        PlacementError, match=r"profile 'wide'.*neuron states at most 24 bit.*got 32"
    ):
        place(program)
    chip = SYSTEMS["oheo-gulch"].chip
    with pytest.raises(PlacementError, match="graded spikes at most 32 bit") as spikes:
        place(program, with_limits(chip, state_bits=32))
    payload = int(spikes.value.got.split(",")[0])
    with pytest.raises(PlacementError, match=r"s4d'.*sums in a neuron at most 32 of") as sums:
        place(program, with_limits(chip, state_bits=32, payload_bits=payload))
    state = int(sums.value.got.split(",")[0])
    assert payload < state < payload + 6, "32 modes add up to five bits"
    wider = with_limits(chip, state_bits=state, payload_bits=payload)
    assert len(place(program, wider).cores) == 31


@pytest.mark.parametrize("shift", [1, 6, 20])
def test_unrounded_sums_are_wider_by_the_bits_that_rounding_drops(shift):
    """c is 1 and c_shift what the test says: rounded, a mode sends less and less."""
    each = shaped(4, 3)
    node = replace(each.nodes[1], c_shift=np.full(4, shift), d=np.zeros(4, np.int64))
    each = replace(each, nodes=(each.nodes[0], node, *each.nodes[2:]))
    unrounded = replace(LOIHI2, product_rounding=ProductRounding.SUM_HALF_UP)
    exact = replace(each, arithmetic=unrounded)
    spikes = [payload_bits(program, populations(program)[2]) for program in (each, exact)]
    sums = [sum_bits(program, 1) for program in (each, exact)]
    assert spikes[0] < spikes[1]
    assert sums[0] < sums[1]
    assert spikes[1] - spikes[0] <= shift + 1
    assert spikes[1] <= sums[1] <= spikes[1] + 2, "three modes add up to two bits"


@settings(max_examples=15)
@given(st.data())
def test_no_spike_is_wider_than_proved(data):
    program = data.draw(programs())
    u = data.draw(messages(program))
    machine = Reference().load(program, len(u))
    sent = Reference().trace(program, u)
    heard = dict(zip([node.name for node in program.nodes], [u, *sent.values()], strict=False))
    machine.advance(u)
    for found in populations(program):
        if found.kind is Kind.STATE:
            node = program.nodes[found.node]
            assert isinstance(node, S4D)
            spikes = spikes_of(program, node, machine.state, heard[node.name][:, -1])
            assert int(np.abs(spikes).max()).bit_length() < payload_bits(program, found)
        elif found.kind in (Kind.REDUCE, Kind.DENSE, Kind.ADD):
            most = int(np.abs(sent[found.name]).max())
            assert most.bit_length() < payload_bits(program, found)


def spikes_of(program, node: S4D, state, u: np.ndarray) -> np.ndarray:
    """What the neurons of a node send for the last token."""
    x_re, x_im = state.x_re[node.name], state.x_im[node.name]
    direct = np.zeros((*x_re.shape[:2], node.modes), np.int64)
    if program.arithmetic.product_rounding is ProductRounding.EACH_TOWARD_ZERO:
        direct[..., 0] = shift_toward_zero(node.d * u, node.d_shift)
        shift = node.c_shift[:, None]
        mode = shift_toward_zero(node.c_re * x_re, shift) - shift_toward_zero(
            node.c_im * x_im, shift
        )
        return mode + direct
    top = np.maximum(node.c_shift, node.d_shift)
    direct[..., 0] = (node.d * u) << (top - node.d_shift)
    return ((node.c_re * x_re - node.c_im * x_im) << (top - node.c_shift)[:, None]) + direct
