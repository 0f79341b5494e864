"""A placement is legal or does not exist."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from loihi2_programs import crowded, shaped
from ns4d.errors import PlacementError
from ns4d.loihi2.chip import SYSTEMS
from ns4d.loihi2.memory import neuron_bytes, synapse_bits
from ns4d.loihi2.place import place
from ns4d.loihi2.placement import Placement, Slice
from ns4d.loihi2.populations import synapses_in

SYSTEM = SYSTEMS["oheo-gulch"]


@pytest.fixture(scope="module")
def placed() -> Placement:
    return place(shaped(8, 4), crowded(10, 40))


def test_a_slice_stops_where_the_next_begins(placed):
    for one, other in zip(placed.slices, placed.slices[1:], strict=False):
        assert other.first == (one.stop if one.population == other.population else 0)


@pytest.mark.parametrize("wrong", [{"neurons": 0}, {"core": -1}, {"first": -1}, {"population": -1}])
def test_an_impossible_slice_is_refused(wrong):
    with pytest.raises(PlacementError, match="indices from 0, at least one neuron"):
        replace(Slice(0, 0, 0, 1), **wrong)


def altered(placed: Placement, change) -> list[Slice]:
    slices = list(placed.slices)
    change(slices)
    return slices


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop(), r"population 5 'readout' next.*got no more slices"),
        (lambda s: s.clear(), r"neuron 0 of 1 of population 0 'input' next.*got no more slices"),
        (lambda s: s.pop(3), r"population 2 'layer0.s4d' next"),
        (lambda s: s.insert(3, s[3]), r"neuron 16 of 32 .*got a slice from neuron 8 of 2"),
        (lambda s: s.append(s[-1]), r"no slice behind the last neuron"),
        (lambda s: s.append(Slice(9, 0, 0, 1)), r"got a slice from neuron 0 of 9"),
        (lambda s: s.__setitem__(1, replace(s[1], neurons=9)), r"got a slice up to neuron 8"),
        (lambda s: s.reverse(), r"population 0 'input' next"),
    ],
)
def test_a_neuron_twice_or_never_is_refused(placed, change, message):
    slices = tuple(altered(placed, change))
    with pytest.raises(PlacementError, match=message):
        Placement(placed.program, placed.system, slices)


def test_cores_may_be_any(placed):
    """Neurons on a core need not be neighbours in the chain."""
    together = tuple(
        replace(part, core=7 if part.core == 0 else part.core) for part in placed.slices
    )
    moved = Placement(placed.program, placed.system, together)
    assert 0 not in moved.cores
    assert moved.slices[moved.on_core[7][0]].population == 0


def test_sums_over_slices_are_those_over_populations(placed):
    program = placed.program
    for k, population in enumerate(placed.populations):
        mine = [j for j, part in enumerate(placed.slices) if part.population == k]
        assert placed.synapses[mine].sum() == synapses_in(program, population).sum()
        assert placed.neuron_bytes[mine].sum() == population.neurons * neuron_bytes(
            program, population
        )
        bits = int(synapse_bits(program, population).sum())
        assert bits <= 8 * placed.synapse_bytes[mine].sum() < bits + 8 * len(mine)


def test_chips_follow_from_cores():
    placed = place(shaped(128, 64, 5), SYSTEMS["kapoho-point"])
    assert placed.chips == 2
    assert {placed.chip_of(core) for core in placed.cores} == {0, 1}
    assert placed.chip_of(125) == 0
    assert placed.chip_of(126) == 1
    assert placed.synapses.dtype == np.int64
