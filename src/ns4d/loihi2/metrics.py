"""The metrics of NeuroBench on an integer program, from what a run counted.

    footprint              bytes of parameters with states, at the widths of the profile
    connection_sparsity    share of weights that are zero, linear layers
    activation_sparsity    share of messages behind a ReLU that are zero
    synaptic_operations    per token: Effective_MACs, Effective_ACs, Dense
    state_updates          complex states that are updated per token

Names and definitions are those of the library (Yik et al., arXiv 2304.04640), which looks at linear
layers and ReLUs only. Beyond it: a connection of weight one, from a channel to its modes or back,
needs no product, so its operations are accumulations (ACs), and are counted in Dense as well; the
library has no metric for the states of a state-space model.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ns4d.loihi2.activity import Activity
from ns4d.loihi2.populations import Kind, Population
from ns4d.program import Dense, Program, Readout

WEIGHTED = (Kind.DENSE, Kind.ADD, Kind.READOUT)
OF_WEIGHT_ONE = (Kind.STATE, Kind.REDUCE)


@dataclass(frozen=True)
class Metrics:
    """Of a program on a stream.

    Args:
        footprint: Bytes of parameters with states.
        connection_sparsity: Zero weights / weights of all linear layers, 0..1.
        activation_sparsity: Zero messages / messages of all nodes with a ReLU, 0..1.
        effective_macs: Products per token: non-zero message by non-zero weight.
        effective_acs: Operations per token over connections of weight one.
        dense: Synapses, zeros included: operations per token if nothing were zero.
        linear_dense: The part of `dense` in linear layers, which alone the library counts.
        state_updates: Complex states updated per token.
    """

    footprint: int
    connection_sparsity: float
    activation_sparsity: float
    effective_macs: float
    effective_acs: float
    dense: int
    linear_dense: int
    state_updates: int


def metrics(activity: Activity) -> Metrics:
    """Measure a run.

    Args:
        activity: Counted by a simulation, at least one token.

    Returns:
        All metrics; a sparsity is 0 where there is nothing that could be zero.
    """
    program = activity.placement.program
    parts = (*program.nodes, program.readout)
    weights = [part.weight for part in parts if isinstance(part, Dense | Readout)]
    zeros = sum(int(np.count_nonzero(weight == 0)) for weight in weights)
    sent, silent = _messages(activity)
    linear = sum(weight.size for weight in weights)
    states = sum(node.a_re.size for node in program.recurrent)
    return Metrics(
        footprint=footprint(program),
        connection_sparsity=zeros / linear if linear else 0.0,
        activation_sparsity=silent / sent if sent else 0.0,
        effective_macs=_synops(activity, WEIGHTED),
        effective_acs=_synops(activity, OF_WEIGHT_ONE),
        dense=linear + 2 * states + _added(activity),
        linear_dense=linear,
        state_updates=states,
    )


def footprint(program: Program) -> int:
    """Bytes of the parameters and of the states, each at the width of the profile."""
    states = 2 * sum(node.a_re.size for node in program.recurrent)
    scores = len(program.classes) * 64
    return program.parameter_bytes + -(-(states * program.arithmetic.state_bits + scores) // 8)


def _messages(activity: Activity) -> tuple[int, int]:
    """Messages behind a ReLU: how many there were, how many were zero."""
    placement = activity.placement
    sent = spoken = 0
    for k, part in enumerate(placement.slices):
        if _has_relu(placement.program, placement.populations[part.population]):
            sent += part.neurons * activity.tokens
            spoken += int(activity.spikes[:, k].sum())
    return sent, sent - spoken


def _has_relu(program: Program, population: Population) -> bool:
    """Whether its messages are those of a node that ends in a ReLU."""
    if population.kind in (Kind.INPUT, Kind.STATE, Kind.READOUT):
        return False
    return program.nodes[population.node].descale.relu


def _synops(activity: Activity, kinds: Iterable[Kind]) -> float:
    placement = activity.placement
    chosen = [
        k
        for k, part in enumerate(placement.slices)
        if placement.populations[part.population].kind in tuple(kinds)
    ]
    return float(activity.synops[:, chosen].sum()) / activity.tokens


def _added(activity: Activity) -> int:
    """Synapses of residual connections: two per channel, whatever their weights."""
    populations = activity.placement.populations
    return sum(2 * found.neurons for found in populations if found.kind is Kind.ADD)
