"""Laws of placing: every neuron once, even loads, the paper's counts, chips layer by layer."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ns4d
from loihi2_programs import crowded, shaped, with_limits
from ns4d.errors import PlacementError
from ns4d.loihi2.chip import SYSTEMS, UNLIMITED
from ns4d.loihi2.fact import Tag
from ns4d.loihi2.place import groups, place
from ns4d.loihi2.placement import Placement
from ns4d.loihi2.populations import Kind, connections, synapse_pairs, synapses_in
from program_strategies import programs

CROWDED = crowded(4, 20)
SIZES = st.tuples(st.integers(1, 24), st.integers(1, 9), st.integers(0, 3), st.integers(1, 3))


def fullest(placement: Placement) -> dict[str, int]:
    """The largest load of any core, by what it is loaded with."""
    loads = {"neurons": 0, "synapses": 0}
    for slices in placement.on_core.values():
        states = [
            k
            for k in slices
            if placement.populations[placement.slices[k].population].kind is Kind.STATE
        ]
        rest = [k for k in slices if k not in states]
        neurons = sum(placement.slices[k].neurons for k in states)
        synapses = sum(int(placement.synapses[k]) for k in rest)
        loads = {
            "neurons": max(loads["neurons"], neurons),
            "synapses": max(loads["synapses"], synapses),
        }
    return loads


@pytest.mark.parametrize(("sizes", "cores"), [((64, 32, 4, 1), 31), ((128, 64, 4, 3), 111)])
def test_the_papers_models_take_its_numbers_of_cores(sizes, cores):
    channels, modes, layers, inputs = sizes
    placement = place(shaped(channels, modes, layers, inputs))
    assert len(placement.cores) == cores
    assert placement.cores == tuple(range(cores))
    assert placement.chips == 1
    assert placement.notes == ()


def test_the_trained_program_takes_31_cores(repository):
    program = ns4d.load(repository / "benchmarks/results/smnist/loihi2.ns4d")
    assert len(place(program).cores) == 31


@settings(max_examples=8)
@given(programs())
def test_every_neuron_is_placed_once_and_loads_sum_up(program):
    placement = place(program, CROWDED)
    placed = Counter(
        (part.population, k) for part in placement.slices for k in range(part.first, part.stop)
    )
    assert set(placed.values()) == {1}
    assert len(placed) == sum(population.neurons for population in placement.populations)
    synapses = sum(int(synapses_in(program, found).sum()) for found in placement.populations)
    assert int(placement.synapses.sum()) == synapses
    assert sum(len(slices) for slices in placement.on_core.values()) == len(placement.slices)


@settings(max_examples=8)
@given(programs())
def test_parts_of_a_population_differ_by_one_neuron_at_most(program):
    placement = place(program, CROWDED)
    for k, population in enumerate(placement.populations):
        sizes = [part.neurons for part in placement.slices if part.population == k]
        assert max(sizes) - min(sizes) <= 1
        assert max(sizes) < population.neurons / len(sizes) + 1
        if population.kind is Kind.STATE:
            assert max(sizes) <= 4
            assert len(sizes) == -(-population.neurons // 4)


@settings(max_examples=8)
@given(programs())
def test_groups_share_no_core(program):
    placement = place(program, CROWDED)
    of_core = {}
    for number, group in enumerate(groups(program, CROWDED.chip)):
        for population in group.populations:
            for part in placement.slices:
                if part.population == population.stage:
                    assert of_core.setdefault(part.core, number) == number
    assert set(of_core) == set(placement.cores)


@settings(max_examples=10)
@given(SIZES, st.integers(0, 1))
def test_cores_grow_with_channels_and_modes(sizes, more_channels):
    channels, modes, layers, inputs = sizes
    larger = (channels + more_channels, modes + 1 - more_channels)
    few = place(shaped(channels, modes, layers, inputs), CROWDED)
    many = place(shaped(*larger, layers, inputs), CROWDED)
    assert len(few.cores) <= len(many.cores)


@settings(max_examples=10)
@given(SIZES, st.integers(0, 40), st.integers(0, 20))
def test_more_cores_never_make_the_fullest_one_fuller(sizes, cores, more):
    channels, modes, layers, inputs = sizes
    program = shaped(channels, modes, layers, inputs)
    least = len(groups(program, CROWDED.chip))
    few, many = (place(program, CROWDED, least + extra) for extra in (cores, cores + more))
    assert len(few.cores) <= least + cores
    assert len(few.cores) <= len(many.cores)
    for load, amount in fullest(many).items():
        assert amount <= fullest(few)[load]


def test_fewer_cores_than_usual_are_said_to_load_them_more():
    program = shaped(64, 32, 4)
    few = place(program, cores=20)
    assert len(few.cores) == 19
    assert fullest(few)["neurons"] == 683
    assert few.system.chip.s4d_neurons_per_core.tag is Tag.ASSUMED
    assert "683 S4D neurons per core to use at most 20 cores; 342 is fitted" in few.notes
    many = place(program, cores=60)
    assert fullest(many)["neurons"] == 171
    assert many.notes == ()


def test_the_usual_number_of_cores_changes_nothing():
    program = shaped(64, 32, 4)
    assert place(program, cores=31).slices == place(program).slices


def test_too_few_cores_are_refused():
    program = shaped(64, 32, 4)
    with pytest.raises(PlacementError, match=r"cores: expected at least 11: 11 groups.*got 10"):
        place(program, cores=10)
    assert len(place(program, cores=11).cores) == 11


def test_memory_may_ask_for_more_cores_than_loads():
    program = shaped(64, 32, 1)
    tight = with_limits(synapse_bytes=1024, s4d_neurons_per_core=8192)
    placement = place(program, tight)
    synapses = [
        sum(int(placement.synapse_bytes[k]) for k in slices)
        for slices in placement.on_core.values()
    ]
    assert max(synapses) <= 1024
    assert len(placement.cores) > len(place(program, with_limits(s4d_neurons_per_core=8192)).cores)


def test_fewer_cores_never_break_a_limit_of_memory():
    tight = with_limits(UNLIMITED.chip, core_bytes=4000)
    placement = place(shaped(64, 32, 1), tight, cores=200)
    every = placement.synapse_bytes + placement.neuron_bytes
    assert max(int(every[list(k)].sum()) for k in placement.on_core.values()) <= 4000
    fewest = sum(group.fewest for group in groups(placement.program, tight.chip))
    with pytest.raises(PlacementError, match=f"at least {fewest}"):
        place(placement.program, tight, cores=fewest - 1)


def test_a_neuron_that_alone_is_too_large_is_refused():
    with pytest.raises(
        PlacementError, match=r"layer 'layer0.linear' .*: expected memory at most 4"
    ):
        place(shaped(4, 2), with_limits(core_bytes=4))


def test_what_fills_more_than_a_chip_names_the_system_that_takes_it():
    program = shaped(128, 64, 5)
    with pytest.raises(PlacementError, match=r"at most 126 cores.*got 138, 12 too many.*Kapoho Po"):
        place(program)
    placement = place(program, SYSTEMS["kapoho-point"])
    assert (len(placement.cores), placement.chips) == (138, 2)


def test_what_no_system_takes_is_refused(monkeypatch):
    monkeypatch.setattr("ns4d.loihi2.place.SYSTEMS", {"oheo-gulch": SYSTEMS["oheo-gulch"]})
    with pytest.raises(PlacementError, match=r"got 138, 12 too many\. No system has as many"):
        place(shaped(128, 64, 5))


def test_a_system_of_your_own_is_not_compared_with_the_named_ones():
    with pytest.raises(PlacementError, match=r"got 31, 27 too many\. Take more chips"):
        place(shaped(64, 32, 4), with_limits(cores=2, chips=2))


def test_more_cores_than_the_system_has_are_not_used():
    placement = place(shaped(64, 32, 4), cores=10_000)
    assert 100 < len(placement.cores) <= 126


def test_layers_are_not_divided_where_the_system_has_room():
    program = shaped(64, 32, 4)  # layers of 6 + 1 cores
    placement = place(program, with_limits(cores=10, chips=8))
    for layer in range(4):
        mine = {
            placement.chip_of(part.core)
            for part in placement.slices
            if placement.populations[part.population].name.startswith(f"layer{layer}.")
        }
        assert len(mine) == 1
    assert placement.chips == 4


def test_layers_are_divided_where_gaps_would_not_fit():
    placement = place(shaped(64, 32, 4), with_limits(cores=8, chips=4))
    assert placement.cores == tuple(range(31))
    assert placement.chips == 4


def test_a_layer_larger_than_a_chip_fills_chips():
    placement = place(shaped(64, 32, 1), with_limits(cores=4, chips=9))
    states = [part.core for part in placement.slices if part.population == 2]
    assert states == [2, 3, 4, 5, 6, 7]
    reduce, linear = ([p.core for p in placement.slices if p.population == k] for k in (3, 4))
    assert reduce == linear == [8]


def crossing(placement: Placement, kind: Kind) -> int:
    """Neurons of a kind that some neuron on another chip hears."""
    found = 0
    for wire in connections(placement.program):
        if placement.populations[wire.source].kind is kind:
            senders, listeners = synapse_pairs(placement.program, wire)
            chips = [chips_of(placement, k) for k in (wire.source, wire.target)]
            found += len(set(senders[chips[0][senders] != chips[1][listeners]].tolist()))
    return found


def chips_of(placement: Placement, population: int) -> np.ndarray:
    """The chip of each neuron."""
    mine = [part for part in placement.slices if part.population == population]
    return np.repeat([placement.chip_of(part.core) for part in mine], [p.neurons for p in mine])


def test_between_layers_only_messages_cross():
    placement = place(shaped(64, 32, 4), with_limits(cores=10, chips=8))
    assert placement.chips == 4
    assert crossing(placement, Kind.STATE) == 0
    # From a layer to the next one, on another chip, and to the read-out.
    assert [crossing(placement, kind) for kind in (Kind.REDUCE, Kind.DENSE)] == [0, 3 * 64]


@pytest.mark.parametrize("system", [{"cores": 20, "chips": 30}, {"cores": 20, "chips": 8}])
def test_a_divided_layer_keeps_its_neurons_beside_their_sums(system):
    """Numbered population by population, most S4D neurons would send over a link."""
    limits = {"s4d_neurons_per_core": 64, "synops_per_core": 1024}
    placement = place(shaped(64, 64, 2), with_limits(**system, **limits))
    assert placement.chips >= 8
    largest = max(part.neurons for part in placement.slices)
    assert crossing(placement, Kind.STATE) <= largest * placement.chips
    assert max(sum(part.core == core for part in placement.slices) for core in placement.cores) == 2
    order = list(dict.fromkeys(part.core for part in placement.slices))
    plain = tuple(replace(part, core=order.index(part.core)) for part in placement.slices)
    naive = crossing(Placement(placement.program, placement.system, plain), Kind.STATE)
    assert naive > 2 * 64 * 64 / 2 > 10 * crossing(placement, Kind.STATE)
