"""Where the neurons of a program live: slices of populations on cores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Int64

from ns4d.errors import PlacementError
from ns4d.loihi2.chip import System
from ns4d.loihi2.fact import Tag
from ns4d.loihi2.memory import neuron_bytes, synapse_bits
from ns4d.loihi2.populations import Population, populations, synapses_in
from ns4d.program import Program


@dataclass(frozen=True)
class Slice:
    """Consecutive neurons of one population on one core.

    Args:
        population: Index in `Placement.populations`.
        core: Index of the core in the system: core % chip.cores on chip core // chip.cores.
        first: The first neuron; of an S4D population neuron h·N + n is mode n of channel h.
        neurons: How many.

    Raises:
        PlacementError: A negative index, or no neuron.
    """

    population: int
    core: int
    first: int
    neurons: int

    def __post_init__(self) -> None:
        if min(self.population, self.core, self.first) < 0 or self.neurons < 1:
            raise PlacementError(
                "slice",
                expected="indices from 0, at least one neuron",
                got=str(self),
                fix="Use ns4d.loihi2.place.",
            )

    @property
    def stop(self) -> int:
        """The first neuron behind it."""
        return self.first + self.neurons


@dataclass(frozen=True, eq=False)
class Placement:
    """A program on a system, legal when built.

    Args:
        program: What is placed.
        system: Where.
        slices: Every neuron of every population once, by population, then by first neuron.

    Raises:
        PlacementError: A neuron placed twice or not at all, or a limit of the chip exceeded: which,
            by how much, on which core, by which layer, and what to change.
    """

    program: Program
    system: System
    slices: tuple[Slice, ...]

    def __post_init__(self) -> None:
        # The rules are about placements, so they import this module.
        from ns4d.loihi2.design_rules import require_rules

        _require_every_neuron(self)
        require_rules(self)

    @cached_property
    def populations(self) -> tuple[Population, ...]:
        """Of the program, by stage."""
        return populations(self.program)

    @cached_property
    def cores(self) -> tuple[int, ...]:
        """The cores in use, ascending."""
        return tuple(sorted({part.core for part in self.slices}))

    @property
    def chips(self) -> int:
        """How many chips are in use."""
        return len({self.chip_of(core) for core in self.cores})

    def chip_of(self, core: int) -> int:
        """The chip on which a core is."""
        return core // int(self.system.chip.cores.value)

    @cached_property
    def on_core(self) -> Mapping[int, tuple[int, ...]]:
        """Core -> indices of its slices."""
        found: dict[int, list[int]] = {}
        for k, part in enumerate(self.slices):
            found.setdefault(part.core, []).append(k)
        return {core: tuple(found[core]) for core in self.cores}

    @cached_property
    def synapses(self) -> Int64[np.ndarray, " s"]:
        """Synapses of non-zero weight into each slice: its most synaptic operations per token."""
        every = [synapses_in(self.program, population) for population in self.populations]
        return self._summed(every)

    @cached_property
    def synapse_bytes(self) -> Int64[np.ndarray, " s"]:
        """Memory of the synapses of each slice."""
        every = [synapse_bits(self.program, population) for population in self.populations]
        return -(-self._summed(every) // 8)

    @cached_property
    def neuron_bytes(self) -> Int64[np.ndarray, " s"]:
        """State with parameters of the neurons of each slice."""
        each = [neuron_bytes(self.program, population) for population in self.populations]
        return np.array([part.neurons * each[part.population] for part in self.slices], np.int64)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is assumed of the chip's loads for this placement, a line each."""
        chip = self.system.chip
        loads = {"S4D neurons": chip.s4d_neurons_per_core, "synapses": chip.synops_per_core}
        return tuple(
            f"{int(fact.value)} {name} per core {fact.source}"
            for name, fact in loads.items()
            if fact.tag is Tag.ASSUMED
        )

    def _summed(self, every: list[np.ndarray]) -> Int64[np.ndarray, " s"]:
        parts = ((every[part.population], part) for part in self.slices)
        return np.array([array[part.first : part.stop].sum() for array, part in parts], np.int64)


def _require_every_neuron(placement: Placement) -> None:
    at, done = 0, 0
    found = placement.populations
    for part in placement.slices:
        while at < len(found) and done == found[at].neurons:
            at, done = at + 1, 0
        if part.population != at or part.first != done or at == len(found):
            _refuse(found, at, done, f"a slice from neuron {part.first} of {part.population}")
        if part.stop > found[at].neurons:
            _refuse(found, at, done, f"a slice up to neuron {part.stop - 1}")
        done = part.stop
    if at < len(found) - 1 or done < found[-1].neurons:
        _refuse(found, at, done, "no more slices")


def _refuse(found: tuple[Population, ...], at: int, done: int, got: str) -> None:
    expected = "no slice behind the last neuron"
    if at < len(found):
        expected = f"neuron {done} of {found[at].neurons} of population {at} '{found[at].name}'"
    raise PlacementError(
        "slices",
        expected=f"{expected} next, every neuron once and in order",
        got=got,
        fix="Use ns4d.loihi2.place, or order the slices by population and first neuron.",
    )
