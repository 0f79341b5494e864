"""What `ns4d place` shows: the layers of a placement with what limits them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ns4d.bench.tables import Origin, Table
from ns4d.loihi2.placement import Placement
from ns4d.loihi2.populations import Kind

# Kinds whose populations bear the name of a node that has another one.
SHARED = (Kind.STATE.value, Kind.REDUCE.value)


def placement_rows(placement: Placement) -> list[dict[str, Any]]:
    """One entry per population, in order of the stages.

    Args:
        placement: What is shown.

    Returns:
        Name and kind; cores; neurons, synapses, bytes of all its slices; of the fullest of its
        cores the limit that is nearest, with what is used of it by all that live there.
    """
    return [_row(placement, k) for k in range(len(placement.populations))]


def placement_plain(placement: Placement) -> dict[str, Any]:
    """For JSON."""
    return {
        "program": placement.program.digest,
        "system": placement.system.name,
        "system_chips": placement.system.chips,
        "cores": len(placement.cores),
        "chips": placement.chips,
        "steps_per_token": max(len(placement.populations) - 2, 1),
        "layers": placement_rows(placement),
        "notes": list(placement.notes),
    }


def placement_table(placement: Placement) -> Table:
    """For the terminal."""
    columns = ("layer", "cores", "neurons", "synapses", "KiB", "fullest core")
    rows = tuple(
        (
            f"{row['layer']} {row['kind']}" if row["kind"] in SHARED else row["layer"],
            _span(row["cores"]),
            str(row["neurons"]),
            str(row["synapses"]),
            f"{row['bytes'] / 1024:.1f}",
            f"{row['used']}/{row['limit']:g} {row['limited_by']}",
        )
        for row in placement_rows(placement)
    )
    title = (
        f"{len(placement.cores)} cores on {placement.chips} of {placement.system.chips} chips"
        f" of {placement.system.name}"
    )
    return Table(title, columns, rows, Origin.SIMULATED)


def _row(placement: Placement, index: int) -> dict[str, Any]:
    population = placement.populations[index]
    mine = [k for k, part in enumerate(placement.slices) if part.population == index]
    cores = sorted({placement.slices[k].core for k in mine})
    every = (use for core in cores for use in _uses(placement, core))
    nearest = max(every, key=lambda use: use.amount / use.limit)
    return {
        "layer": population.name,
        "kind": population.kind.value,
        "cores": cores,
        "neurons": population.neurons,
        "synapses": int(placement.synapses[mine].sum()),
        "bytes": int((placement.synapse_bytes + placement.neuron_bytes)[mine].sum()),
        "fullest_core": nearest.core,
        "used": nearest.amount,
        "limit": nearest.limit,
        "limited_by": nearest.name,
    }


@dataclass(frozen=True)
class _Use:
    """Of one limit, what a core uses."""

    core: int
    name: str
    amount: int
    limit: int | float


def _uses(placement: Placement, core: int) -> Iterator[_Use]:
    chip, slices = placement.system.chip, list(placement.on_core[core])
    neurons = np.array([placement.slices[k].neurons for k in slices])
    states = np.array([_kind(placement, k) is Kind.STATE for k in slices])
    synapse_bytes = placement.synapse_bytes[slices].sum()
    every_byte = synapse_bytes + placement.neuron_bytes[slices].sum()
    for name, amount, limit in (
        ("S4D neurons", neurons[states].sum(), chip.s4d_neurons_per_core),
        ("synapses", placement.synapses[slices][~states].sum(), chip.synops_per_core),
        ("neurons", neurons.sum(), chip.neurons_per_core),
        ("B of synapses", synapse_bytes, chip.synapse_bytes),
        ("B", every_byte, chip.core_bytes),
    ):
        yield _Use(core, name, int(amount), limit.value)


def _kind(placement: Placement, index: int) -> Kind:
    return placement.populations[placement.slices[index].population].kind


def _span(cores: list[int]) -> str:
    return f"{cores[0]}" if len(cores) == 1 else f"{cores[0]}-{cores[-1]}"
