"""Where the compiled steps find their numbers; states as flat arrays and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loihi2_programs import crowded, shaped
from ns4d.engines import Reference
from ns4d.engines.state import zero_state
from ns4d.loihi2 import simulate_steps as s
from ns4d.loihi2.chip import UNLIMITED
from ns4d.loihi2.place import place
from ns4d.loihi2.populations import Kind, connections, populations, synapse_pairs
from ns4d.loihi2.simulate import layout_of
from ns4d.loihi2.simulate_layout import COEFFICIENTS, KINDS, Layout, lay_out
from ns4d.loihi2.simulate_streams import passage, streams_of
from ns4d.numerics import LOIHI2, WIDE, SynapseRounding
from ns4d.program import S4D, Add, Dense
from program_strategies import ARITHMETICS, messages, programs, random_program


def laid(program) -> Layout:
    return lay_out(place(program, crowded(3, 7)))


def numbers(layout: Layout, row: np.ndarray, count: int) -> np.ndarray:
    return layout.numbers[row[s.NUMBERS] : row[s.NUMBERS] + count]


def words(layout: Layout, row: np.ndarray, count: int) -> np.ndarray:
    return layout.words[row[s.WORDS] : row[s.WORDS] + count]


@settings(max_examples=8)
@given(programs())
def test_every_parameter_stands_where_the_row_says(program):
    layout = laid(program)
    for row, found in zip(layout.table, populations(program), strict=True):
        assert (row[s.KIND], row[s.NEURONS]) == (KINDS[found.kind], found.neurons)
        if found.kind is Kind.INPUT:
            continue
        if found.kind is Kind.READOUT:
            weight, bias = program.readout.weight, program.readout.bias
            assert numbers(layout, row, len(bias)).tolist() == bias.tolist()
            assert words(layout, row, weight.size).tolist() == weight.T.reshape(-1).tolist()
            continue
        node = program.nodes[found.node]
        if found.kind is Kind.STATE:
            assert isinstance(node, S4D)
            per_channel = [node.d, node.b_shift, node.c_shift, node.d_shift]
            coefficients = [getattr(node, name).reshape(-1) for name in COEFFICIENTS]
            assert numbers(layout, row, 4 * node.inputs).tolist() == [*np.concatenate(per_channel)]
            assert words(layout, row, 6 * found.neurons).tolist() == [*np.concatenate(coefficients)]
            assert (row[s.CHANNELS], row[s.MODES]) == node.a_re.shape
            assert (row[s.SHIFT], row[s.STATE_MAX]) == (node.a_shift, program.arithmetic.state_max)
            continue
        scale = np.concatenate([node.descale.multiplier, node.descale.limit])
        assert numbers(layout, row, 2 * found.neurons).tolist() == scale.tolist()
        assert (row[s.SHIFT], row[s.RELU]) == (node.descale.shift, node.descale.relu)
        if isinstance(node, Dense):
            assert numbers(layout, row, 3 * found.neurons)[-found.neurons :].tolist() == [
                *node.bias
            ]
            assert words(layout, row, node.weight.size).tolist() == [*node.weight.T.reshape(-1)]
        elif isinstance(node, Add):
            both = np.concatenate([node.weight, node.skip])
            assert words(layout, row, 2 * found.neurons).tolist() == both.tolist()


@pytest.mark.parametrize("arithmetic", ARITHMETICS, ids=lambda profile: profile.name)
def test_roundings_are_those_of_the_profile(arithmetic):
    table = laid(random_program(np.random.default_rng(0), arithmetic)).table
    descaled = np.isin(table[:, s.KIND], (s.REDUCE_KIND, s.DENSE_KIND, s.ADD_KIND))
    half_up = arithmetic.synapse_rounding is SynapseRounding.HALF_UP
    assert (table[descaled, s.HALF_UP] == half_up).all()
    assert not table[~descaled, s.HALF_UP].any()


@settings(max_examples=8)
@given(programs())
def test_places_in_arrays_do_not_overlap(program):
    layout = laid(program)
    table = layout.table
    neurons, depth = table[:, s.NEURONS], table[:, s.DEPTH]
    states = neurons * (table[:, s.KIND] == s.STATE_KIND)
    for column, size in (
        (s.RING, neurons * depth),
        (s.COUNTS, depth),
        (s.STATE, states),
        (s.SLICE, table[:, s.SLICES]),
    ):
        assert table[:, column].tolist() == [0, *np.cumsum(size)[:-1]]
    assert layout.states == sum(node.a_re.size for node in program.recurrent)
    assert layout.messages == sum(program.channels)
    assert layout.slices == table[:, s.SLICES].sum()


@settings(max_examples=8)
@given(programs())
def test_groups_of_senders_are_as_long_as_they_can_be(program):
    """Neighbours are in one group exactly if each slice hears them by as many synapses."""
    layout = laid(program)
    stops = layout.stops
    for wire in connections(program):
        skip = wire.skip
        first, many = layout.table[
            wire.target, [s.SKIP_FAN, s.SKIP_FANS] if skip else [s.FAN, s.FANS]
        ]
        at, count = layout.table[wire.target, [s.SLICE, s.SLICES]]
        senders, listeners = synapse_pairs(program, wire)
        heard = np.zeros((layout.table[wire.source, s.NEURONS], count), np.int64)
        for sender, listener in zip(senders, listeners, strict=True):
            heard[sender, np.searchsorted(stops[at : at + count], listener, side="right")] += 1
        changes = np.flatnonzero((heard[1:] != heard[:-1]).any(axis=1)) + 1
        assert layout.fans.stops[first : first + many].tolist() == [*changes, len(heard)]


def test_reduction_takes_a_group_per_slice_not_per_neuron():
    layout = lay_out(place(shaped(128, 64, 1, inputs=3)))
    assert layout.table[3, s.KIND] == s.REDUCE_KIND
    assert layout.table[3, s.FANS] == layout.table[3, s.SLICES] == 3
    assert layout.table[2, s.FANS] < 2 * layout.table[2, s.SLICES]


def test_a_placement_is_laid_out_once():
    placement = place(shaped(4, 3), UNLIMITED)
    assert layout_of(placement) is layout_of(placement)
    assert layout_of(place(shaped(4, 3), UNLIMITED)) is not layout_of(placement)


class TestStreams:
    @settings(max_examples=8)
    @given(st.data())
    def test_states_survive_the_way_there_and_back(self, data):
        program = data.draw(programs())
        u = data.draw(messages(program, batch=3))
        machine = Reference().load(program, 3)
        machine.advance(u)
        held = streams_of(laid(program), machine.state)
        assert held.state(u.shape[1]) == machine.state
        assert held.x_re.dtype == np.int32

    def test_streams_write_into_their_own_rows(self):
        program = random_program(np.random.default_rng(0), layers=2)
        layout = laid(program)
        held = streams_of(layout, zero_state(program, 3))
        u = np.random.default_rng(1).integers(-2000, 2000, (7, 1))
        held.run(1, u, 1, 0, passage(layout, 7))
        assert held.x_re[1].any()
        assert not held.x_re[[0, 2]].any()
        assert not held.r[[0, 2]].any()

    def test_a_state_is_copied(self):
        program = random_program(np.random.default_rng(0))
        zero = zero_state(program, 1)
        layout = laid(program)
        held = streams_of(layout, zero)
        held.run(0, np.full((5, 1), 900), 1, 0, passage(layout, 5))
        assert zero == zero_state(program, 1)
        assert held.state(5) != zero

    def test_a_passage_has_room_for_what_is_asked(self):
        program = random_program(np.random.default_rng(0), layers=2, classes=6)
        layout = laid(program)
        plain, traced = (passage(layout, 9, traced) for traced in (False, True))
        assert plain.scores.shape == (9, 6)
        assert plain.messages.shape == (0, layout.messages)
        assert traced.messages.shape == (9, sum(program.channels))
        assert plain.spikes.shape == plain.synops.shape == (9, layout.slices)
        assert plain.gated

    @pytest.mark.parametrize("arithmetic", [LOIHI2, WIDE])
    def test_messages_are_kept_node_by_node(self, arithmetic):
        program = random_program(np.random.default_rng(2), arithmetic, layers=2, residual=True)
        layout = laid(program)
        u = np.random.default_rng(3).integers(-2000, 2000, (6, 1))
        out = passage(layout, 6, traced=True)
        streams_of(layout, zero_state(program, 1)).run(0, u, 1, 0, out)
        sent = Reference().trace(program, u[None])
        np.testing.assert_array_equal(
            out.messages, np.concatenate([m[0] for m in sent.values()], axis=1)
        )

    def test_the_bias_counts_from_the_tokens_before(self):
        program = random_program(np.random.default_rng(4))
        layout = laid(program)
        outs = [passage(layout, 3) for _ in range(2)]
        for seen, out in zip((0, 100), outs, strict=True):
            streams_of(layout, zero_state(program, 1)).run(0, np.ones((3, 1), int), 1, seen, out)
        np.testing.assert_array_equal(
            outs[1].scores - outs[0].scores, np.tile(100 * program.readout.bias, (3, 1))
        )
