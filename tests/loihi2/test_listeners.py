"""Who hears whom, against the equations of the nodes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ns4d.loihi2.chip import SYSTEMS, System
from ns4d.loihi2.fact import Fact, Tag
from ns4d.loihi2.listeners import channels, listeners
from ns4d.loihi2.place import place
from ns4d.loihi2.placement import Placement, Slice
from ns4d.loihi2.populations import Kind
from program_strategies import random_program


def small_cores(neurons: int = 5, synops: int = 8) -> System:
    """Loihi 2 with cores so small that tiny layers need several."""
    board = SYSTEMS["oheo-gulch"]
    few = Fact(neurons, "neurons", "this test", Tag.ASSUMED)
    less = Fact(synops, "synops/token", "this test", Tag.ASSUMED)
    chip = replace(board.chip, s4d_neurons_per_core=few, synops_per_core=less)
    return replace(board, chip=chip)


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "residual"])
def placement(request: pytest.FixtureRequest) -> Placement:
    program = random_program(
        np.random.default_rng(5), channels=6, modes=3, layers=2, residual=request.param
    )
    return place(program, small_cores())


def of_kind(placement: Placement, kind: Kind) -> list[Slice]:
    return [p for p in placement.slices if placement.populations[p.population].kind is kind]


def neurons_that_hear(placement: Placement, sender: Slice, hearer: Slice) -> bool:
    """By the equations: linear layers hear all, the others their channel."""
    if placement.populations[hearer.population].kind in (Kind.DENSE, Kind.READOUT):
        return True
    return bool(set(channels(placement, sender)) & set(channels(placement, hearer)))


def test_every_slice_is_split(placement: Placement) -> None:
    assert all(len(of_kind(placement, kind)) > 2 for kind in (Kind.STATE, Kind.REDUCE))


def test_the_channels_of_state_neurons_are_those_of_their_modes(placement: Placement) -> None:
    for part in of_kind(placement, Kind.STATE):
        wanted = {neuron // 3 for neuron in range(part.first, part.stop)}
        assert set(channels(placement, part)) == wanted
    for part in of_kind(placement, Kind.REDUCE):
        assert channels(placement, part) == range(part.first, part.stop)


def test_neighbours_hear_exactly_what_they_need(placement: Placement) -> None:
    heard = listeners(placement)
    for sender in placement.slices:
        for hearer in placement.slices:
            if hearer.population == sender.population + 1:
                needs = neurons_that_hear(placement, sender, hearer)
                assert (hearer in heard[sender]) == needs


def test_nobody_hears_a_slice_but_the_next_stage_and_adds(placement: Placement) -> None:
    for sender, others in listeners(placement).items():
        for other in others:
            target = placement.populations[other.population]
            assert other.population == sender.population + 1 or target.kind is Kind.ADD


def test_the_source_of_an_add_is_heard_by_it(placement: Placement) -> None:
    heard, names = listeners(placement), [p.name for p in placement.populations]
    for part in of_kind(placement, Kind.ADD):
        node = placement.program.nodes[placement.populations[part.population].node]
        sources = [
            sender
            for sender in placement.slices
            if names[sender.population] == node.source  # type: ignore[union-attr]
            and placement.populations[sender.population].kind is not Kind.STATE
        ]
        assert all(
            (part in heard[sender]) == neurons_that_hear(placement, sender, part)
            for sender in sources
        )
        assert any(part in heard[sender] for sender in sources)


def test_the_readout_is_heard_by_nobody(placement: Placement) -> None:
    heard = listeners(placement)
    assert all(heard[part] == () for part in of_kind(placement, Kind.READOUT))
