"""Who hears whom: the slices to which the messages of a slice go."""

from __future__ import annotations

from collections.abc import Mapping

from ns4d.loihi2.placement import Placement, Slice
from ns4d.loihi2.populations import Kind, connections

ALL_TO_ALL = (Kind.DENSE, Kind.READOUT)


def listeners(placement: Placement) -> Mapping[Slice, tuple[Slice, ...]]:
    """The slices that hear some neuron of each slice.

    Args:
        placement: Where the neurons live.

    Returns:
        Slice -> those that hear it; a residual connection lets two populations hear one. Weights
        of zero are not looked at: a linear layer hears every neuron of the one before.
    """
    by_population: dict[int, list[Slice]] = {}
    for part in placement.slices:
        by_population.setdefault(part.population, []).append(part)
    heard: dict[Slice, list[Slice]] = {part: [] for part in placement.slices}
    for wire in connections(placement.program):
        everyone = placement.populations[wire.target].kind in ALL_TO_ALL
        for part in by_population[wire.source]:
            mine = channels(placement, part)
            heard[part] += (
                other
                for other in by_population[wire.target]
                if everyone or _overlap(mine, channels(placement, other))
            )
    return {part: tuple(others) for part, others in heard.items()}


def channels(placement: Placement, part: Slice) -> range:
    """The channels to which the neurons of a slice belong."""
    population = placement.populations[part.population]
    each = 1
    if population.kind is Kind.STATE:
        each = population.neurons // placement.program.nodes[population.node].outputs
    return range(part.first // each, (part.stop - 1) // each + 1)


def _overlap(one: range, other: range) -> bool:
    return one.start < other.stop and other.start < one.stop
