"""A program as populations of neurons on a chip, one behind the other.

A connection costs one time step, so a population that hears another acts one step later. An S4D
node becomes two populations: its h·n state neurons, then h neurons that add up, descale, clip.

    stage      0          1         2            3           4      …     last
    who        input   encoder   S4D neurons   reduce     linear          read-out

A token enters the encoder at stage 1 and has left the last node at stage `steps_per_token`; the
read-out adds it up one step later, while the next token is already in the encoder.

D·u needs no synapse of its own: the neuron of mode 0 of a channel hears u anyway and adds it to
what it sends.

Axes       i in, o out, h channel, n stored mode.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from jaxtyping import Int64

from ns4d.program import S4D, Add, Dense, Program


class Kind(Enum):
    """What the neurons of a population compute."""

    INPUT = "input"  # send the token's messages
    STATE = "S4D"  # (1), (2): one complex state each; send 2·Re(c·x)
    REDUCE = "reduce"  # (3), (4): add up the modes of a channel
    DENSE = "linear"  # (5), (4)
    ADD = "add"  # (10), (4)
    READOUT = "read-out"  # (6): add up scores


@dataclass(frozen=True, eq=False)
class Population:
    """Neurons of one kind that act in the same step.

    Args:
        name: The node's name; "input" and "readout" for the ends.
        kind: What its neurons compute.
        neurons: How many.
        stage: At which step of a token they act; the input at 0.
        node: Index of the node in `program.nodes`; -1 for the input, len(nodes) for the read-out.
    """

    name: str
    kind: Kind
    neurons: int
    stage: int
    node: int


@dataclass(frozen=True)
class Connection:
    """Synapses from one population to a later one.

    Args:
        source, target: Indices of the populations.
        skip: Whether it is the second one into an add, from the node that the add names.
    """

    source: int
    target: int
    skip: bool = False

    @property
    def delay(self) -> int:
        """Time steps beyond the one that every connection costs, so that tokens meet again."""
        return self.target - self.source - 1


def populations(program: Program) -> tuple[Population, ...]:
    """The populations of a program in order of their stages.

    Args:
        program: What runs.

    Returns:
        The input's, one or two per node, the read-out's; `stage` is the index.
    """
    found = [Population("input", Kind.INPUT, program.inputs, 0, -1)]

    def follow(name: str, kind: Kind, neurons: int, node: int) -> None:
        found.append(Population(name, kind, neurons, len(found), node))

    for k, node in enumerate(program.nodes):
        if isinstance(node, S4D):
            follow(node.name, Kind.STATE, node.inputs * node.modes, k)
            follow(node.name, Kind.REDUCE, node.outputs, k)
        else:
            kind = Kind.ADD if isinstance(node, Add) else Kind.DENSE
            follow(node.name, kind, node.outputs, k)
    follow("readout", Kind.READOUT, program.readout.outputs, len(program.nodes))
    return tuple(found)


def connections(program: Program) -> tuple[Connection, ...]:
    """Who hears whom, by target.

    Args:
        program: What runs.

    Returns:
        One connection from each population to the next; behind that into an add, a second one.
    """
    found = populations(program)
    # An S4D node has two populations of its name; the second one sends its messages.
    sender = {population.name: k for k, population in enumerate(found)}
    wired = []
    for k, population in enumerate(found[1:], start=1):
        wired.append(Connection(k - 1, k))
        if population.kind is Kind.ADD:
            node = program.nodes[population.node]
            assert isinstance(node, Add)
            wired.append(Connection(sender[node.source], k, skip=True))
    return tuple(wired)


def synapse_pairs(
    program: Program, wire: Connection
) -> tuple[Int64[np.ndarray, " e"], Int64[np.ndarray, " e"]]:
    """Every synapse of non-zero weight.

    Args:
        program: What runs.
        wire: One of `connections(program)`.

    Returns:
        int64 (e,) neurons that send, int64 (e,) neurons that hear them.
    """
    target = populations(program)[wire.target]
    if target.kind is Kind.READOUT:
        listeners, senders = np.nonzero(program.readout.weight)
        return senders, listeners
    node = program.nodes[target.node]
    if isinstance(node, Dense):
        listeners, senders = np.nonzero(node.weight)
        return senders, listeners
    if isinstance(node, Add):
        (channels,) = np.nonzero(node.skip if wire.skip else node.weight)
        return channels, channels
    neurons = np.arange(node.inputs * node.modes)
    channels = neurons // node.modes
    return (channels, neurons) if target.kind is Kind.STATE else (neurons, channels)


def steps_per_token(program: Program) -> int:
    """Chip steps from a token's entry until the next one may enter, in fall-through mode.

    A program without nodes has one as well: the read-out hears one token per step.
    """
    return max(len(populations(program)) - 2, 1)


def synapses_in(program: Program, population: Population) -> np.ndarray:
    """How many synapses reach each neuron, those of weight zero left out.

    Args:
        program: What runs.
        population: One of `populations(program)`.

    Returns:
        int64 (neurons,).
    """
    if population.kind is Kind.INPUT:
        return np.zeros(population.neurons, np.int64)
    if population.kind is Kind.READOUT:
        return np.count_nonzero(program.readout.weight, axis=1)
    node = program.nodes[population.node]
    if isinstance(node, Dense):
        return np.count_nonzero(node.weight, axis=1)
    if isinstance(node, Add):
        return np.count_nonzero(np.stack([node.weight, node.skip]), axis=0)
    fan_in = 1 if population.kind is Kind.STATE else node.modes
    return np.full(population.neurons, fan_in, np.int64)
