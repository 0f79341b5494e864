"""The chip step by step: the bits of the reference, the work of both modes, what the gate does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ns4d
from loihi2_programs import crowded, shaped
from ns4d.engines import Reference
from ns4d.errors import RangeError, ShapeError
from ns4d.loihi2.chip import UNLIMITED
from ns4d.loihi2.mode import Mode
from ns4d.loihi2.place import place
from ns4d.loihi2.populations import (
    Kind,
    connections,
    populations,
    steps_per_token,
    synapse_pairs,
    synapses_in,
)
from ns4d.loihi2.simulate import simulate
from ns4d.loihi2.simulate_layout import lay_out
from ns4d.loihi2.simulate_steps import (
    DELAY,
    DEPTH,
    FAN,
    FANS,
    KIND,
    RING,
    SKIP,
    SKIP_FAN,
    SKIP_FANS,
)
from ns4d.program import Add, Readout
from program_strategies import messages, programs, random_program

MODES = pytest.mark.parametrize("mode", Mode)


@settings(max_examples=10)
@given(st.data(), st.sampled_from(Mode))
def test_scores_and_state_are_those_of_the_reference(data, mode):
    program = data.draw(programs())
    u = data.draw(messages(program, batch=1))
    reference = Reference().load(program, 1)
    wanted = reference.advance(u)[0]
    found = simulate(place(program, crowded(3, 7)), u[0], mode)
    np.testing.assert_array_equal(found.scores, wanted)
    assert found.state == reference.state
    assert found.mode is mode


@settings(max_examples=8)
@given(st.data())
def test_both_modes_do_the_same_work(data):
    program = data.draw(programs())
    u = data.draw(messages(program, batch=1))[0]
    placement = place(program, crowded(3, 7))
    one, other = (simulate(placement, u, mode).activity for mode in Mode)
    np.testing.assert_array_equal(one.spikes, other.spikes)
    np.testing.assert_array_equal(one.synops, other.synops)
    assert one.spikes.shape == (len(u), len(placement.slices))


@settings(max_examples=8)
@given(st.data(), st.sampled_from(Mode))
def test_a_run_goes_on_from_a_state(data, mode):
    program = data.draw(programs())
    u = data.draw(messages(program, batch=1))[0]
    placement, cut = place(program, UNLIMITED), data.draw(st.integers(0, len(u)))
    whole, first = simulate(placement, u, mode), simulate(placement, u[:cut], mode)
    rest = simulate(placement, u[cut:], mode, first.state)
    np.testing.assert_array_equal(np.concatenate([first.scores, rest.scores]), whole.scores)
    assert rest.state == whole.state
    for part in ("spikes", "synops"):
        joined = [getattr(run.activity, part) for run in (first, rest)]
        np.testing.assert_array_equal(np.concatenate(joined), getattr(whole.activity, part))


@MODES
def test_the_trained_program_on_real_tokens(mode, repository):
    from ns4d.data import load_task

    program = ns4d.load(repository / "benchmarks/results/digits/loihi2.ns4d")
    raw = load_task("digits").test.tokens[0].astype(np.float64)
    found = simulate(place(program), raw, mode)
    np.testing.assert_array_equal(found.scores, program.stream(Reference()).run(raw))
    assert found.steps == mode.steps(program, len(raw))


class TestTime:
    """A token enters when the last one has left, or in every step."""

    PROGRAM = random_program(np.random.default_rng(0), layers=4)

    @pytest.mark.parametrize(("mode", "steps"), [(Mode.FALL_THROUGH, 132), (Mode.PIPELINED, 24)])
    def test_steps_of_ten_tokens(self, mode, steps):
        assert steps_per_token(self.PROGRAM) == 13
        found = simulate(place(self.PROGRAM), np.ones((10, 1), np.int64), mode)
        assert found.steps == steps

    @MODES
    def test_no_token_takes_no_step(self, mode):
        found = simulate(place(self.PROGRAM), np.zeros((0, 1), np.int64), mode)
        assert (found.steps, len(found.scores)) == (0, 0)
        assert not found.state.r.any()

    @MODES
    def test_a_program_without_nodes_takes_a_step_per_token(self, mode):
        bare = replace(
            self.PROGRAM, nodes=(), readout=Readout(np.array([[2], [-1], [0]]), np.arange(3))
        )
        found = simulate(place(bare), np.array([[5], [0], [-3]]), mode)
        assert found.scores.tolist() == [[10, -4, 2], [10, -3, 4], [4, 1, 6]]
        assert found.steps == 4
        assert found.activity.synops.tolist() == [[0, 2], [0, 0], [0, 2]]


class TestGate:
    """Without it, neurons act in steps that belong to no token of theirs."""

    PROGRAM = random_program(np.random.default_rng(3), layers=2, channels=6)
    TOKENS = np.random.default_rng(4).integers(-2000, 2000, (20, 1))

    @MODES
    def test_scores_are_wrong_without_it(self, mode):
        placement = place(self.PROGRAM)
        wanted = Reference().load(self.PROGRAM, 1).advance(self.TOKENS[None])[0]
        gated = simulate(placement, self.TOKENS, mode)
        ungated = simulate(placement, self.TOKENS, mode, gated=False)
        np.testing.assert_array_equal(gated.scores, wanted)
        assert (ungated.scores != wanted).any(axis=1).sum() > 10
        assert ungated.state != gated.state

    def test_a_silent_stream_still_updates_its_neurons(self):
        """An impulse rings on: every neuron acts once per token, although nothing comes in."""
        program = shaped(4, 3)
        pulse = np.zeros((12, 1), np.int64)
        pulse[0] = 1000
        program = replace(
            program,
            nodes=(replace(program.nodes[0], bias=np.zeros(4, np.int64)), *program.nodes[1:]),
        )
        found = simulate(place(program, crowded(5, 9)), pulse, Mode.FALL_THROUGH)
        of_kind = [p.kind for p in populations(program)]
        states = [
            k
            for k, part in enumerate(found.activity.placement.slices)
            if of_kind[part.population] is Kind.STATE
        ]
        assert found.activity.synops[1:, states].sum() == 0
        assert (found.activity.spikes[:6, states].sum(axis=1) > 0).all()
        np.testing.assert_array_equal(
            found.scores, Reference().load(program, 1).advance(pulse[None])[0]
        )


class TestSkips:
    """A residual connection keeps a token's messages until the other way has caught up."""

    @MODES
    def test_delay_lines_in_both_modes(self, mode):
        program = random_program(np.random.default_rng(5), layers=3, residual=True)
        tokens = np.random.default_rng(6).integers(-2000, 2000, (15, 1))
        wanted = Reference().load(program, 1).advance(tokens[None])[0]
        np.testing.assert_array_equal(simulate(place(program), tokens, mode).scores, wanted)

    def test_a_ring_has_a_slot_per_step_of_the_delay(self):
        program = random_program(np.random.default_rng(5), layers=2, residual=True)
        table = lay_out(place(program)).table
        for stage, population in enumerate(populations(program)):
            if population.kind is Kind.ADD:
                assert table[stage, DELAY] == stage - table[stage, SKIP] - 1 == 3
                assert table[table[stage, SKIP], DEPTH] == 5
        assert (table[:, DEPTH] >= 2).all()
        assert (np.diff(table[:, RING]) > 0).all()

    def test_an_add_may_name_the_node_before_it(self):
        program = random_program(np.random.default_rng(7), layers=1)
        before = program.nodes[-1]
        one = np.ones(before.outputs, np.int64)
        twice = replace(
            program, nodes=(*program.nodes, Add("twice", before.name, one, one, before.descale))
        )
        tokens = np.random.default_rng(8).integers(-2000, 2000, (9, 1))
        wanted = Reference().load(twice, 1).advance(tokens[None])[0]
        found = simulate(place(twice), tokens, Mode.PIPELINED)
        np.testing.assert_array_equal(found.scores, wanted)


class TestLayout:
    """Synapses one by one are those that placement counts."""

    @settings(max_examples=8)
    @given(programs())
    def test_pairs_are_the_synapses(self, program):
        for target in populations(program):
            listeners = [
                synapse_pairs(program, wire)[1]
                for wire in connections(program)
                if wire.target == target.stage
            ]
            heard = np.concatenate([[], *listeners]).astype(int)
            counted = np.bincount(heard, minlength=target.neurons)
            assert counted.tolist() == synapses_in(program, target).tolist()

    @settings(max_examples=8)
    @given(programs())
    def test_fans_hold_every_synapse_once(self, program):
        placement = place(program, crowded(3, 7))
        layout = lay_out(placement)
        fans, every = layout.fans, np.zeros(layout.slices, np.int64)
        assert len(fans.start) == len(fans.stops) + 1
        for wire in connections(program):
            columns = (SKIP_FAN, SKIP_FANS) if wire.skip else (FAN, FANS)
            first, many = layout.table[wire.target, columns]
            assert fans.stops[first + many - 1] == placement.populations[wire.source].neurons
            sizes = np.diff(fans.stops[first : first + many], prepend=0)
            assert (sizes > 0).all()
            for group, size in enumerate(sizes, start=first):
                entries = slice(fans.start[group], fans.start[group + 1])
                np.add.at(every, fans.slices[entries], size * fans.counts[entries])
        assert every.tolist() == placement.synapses.tolist()
        assert layout.stops.tolist() == [part.stop for part in placement.slices]
        assert layout.table[0, KIND] == 0


class TestRefusals:
    PLACED = place(random_program(np.random.default_rng(0), inputs=2))

    @MODES
    @pytest.mark.parametrize(
        ("tokens", "error"),
        [
            (np.zeros((3, 1)), ShapeError),
            (np.zeros(2), ShapeError),
            (np.full((3, 2), np.nan), RangeError),
            (np.full((3, 2), 5000), RangeError),
        ],
    )
    def test_illegal_tokens(self, mode, tokens, error):
        with pytest.raises(error, match=r"token|axis|shape"):
            simulate(self.PLACED, tokens, mode)

    def test_an_illegal_state(self):
        state = simulate(self.PLACED, np.ones((3, 2))).state
        wrong = replace(state, r=state.r + 10**15)
        with pytest.raises(RangeError, match="state of 'readout'"):
            simulate(self.PLACED, np.ones((3, 2)), state=wrong)
        two = Reference().load(self.PLACED.program, 2).state
        with pytest.raises(ShapeError, match="batch 1"):
            simulate(self.PLACED, np.ones((3, 2)), state=two)

    def test_too_many_tokens(self):
        program = self.PLACED.program
        spent = replace(Reference().load(program, 1).state, tokens_seen=program.safe_tokens)
        with pytest.raises(RangeError, match="proved safe"):
            simulate(self.PLACED, np.ones((1, 2)), state=spent)
