"""Where the neurons of a program live: slices of populations on cores."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from ns4d.loihi2.chip import System
from ns4d.loihi2.populations import Population, populations
from ns4d.program import Program


@dataclass(frozen=True)
class Slice:
    """Consecutive neurons of one population on one core.

    Args:
        population: Index in `Placement.populations`.
        core: Index of the core in the system: core % chip.cores on chip core // chip.cores.
        first: The first neuron; of an S4D population neuron h·N + n is mode n of channel h.
        neurons: How many.
    """

    population: int
    core: int
    first: int
    neurons: int


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
        return len({core // int(self.system.chip.cores.value) for core in self.cores})
