"""A program as the kernels read it: a table of nodes, the bytes of all parameters.

Each node takes the first path whose conditions it meets (`pack`); paths never differ in a bit.

    SINGLE   S4D, EACH_TOWARD_ZERO   float32, eight channels, rounding toward zero
    WORD     S4D, SUM_HALF_UP        32-bit states in 64-bit lanes, four channels
    SHORT    the same                16-bit coefficients, one drive per channel: half the bytes
    PLAIN    S4D                     int64, one state at a time: any legal node
    PAIRS    dense, read-out         16-bit weights and messages, two by two, zero pairs skipped
    PLAIN_*  dense, add, read-out    int64, one by one: any legal node

Messages are int32, one row per node with room for a multiple of eight channels; those of channels
that do not exist are 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Columns of the table. Offsets are in bytes, of the parameters unless said otherwise.
OP = 0
INPUTS = 1
OUTPUTS = 2
MODES = 3
WEIGHTS = 4  # where the node's own parameters start
DESCALE = 5  # where its descaling starts
STATE = 6  # where its state starts, in the state of a stream
SOURCE = 7  # row of the messages that an add takes besides those of the node before
SHIFT = 8  # descaling exponent, plain paths only
RELU = 9
BLOCKS = 10  # of eight outputs
STATE_MAX = 11
TOKEN = 12  # address of the kernel for single tokens
CHUNK = 13  # and of that for many
HEADROOM = 14  # SINGLE: what a state may come to within a chunk without clamps; -1 if unknown
COLUMNS = 15

# Values of OP. The S4D paths come in versions: with clamps where a state may saturate, with a
# drive per mode where b is not one real number per channel.
SINGLE = 0
SINGLE_CLAMPED = 1
SINGLE_MODES = 2
SINGLE_MODES_CLAMPED = 3
WORD = 4
WORD_MODES = 5
PLAIN_EACH = 6
PLAIN_SUM = 7
PAIRS = 8
PLAIN_DENSE = 9
PLAIN_ADD = 10
READ_PAIRS = 11
READ_PLAIN = 12
SHORT = 13

LANES = 8
TOKENS = 64  # of a chunk: its messages and sums then stay in the first cache


@dataclass(frozen=True, eq=False)
class Plan:
    """What the kernels read.

    Args:
        nodes: int64 (nodes + 1, COLUMNS), the read-out last.
        parameters: uint8, every parameter at the offsets of the table.
        state_bytes: Of one stream, a multiple of 64; r and then the tokens seen stand at its end.
        scores: Byte offset of r in a state.
        width: Room for the messages of one node.
    """

    nodes: np.ndarray
    parameters: np.ndarray
    state_bytes: int
    scores: int
    width: int

    @property
    def paths(self) -> tuple[int, ...]:
        """The path of each node, the read-out last."""
        return tuple(int(op) for op in self.nodes[:, OP])


def padded(count: int, to: int = LANES) -> int:
    """The smallest multiple that holds so many."""
    return -(-count // to) * to


def aligned_bytes(*shape: int) -> np.ndarray:
    """Zeros that start at a cache line: a vector that straddles two lines costs two loads."""
    size = int(np.prod(shape))
    room = np.zeros(size + 64, np.uint8)
    start = -room.ctypes.data % 64
    return room[start : start + size].reshape(shape)
