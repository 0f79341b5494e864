"""Counts of spikes and synaptic operations, against a recount from messages and states alone."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from loihi2_programs import crowded
from ns4d.engines import Reference
from ns4d.loihi2.activity import Activity
from ns4d.loihi2.mode import Mode
from ns4d.loihi2.place import place
from ns4d.loihi2.populations import Kind, Population
from ns4d.loihi2.simulate import simulate
from ns4d.numerics import ProductRounding, shift_toward_zero
from ns4d.program import S4D, Add, Dense, Program
from program_strategies import messages, programs, random_program


def sent_by(program: Program, u: np.ndarray) -> dict[tuple[str, Kind], np.ndarray]:
    """What every population sends: (l, neurons), from the reference's messages and states."""
    machine = Reference().load(program, 1)
    states = []
    for k in range(len(u)):
        machine.advance(u[None, k : k + 1])
        states.append(machine.state)
    traced = {name: m[0] for name, m in Reference().trace(program, u[None]).items()}
    sent, heard = {("input", Kind.INPUT): u}, u
    for node in program.nodes:
        kind = {Dense: Kind.DENSE, Add: Kind.ADD, S4D: Kind.REDUCE}[type(node)]
        if isinstance(node, S4D):
            x_re, x_im = (
                np.array([getattr(state, part)[node.name][0] for state in states])
                for part in ("x_re", "x_im")
            )
            sent[node.name, Kind.STATE] = outputs(program, node, x_re, x_im, heard)
        heard = sent[node.name, kind] = traced[node.name]
    return sent


def outputs(
    program: Program, node: S4D, x_re: np.ndarray, x_im: np.ndarray, u: np.ndarray
) -> np.ndarray:
    """(3) before its sum: (l, h·n), with D·u on mode 0."""
    if program.arithmetic.product_rounding is ProductRounding.EACH_TOWARD_ZERO:
        sc = node.c_shift[:, None]
        y = shift_toward_zero(node.c_re * x_re, sc) - shift_toward_zero(node.c_im * x_im, sc)
        y[:, :, 0] += shift_toward_zero(node.d * u, node.d_shift)
    else:
        top = np.maximum(node.c_shift, node.d_shift)
        y = (node.c_re * x_re - node.c_im * x_im) << (top - node.c_shift)[:, None]
        y[:, :, 0] += (node.d * u) << (top - node.d_shift)
    return y.reshape(len(u), -1)


def recount(activity: Activity, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Spikes and synaptic operations by definition, slice by slice."""
    placement = activity.placement
    program = placement.program
    sent = sent_by(program, u)
    spikes, synops = np.zeros_like(activity.spikes), np.zeros_like(activity.synops)
    for k, part in enumerate(placement.slices):
        population, rows = placement.populations[part.population], slice(part.first, part.stop)
        if population.kind is not Kind.READOUT:
            spikes[:, k] = (sent[population.name, population.kind][:, rows] != 0).sum(axis=1)
        if population.kind is not Kind.INPUT:
            before = placement.populations[part.population - 1]
            heard = sent[before.name, before.kind] != 0
            synops[:, k] = operations(program, population, heard, sent)[:, rows].sum(axis=1)
    return spikes, synops


def operations(program: Program, population: Population, heard: np.ndarray, sent) -> np.ndarray:
    """Per token and neuron: messages that are not zero, through weights that are not zero."""
    if population.kind is Kind.READOUT:
        return heard.astype(int) @ (program.readout.weight != 0).T
    node = program.nodes[population.node]
    if isinstance(node, Dense):
        return heard.astype(int) @ (node.weight != 0).T
    if isinstance(node, Add):
        kinds = (Kind.REDUCE, Kind.DENSE, Kind.ADD)
        (other,) = (sent[node.source, kind] != 0 for kind in kinds if (node.source, kind) in sent)
        return (heard & (node.weight != 0)).astype(int) + (other & (node.skip != 0))
    if population.kind is Kind.STATE:
        return np.repeat(heard, node.modes, axis=1).astype(int)
    return heard.reshape(len(heard), node.inputs, node.modes).sum(axis=2)


@settings(max_examples=8)
@given(st.data(), st.sampled_from(Mode))
def test_counts_equal_a_recount(data, mode):
    program = data.draw(programs())
    u = data.draw(messages(program, batch=1))[0]
    activity = simulate(place(program, crowded(3, 7)), u, mode).activity
    spikes, synops = recount(activity, u)
    np.testing.assert_array_equal(activity.spikes, spikes)
    np.testing.assert_array_equal(activity.synops, synops)


def test_a_recount_finds_a_wrong_count():
    program = random_program(np.random.default_rng(0))
    u = np.random.default_rng(1).integers(-2000, 2000, (5, 1))
    activity = simulate(place(program), u).activity
    spikes, synops = recount(activity, u)
    assert spikes.any()
    assert synops.any()
    activity.synops[2, 3] += 1
    assert (recount(activity, u)[1] != activity.synops).sum() == 1


@settings(max_examples=8)
@given(st.data())
def test_work_never_exceeds_the_synapses(data):
    program = data.draw(programs())
    u = data.draw(messages(program, batch=1))[0]
    placement = place(program, crowded(3, 7))
    activity = simulate(placement, u).activity
    assert (activity.synops <= placement.synapses).all()
    assert (activity.spikes <= activity.updates_per_token).all()
    assert activity.tokens == len(u)
    assert int(activity.updates_per_token.sum()) == sum(
        population.neurons for population in placement.populations
    )


def test_counts_do_not_depend_on_where_neurons_live():
    program = random_program(np.random.default_rng(2), channels=8, layers=2, residual=True)
    u = np.random.default_rng(3).integers(-2000, 2000, (12, 1))
    totals = []
    for system in (crowded(2, 3), crowded(7, 50), crowded(1000, 1000)):
        activity = simulate(place(program, system), u).activity
        by_stage = np.zeros((2, 12, len(activity.placement.populations)), np.int64)
        for k, part in enumerate(activity.placement.slices):
            by_stage[0, :, part.population] += activity.spikes[:, k]
            by_stage[1, :, part.population] += activity.synops[:, k]
        totals.append(by_stage)
    np.testing.assert_array_equal(totals[0], totals[1])
    np.testing.assert_array_equal(totals[0], totals[2])
