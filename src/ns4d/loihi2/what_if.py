"""What a designer asks: what changes when one thing about the network does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from ns4d.errors import PlacementError
from ns4d.loihi2.chip import SYSTEMS, System
from ns4d.loihi2.costs import COSTS, Costs
from ns4d.loihi2.energy import price
from ns4d.loihi2.mode import Mode
from ns4d.loihi2.structure import Structure
from ns4d.loihi2.timing import time_steps

# Factors on the structure's own value; densities and bits are set to what stands here.
FACTORS: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {
        "channels": (0.25, 0.5, 1, 2, 4),
        "modes": (0.25, 0.5, 1, 2, 4),
        "layers": (0.5, 1, 2, 4),
        "s4d_neurons_per_core": (0.125, 0.25, 0.5, 1, 2),
    }
)
VALUES: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {
        "relu_density": (0.05, 0.2, 0.5, 1.0),
        "state_density": (0.2, 0.5, 1.0),
        "message_bits": (8, 16, 24),
    }
)
AXES = (*FACTORS, *VALUES)


@dataclass(frozen=True)
class Outcome:
    """What one structure would do.

    Args:
        structure: The network.
        axis: Which field was changed; "" for the structure asked about.
        cores, chips: In use; 0 if no system holds it.
        system: The smallest that holds it, or why none does.
        token_s: Seconds per token, by mode.
        token_j: Joules per token, by mode.
    """

    structure: Structure
    axis: str
    cores: int
    chips: int
    system: str
    token_s: Mapping[Mode, float]
    token_j: Mapping[Mode, float]


def predict(
    structure: Structure,
    costs: Costs = COSTS,
    axis: str = "",
    systems: Sequence[System] = tuple(SYSTEMS.values()),
) -> Outcome:
    """Place a structure, time and price its mean token.

    Args:
        structure: The network.
        costs: Of the chip.
        axis: For the outcome.
        systems: Where it may be placed, the smallest first.

    Returns:
        Both modes; one that says why if no system holds the structure.
    """
    try:
        placement = structure.place(systems)
    except PlacementError as refused:
        return Outcome(structure, axis, 0, 0, f"{refused.where}: {refused.expected}", {}, {})
    times: dict[Mode, float] = {}
    energies: dict[Mode, float] = {}
    stream = structure.work(placement, tokens=3 * structure.layers + 8)
    for mode in Mode:
        timing = time_steps(stream, mode, costs)
        times[mode], energies[mode] = timing.token_s, price(timing, costs).token_j
    chips, cores = placement.chips, len(placement.cores)
    return Outcome(structure, axis, cores, chips, placement.system.name, times, energies)


def what_if(base: Structure, costs: Costs = COSTS, axes: Sequence[str] = AXES) -> Iterator[Outcome]:
    """One thing at a time.

    Args:
        base: The network asked about.
        costs: Of the chip.
        axes: Which fields to change.

    Returns:
        The base, then per axis each value in ascending order, the base's own among them.
    """
    own = predict(base, costs)
    yield own
    for axis in axes:
        for value in values(base, axis):
            if value == getattr(base, axis):
                yield replace(own, axis=axis)
            else:
                yield predict(replace(base, **{axis: value}), costs, axis)


def values(base: Structure, axis: str) -> list[int] | list[float]:
    """What to try for one field."""
    own = getattr(base, axis)
    if axis in FACTORS:
        return sorted({max(int(own * factor), 1) for factor in FACTORS[axis]} | {own})
    kind = type(own)
    return sorted({kind(value) for value in VALUES[axis]} | {own})
