"""Design rules: what a neuron, a core, a system must not be asked for. A new rule is one row.

A rule holds a limit against what a placement asks for, place by place. Sums and spikes are as wide
as the range certificate of the program proves, not as the profile allows.

Source    limits: `ns4d.loihi2.chip`; memory: `ns4d.loihi2.memory`; spikes: `ns4d.loihi2.payload`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from ns4d.errors import PlacementError
from ns4d.loihi2.chip import System
from ns4d.loihi2.fact import Fact, Tag
from ns4d.loihi2.memory import neuron_bytes
from ns4d.loihi2.payload import payload_bits, sum_bits
from ns4d.loihi2.placement import Placement
from ns4d.loihi2.populations import Kind, connections


@dataclass(frozen=True)
class Demand:
    """What one place asks for.

    Args:
        where: The core, layer or field.
        amount: How much, in the unit of the limit.
    """

    where: str
    amount: int


@dataclass(frozen=True)
class Rule:
    """One limit with what is held against it.

    Args:
        name: What is limited.
        limit: Where the system states it.
        demands: Every place that asks for some.
        fix: What to change.
    """

    name: str
    limit: Callable[[System], Fact]
    demands: Callable[[Placement], Iterable[Demand]]
    fix: str


def require_rules(placement: Placement) -> None:
    """Hold a placement against every rule.

    Raises:
        PlacementError: The first rule that is broken, at the place that asks for most.
    """
    for rule in RULES:
        limit = rule.limit(placement.system)
        worst = max(rule.demands(placement), key=lambda demand: demand.amount, default=None)
        if worst is not None and worst.amount > limit.value:
            excess = worst.amount - limit.value
            raise PlacementError(
                worst.where,
                expected=f"{rule.name} at most {limit.value:g} {limit.unit}"
                f" ({limit.tag.value}: {limit.source})",
                got=f"{worst.amount}, {excess:g} {limit.unit} too many",
                fix=rule.fix,
            )


def _weight_bits(placement: Placement) -> Iterator[Demand]:
    arithmetic = placement.program.arithmetic
    yield Demand(f"profile '{arithmetic.name}'", arithmetic.weight_bits)


def _state_bits(placement: Placement) -> Iterator[Demand]:
    arithmetic = placement.program.arithmetic
    for node in placement.program.recurrent:
        yield Demand(f"profile '{arithmetic.name}', layer '{node.name}'", arithmetic.state_bits)


def _sum_bits(placement: Placement) -> Iterator[Demand]:
    for index, proved in enumerate(placement.program.ranges):
        yield Demand(f"layer '{proved.name}'", sum_bits(placement.program, index))


def _payload_bits(placement: Placement) -> Iterator[Demand]:
    for population in placement.populations:
        where = f"layer '{population.name}' ({population.kind.value})"
        yield Demand(where, payload_bits(placement.program, population))


def _delay_steps(placement: Placement) -> Iterator[Demand]:
    for wire in connections(placement.program):
        yield Demand(f"layer '{placement.populations[wire.target].name}'", wire.delay)


def _neuron_state_bytes(placement: Placement) -> Iterator[Demand]:
    for population in placement.populations:
        where = f"layer '{population.name}' ({population.kind.value})"
        yield Demand(where, neuron_bytes(placement.program, population))


def _neurons(placement: Placement) -> Iterator[Demand]:
    return _by_core(placement, np.array([part.neurons for part in placement.slices]))


def _s4d_neurons(placement: Placement) -> Iterator[Demand]:
    kinds = [placement.populations[part.population].kind for part in placement.slices]
    counted = zip(placement.slices, kinds, strict=True)
    return _by_core(
        placement, np.array([part.neurons * (kind is Kind.STATE) for part, kind in counted])
    )


def _synapse_bytes(placement: Placement) -> Iterator[Demand]:
    return _by_core(placement, placement.synapse_bytes)


def _all_bytes(placement: Placement) -> Iterator[Demand]:
    return _by_core(placement, placement.synapse_bytes + placement.neuron_bytes)


def _by_core(placement: Placement, amounts: np.ndarray) -> Iterator[Demand]:
    """Sums over the slices of a core, named after the slice that asks for most."""
    for core, slices in placement.on_core.items():
        most = max(slices, key=lambda k: amounts[k])
        population = placement.populations[placement.slices[most].population]
        where = f"core {core}, layer '{population.name}' ({population.kind.value})"
        yield Demand(where, int(sum(amounts[k] for k in slices)))


def _cores(placement: Placement) -> Iterator[Demand]:
    yield Demand("placement", placement.cores[-1] + 1)


def _of_system(system: System) -> Fact:
    return Fact(system.cores, "cores", f"{system.name}: {system.source}", Tag.PUBLISHED)


_NARROWER = "Quantize for a narrower profile, such as loihi2, or describe a chip with wider words."
_SPREAD = "Spread the layer over more cores, or quantize it with fewer bits."

RULES: tuple[Rule, ...] = (
    Rule("weights", lambda s: s.chip.synapse_weight_bits, _weight_bits, _NARROWER),
    Rule("neuron states", lambda s: s.chip.state_bits, _state_bits, _NARROWER),
    Rule("graded spikes", lambda s: s.chip.payload_bits, _payload_bits, _NARROWER),
    Rule("sums in a neuron", lambda s: s.chip.state_bits, _sum_bits, _NARROWER),
    Rule(
        "delay of a residual connection",
        lambda s: s.chip.delay_steps,
        _delay_steps,
        "Let the add name a source nearer to it.",
    ),
    Rule(
        "memory of one neuron",
        lambda s: s.chip.neuron_state_bytes,
        _neuron_state_bytes,
        "Quantize for a narrower profile, or shorten the delay of the add.",
    ),
    Rule("neurons", lambda s: s.chip.neurons_per_core, _neurons, "Take more cores for this layer."),
    Rule(
        "S4D neurons",
        lambda s: s.chip.s4d_neurons_per_core,
        _s4d_neurons,
        "Take more cores for this layer, or set s4d_neurons_per_core of a chip of your own.",
    ),
    Rule("synaptic memory", lambda s: s.chip.synapse_bytes, _synapse_bytes, _SPREAD),
    Rule("memory", lambda s: s.chip.core_bytes, _all_bytes, _SPREAD),
    Rule("the system", _of_system, _cores, "Take a larger system, a smaller model, fewer cores."),
)
