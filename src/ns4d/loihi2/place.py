"""Places a program: how many cores each part gets, which neurons go on which of them.

Cores are shared only inside a group, and a group is as long as its fullest core, so a placement
follows from one number per group:

    group                                        load            cores
    input                                        none            1
    what stands before the first S4D (encoder)   its synapses    ⌈load / synops_per_core⌉
    the S4D neurons of a node                    their number    ⌈load / s4d_neurons_per_core⌉
    what follows them: reduce, linear, add       its synapses    ⌈load / synops_per_core⌉
    read-out                                     its synapses    ⌈load / synops_per_core⌉

More if a limit of memory asks for it. Each population is split evenly over the cores of its group.
With a given number of cores both loads are scaled by one factor, the smallest that suffices.

Chips are filled in order. A layer that would not fit on the rest of a chip begins on the next one,
so that only its messages cross, unless the system is too small for such gaps. Of a layer that must
be divided, S4D neurons stay with the core that adds them up: a chip gets some channels of both.

Source    the loads reproduce the 31 and 111 cores of arXiv 2409.15022; see `ns4d.loihi2.chip`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ns4d.errors import PlacementError
from ns4d.loihi2.chip import SYSTEMS, Chip, System
from ns4d.loihi2.fact import Fact, Tag
from ns4d.loihi2.memory import neuron_bytes, synapse_bits
from ns4d.loihi2.placement import Placement, Slice
from ns4d.loihi2.populations import Kind, Population, populations, synapses_in
from ns4d.program import Program

HALVINGS = 60


@dataclass(frozen=True)
class Group:
    """Populations that share cores.

    Args:
        populations: Next to each other.
        load: S4D neurons, or synapses.
        of_states: Whether these are S4D neurons.
        fewest: Cores that the limits of memory and of neurons ask for.
    """

    populations: tuple[Population, ...]
    load: int
    of_states: bool
    fewest: int

    @property
    def most(self) -> int:
        """Cores beyond which some would have no neuron."""
        return max(population.neurons for population in self.populations)

    def cores(self, chip: Chip, factor: float = 1.0) -> int:
        """How many it gets if a core takes on so many times the chip's load."""
        per_core = chip.s4d_neurons_per_core if self.of_states else chip.synops_per_core
        wanted = math.ceil(self.load / (per_core.value * factor))
        return min(max(wanted, self.fewest), self.most)


def place(
    program: Program, system: System = SYSTEMS["oheo-gulch"], cores: int | None = None
) -> Placement:
    """Place a program on a system.

    Args:
        program: What runs.
        system: Where.
        cores: At most so many, used as far as they make the fullest one emptier: more than usual
            shorten a time step, fewer save power. Fewer may load a core beyond what is inferred
            from the paper, never beyond its memory; `Placement.notes` says so.

    Returns:
        The placement with the least load on the fullest core.

    Raises:
        PlacementError: What does not fit: which limit, by how much, which layer, what to change.
    """
    chip = system.chip
    found = groups(program, chip)
    factor = 1.0 if cores is None else _factor(found, chip, min(cores, system.cores))
    counts = [group.cores(chip, factor) for group in found]
    if factor > 1:
        assert cores is not None
        system = replace(system, chip=_loaded(chip, factor, cores))
    _require_room(sum(counts), system)
    slices: list[Slice] = []
    for group, numbers in zip(found, _numbered(found, counts, system), strict=True):
        for population in group.populations:
            slices += _split(population, numbers)
    return Placement(program, system, tuple(slices))


def groups(program: Program, chip: Chip) -> tuple[Group, ...]:
    """The groups of a program in order of their stages: see the table above."""
    gathered: list[list[Population]] = []
    for population in populations(program):
        alone = population.kind in (Kind.INPUT, Kind.STATE, Kind.READOUT)
        if alone or gathered[-1][0].kind in (Kind.INPUT, Kind.STATE):
            gathered.append([population])
        else:
            gathered[-1].append(population)
    return tuple(_group(program, chip, tuple(together)) for together in gathered)


def _group(program: Program, chip: Chip, together: tuple[Population, ...]) -> Group:
    of_states = together[0].kind is Kind.STATE
    load = sum(int(synapses_in(program, population).sum()) for population in together)
    if of_states:
        load = together[0].neurons
    most = max(population.neurons for population in together)
    bytes_each = [neuron_bytes(program, population) for population in together]
    bits_each = [int(synapse_bits(program, population).max()) for population in together]

    def fits(cores: int) -> bool:
        parts = [-(-population.neurons // cores) for population in together]
        synapses = sum(-(-n * bits // 8) for n, bits in zip(parts, bits_each, strict=True))
        neurons = sum(n * size for n, size in zip(parts, bytes_each, strict=True))
        return (
            sum(parts) <= chip.neurons_per_core.value
            and synapses <= chip.synapse_bytes.value
            and synapses + neurons <= chip.core_bytes.value
        )

    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if fits(middle) else (middle, high)
    return Group(together, load, of_states, high)


def _factor(found: Sequence[Group], chip: Chip, cores: int) -> float:
    """The smallest factor on both loads with which so many cores suffice."""
    least = sum(group.cores(chip, math.inf) for group in found)
    if cores < least:
        raise PlacementError(
            "cores",
            expected=f"at least {least}: {len(found)} groups of layers, none without a core",
            got=str(cores),
            fix="Allow more cores, or take a smaller model.",
        )
    low, high = -40.0, 40.0  # as powers of two
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        enough = sum(group.cores(chip, 2.0**middle) for group in found) <= cores
        low, high = (low, middle) if enough else (middle, high)
    return 2.0**high


def _loaded(chip: Chip, factor: float, cores: int) -> Chip:
    """The chip with the loads that so few cores must take on."""

    def more(fact: Fact) -> Fact:
        source = f"to use at most {cores} cores; {fact.value:g} is {fact.tag.value}"
        return Fact(math.ceil(fact.value * factor), fact.unit, source, Tag.ASSUMED)

    return replace(
        chip,
        s4d_neurons_per_core=more(chip.s4d_neurons_per_core),
        synops_per_core=more(chip.synops_per_core),
    )


def _require_room(cores: int, system: System) -> None:
    if cores <= system.cores:
        return
    fix = "Take more chips, a smaller model, fewer cores."
    if system in SYSTEMS.values():
        larger = [other for other in SYSTEMS.values() if other.cores >= cores]
        fix = "No system has as many: take a smaller model, or fewer cores."
        if larger:
            fix = f"Take {larger[0].name} ({larger[0].cores} cores), a smaller model, fewer cores."
    raise PlacementError(
        f"system '{system.name}'",
        expected=f"at most {system.cores} cores on {system.chips} chips",
        got=f"{cores}, {cores - system.cores} too many",
        fix=fix,
    )


def _numbered(found: Sequence[Group], counts: Sequence[int], system: System) -> list[list[int]]:
    """The cores of each group, with gaps at the ends of chips if the system has room."""
    per_chip = int(system.chip.cores.value)
    for gaps in (True, False):
        numbers: list[list[int]] = [[] for _ in found]
        at = 0
        for unit in _units(found):
            for bundle in _bundles(unit, counts, at, per_chip, gaps):
                if gaps:
                    at = _beginning(at, len(bundle), per_chip)
                for group in bundle:
                    numbers[group].append(at)
                    at += 1
        if at <= system.cores:
            break
    return numbers


def _bundles(
    unit: Sequence[int], counts: Sequence[int], at: int, per_chip: int, gaps: bool
) -> list[list[int]]:
    """Cores that belong on one chip, each as the index of its group: the unit if it fits."""
    size = sum(counts[k] for k in unit)
    if size <= per_chip and (gaps or _beginning(at, size, per_chip) == at):
        return [[k for k in unit for _ in range(counts[k])]]
    *before, last = unit
    bundles: list[list[int]] = [[] for _ in range(counts[last])]
    for k in before:
        for core in range(counts[k]):
            # The core of the last group that has the channels in the middle of this one.
            bundles[(2 * core + 1) * counts[last] // (2 * counts[k])].append(k)
    return [[*bundle, last] for bundle in bundles]


def _beginning(at: int, size: int, per_chip: int) -> int:
    """Where a stretch of cores begins that stays on one chip if it fits one."""
    free = -at % per_chip
    return at + free if free < size <= per_chip else at


def _units(found: Sequence[Group]) -> list[list[int]]:
    """Indices of groups that belong on one chip: a layer is its S4D neurons with what follows."""
    units: list[list[int]] = []
    for k, group in enumerate(found):
        if not units or group.of_states or group.populations[0].kind is Kind.READOUT:
            units.append([])
        units[-1].append(k)
    return units


def _split(population: Population, cores: Sequence[int]) -> list[Slice]:
    """Even parts of a population; the first cores get one neuron more where it does not divide."""
    parts, first = [], 0
    for k, core in enumerate(cores[: population.neurons]):
        neurons = population.neurons // len(cores) + (k < population.neurons % len(cores))
        parts.append(Slice(population.stage, core, first, neurons))
        first += neurons
    return parts
