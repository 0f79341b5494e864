"""What one token makes the native engine move, multiply: hence two lower bounds on its time.

Nodes, modes, bytes are counted from the plan that the engine itself follows
(`ns4d.engines.native.plan`). What a mode takes (`PATHS`) is counted by hand in the kernels; a test
compares it with their assembly where the processor has AVX2.

    S4D      per complex state: its parameters and the state are read, the state is written;
             4 products a·x, 2 products c·x, 2 more b·u where b is not one number per channel
    dense    per pair of messages that are not both zero: a column of two weights per output

A vector multiplication handles eight float32 lanes, four 64-bit lanes, or eight pairs of int16;
each is one instruction of 32 bytes, so all count alike. What else the inner loop does is counted
apart, because other units of the processor do it: additions with truncations in float32 (9 per
mode, 12 with its own b, 4 more with clamps), additions with shifts of integers (2 there, 13 or 16
in 64-bit words, 23 in pairs of 16 bits).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int64

from ns4d.engines import default_engine
from ns4d.engines.native import plan as p
from ns4d.engines.native.pack import pack
from ns4d.program import Program

VECTOR_BYTES = 32


@dataclass(frozen=True)
class Path:
    """The inner loop of an S4D path.

    Args:
        lanes: Channels at once.
        parameter_vectors: Vectors of parameters read per mode.
        state_vectors: Vectors of state read per mode, and written again.
        products: Vector multiplications per mode.
        floats: Additions, truncations, clamps of float32 vectors per mode.
        words: Additions, shifts, joins of integer vectors per mode.
    """

    lanes: int
    parameter_vectors: int
    state_vectors: int
    products: int
    floats: int
    words: int


PATHS: Mapping[int, Path] = {
    p.SINGLE: Path(8, 4, 2, 6, 9, 2),
    p.SINGLE_CLAMPED: Path(8, 4, 2, 6, 13, 2),
    p.SINGLE_MODES: Path(8, 6, 2, 8, 12, 2),
    p.SINGLE_MODES_CLAMPED: Path(8, 6, 2, 8, 16, 2),
    p.WORD: Path(4, 2, 1, 6, 0, 13),
    p.WORD_MODES: Path(4, 3, 1, 8, 0, 16),
    p.SHORT: Path(8, 3, 2, 6, 0, 23),
}


@dataclass(frozen=True)
class Work:
    """The work of one token of one stream.

    Args:
        coefficient_bytes: Read: parameters of the neurons.
        state_bytes: Read, and as many written: the states.
        weight_bytes: Read: weights of the linear layers, zero pairs skipped.
        products: Multiplications, of neurons and linear layers.
        vector_products: The instructions that do them.
        vector_floats: Other instructions on float32 vectors, in the inner loops alone.
        vector_words: Other instructions on integer vectors, in the inner loops alone.
        footprint: Bytes of all parameters and of the state: what a cache has to hold.
    """

    coefficient_bytes: int
    state_bytes: int
    weight_bytes: int
    products: int
    vector_products: int
    vector_floats: int
    vector_words: int
    footprint: int

    @property
    def bytes_moved(self) -> int:
        """Read plus written."""
        return self.coefficient_bytes + 2 * self.state_bytes + self.weight_bytes


def work_per_token(program: Program, sent: Mapping[str, Int64[np.ndarray, "b l _"]]) -> Work | None:
    """Count the work of a program.

    Args:
        program: What the native engine runs.
        sent: The messages of every node, and of "input", on typical tokens.

    Returns:
        The work; None if a node takes a plain path, for which nothing is counted.
    """
    plan = pack(program)
    counts = np.zeros(7)  # in the order of the fields of `Work`
    source = "input"
    for row, node in zip(plan.nodes, (*program.nodes, program.readout), strict=True):
        op = int(row[p.OP])
        if op in (p.PAIRS, p.READ_PAIRS):
            # The kernel takes four blocks of outputs at a time.
            vectors = p.padded(int(row[p.BLOCKS]), 4) * _mean_pairs(sent[source])
            counts += vectors * np.array([0, 0, VECTOR_BYTES, 16, 1, 0, 1])
        elif op in PATHS:
            modes = int(row[p.MODES]) * int(row[p.BLOCKS]) * p.LANES // PATHS[op].lanes
            counts += modes * _of_mode(PATHS[op])
        else:
            return None
        source = getattr(node, "name", "")
    whole = [int(count) for count in counts.round()]
    return Work(*whole, footprint=len(plan.parameters) + plan.state_bytes)


def _of_mode(path: Path) -> Int64[np.ndarray, " 7"]:
    moved = VECTOR_BYTES * path.parameter_vectors, VECTOR_BYTES * path.state_vectors
    products = path.products * path.lanes, path.products
    return np.array([*moved, 0, *products, path.floats, path.words])


def messages_sent(
    program: Program, raw: Float[np.ndarray, "b l i"]
) -> dict[str, Int64[np.ndarray, "b l _"]]:
    """The messages of every node, and the input's, for whole sequences from zero state."""
    u = program.quantize_input(raw)
    return {"input": u, **default_engine().trace(program, u)}


def bounds(work: Work, limits: Mapping[str, Any]) -> tuple[str, float, float]:
    """What the machine needs at least for one token on one core.

    Args:
        work: Of the program.
        limits: From `ns4d.bench.streaming_limits.machine_limits`.

    Returns:
        The cache level that holds program and state; the time to move the bytes at the measured
        bandwidth of that level; the time to compute, of whatever unit is busy longest; both in s.
    """
    level = next(
        name
        for name, measured in limits["bandwidth"].items()
        if work.footprint <= measured["holds_bytes"] or name == "DRAM"
    )
    measured = limits["bandwidth"][level]
    once = work.coefficient_bytes + work.weight_bytes
    # A state that is written where it was read moves like a copy, the rest like a read.
    moving = once / measured["read"] + 2 * work.state_bytes / measured["copy"]
    rates = limits["vectors"]
    computing = max(
        work.vector_products / rates["products"],
        work.vector_floats / rates["floats"],
        work.vector_words / rates["words"],
    )
    return level, moving, computing


def _mean_pairs(messages: Int64[np.ndarray, "b l o"]) -> float:
    even = np.zeros((*messages.shape[:2], p.padded(messages.shape[2], 2)), bool)
    even[..., : messages.shape[2]] = messages != 0
    return float((even[..., 0::2] | even[..., 1::2]).sum(-1).mean())
