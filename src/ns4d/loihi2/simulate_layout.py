"""A placement as the arrays that the compiled steps walk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int32, Int64

from ns4d.loihi2 import simulate_steps as s
from ns4d.loihi2.placement import Placement
from ns4d.loihi2.populations import Kind, Population, connections, synapse_pairs
from ns4d.numerics import ProductRounding, SynapseRounding
from ns4d.program import S4D, Add, Dense, Program

KINDS = {
    Kind.INPUT: s.INPUT_KIND,
    Kind.STATE: s.STATE_KIND,
    Kind.REDUCE: s.REDUCE_KIND,
    Kind.DENSE: s.DENSE_KIND,
    Kind.ADD: s.ADD_KIND,
    Kind.READOUT: s.READOUT_KIND,
}
COEFFICIENTS = ("a_re", "a_im", "b_re", "b_im", "c_re", "c_im")


@dataclass(frozen=True, eq=False)
class Fans:
    """Who hears whom: which slices hear a neuron, by how many synapses each.

    Neighbours that are heard alike form a group.

    Args:
        stops: Of each group of each connection, the first sender behind it.
        start: Of each group the first entry, with one more behind the last one.
        slices, counts: The entries.
    """

    stops: Int32[np.ndarray, " groups"]
    start: Int64[np.ndarray, " groups+1"]
    slices: Int32[np.ndarray, " e"]
    counts: Int32[np.ndarray, " e"]


@dataclass(frozen=True, eq=False)
class Layout:
    """What `simulate_steps.run_steps` takes, but for tokens, state and counts.

    Args:
        program: What runs.
        slices: How many the placement has.
        table: One row per population.
        numbers, words: Parameters.
        fans: Who hears whom.
        stops: Of each slice, the first neuron of its population behind it.
        states: How many there are.
        messages: How many the nodes send per token.
    """

    program: Program
    slices: int
    table: Int64[np.ndarray, "p columns"]
    numbers: Int64[np.ndarray, " _"]
    words: Int32[np.ndarray, " _"]
    fans: Fans
    stops: Int32[np.ndarray, " s"]
    states: int
    messages: int


def lay_out(placement: Placement) -> Layout:
    """Lay out a placement.

    Args:
        placement: Which.
    """
    program, found = placement.program, placement.populations
    table = np.zeros((len(found), s.COLUMNS), np.int64)
    numbers: list[np.ndarray] = []
    words: list[np.ndarray] = []
    for row, population in zip(table, found, strict=True):
        row[s.KIND], row[s.NEURONS] = KINDS[population.kind], population.neurons
        row[s.NUMBERS], row[s.WORDS] = _size(numbers), _size(words)
        _describe(program, population, row, numbers, words)
    _connect(program, table)
    states = (table[:, s.KIND] == s.STATE_KIND) * table[:, s.NEURONS]
    hidden = (s.REDUCE_KIND, s.DENSE_KIND, s.ADD_KIND)
    slices = [part.population for part in placement.slices]
    table[:, s.SLICES] = np.bincount(slices, minlength=len(found))
    messages = np.isin(table[:, s.KIND], hidden) * table[:, s.NEURONS]
    sizes = {
        s.SLICE: table[:, s.SLICES],
        s.RING: table[:, s.NEURONS] * table[:, s.DEPTH],
        s.COUNTS: table[:, s.DEPTH],
        s.STATE: states,
        s.RECORD: messages,
    }
    for column, size in sizes.items():
        table[:, column] = np.cumsum(size) - size
    stops = np.array([part.stop for part in placement.slices], np.int32)
    fans = _fans(program, table, stops)
    return Layout(
        program,
        len(stops),
        table,
        _joined(numbers, np.int64),
        _joined(words, np.int32),
        fans,
        stops,
        int(states.sum()),
        int(messages.sum()),
    )


def _describe(
    program: Program,
    population: Population,
    row: Int64[np.ndarray, " columns"],
    numbers: list[np.ndarray],
    words: list[np.ndarray],
) -> None:
    """The row of a population but for its offsets, and its parameters."""
    if population.kind is Kind.INPUT:
        return
    if population.kind is Kind.READOUT:
        numbers.append(program.readout.bias)
        words.append(program.readout.weight.T)
        return
    node, arithmetic = program.nodes[population.node], program.arithmetic
    each = arithmetic.product_rounding is ProductRounding.EACH_TOWARD_ZERO
    if population.kind is Kind.STATE:
        assert isinstance(node, S4D)
        row[[s.CHANNELS, s.MODES]] = node.a_re.shape
        row[[s.SHIFT, s.EACH, s.STATE_MAX]] = node.a_shift, each, arithmetic.state_max
        numbers += [node.d, node.b_shift, node.c_shift, node.d_shift]
        words += [getattr(node, name) for name in COEFFICIENTS]
        return
    row[[s.SHIFT, s.RELU]] = node.descale.shift, node.descale.relu
    row[s.HALF_UP] = arithmetic.synapse_rounding is SynapseRounding.HALF_UP
    numbers += [node.descale.multiplier, node.descale.limit]
    if isinstance(node, S4D):
        row[[s.MODES, s.ALIGNED]] = node.modes, not each
        numbers.append(np.maximum(node.c_shift, node.d_shift))
    elif isinstance(node, Dense):
        row[s.BIASED] = 1
        numbers.append(node.bias)
        words.append(node.weight.T)
    else:
        assert isinstance(node, Add)
        words += [node.weight, node.skip]


def _connect(program: Program, table: Int64[np.ndarray, "p columns"]) -> None:
    """Sources with their delays; a slot for every step until the last listener has heard."""
    table[:, s.DEPTH] = 2
    for wire in connections(program):
        table[wire.source, s.DEPTH] = max(table[wire.source, s.DEPTH], wire.delay + 2)
        if wire.skip:
            table[wire.target, [s.SKIP, s.DELAY]] = wire.source, wire.delay
        else:
            table[wire.target, s.SOURCE] = wire.source


def _fans(
    program: Program, table: Int64[np.ndarray, "p columns"], slice_stops: Int32[np.ndarray, " s"]
) -> Fans:
    stops: list[np.ndarray] = []
    sizes: list[np.ndarray] = []
    slices: list[np.ndarray] = []
    counts: list[np.ndarray] = []
    for wire in connections(program):
        columns = [s.SKIP_FAN, s.SKIP_FANS] if wire.skip else [s.FAN, s.FANS]
        first, many = table[wire.target, [s.SLICE, s.SLICES]]
        senders, listeners = synapse_pairs(program, wire)
        bounds = slice_stops[first : first + many]
        heard = first + np.searchsorted(bounds, listeners, side="right")
        fan = _grouped(senders, heard, len(slice_stops), int(table[wire.source, s.NEURONS]))
        table[wire.target, columns] = _size(stops), len(fan[0])
        for every, part in zip((stops, sizes, slices, counts), fan, strict=True):
            every.append(part)
    start = np.concatenate([[0], np.cumsum(_joined(sizes, np.int64))])
    return Fans(
        _joined(stops, np.int32), start, _joined(slices, np.int32), _joined(counts, np.int32)
    )


def _grouped(
    senders: Int64[np.ndarray, " e"], heard: Int64[np.ndarray, " e"], slices: int, neurons: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Groups of neighbours that are heard alike: stops, numbers of entries, slices, counts."""
    pairs, counts = np.unique(senders * slices + heard, return_counts=True)
    sender, heard = pairs // slices, pairs % slices
    entries = np.bincount(sender, minlength=neurons)
    # The same entry of the sender before, if that one has as many.
    before = np.maximum(np.arange(len(pairs)) - entries[sender], 0)
    other = (heard != heard[before]) | (counts != counts[before])
    differs = np.bincount(sender[other], minlength=neurons) > 0
    differs[1:] |= entries[1:] != entries[:-1]
    differs[0] = True
    firsts = np.flatnonzero(differs)
    kept = differs[sender]
    return np.append(firsts[1:], neurons), entries[firsts], heard[kept], counts[kept]


def _size(arrays: list[np.ndarray]) -> int:
    return sum(array.size for array in arrays)


def _joined(arrays: list[np.ndarray], dtype: type) -> np.ndarray:
    return np.concatenate([array.reshape(-1) for array in arrays]).astype(dtype)
