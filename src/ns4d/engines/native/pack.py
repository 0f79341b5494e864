"""Packs a program for the kernels: chooses each node's path, lays out its parameters.

A path is taken where the program's own certificate proves it exact:

    PAIRS    messages and weights within 15 bits, accumulators within 31, v·multiplier within 53
    SINGLE   states within 24 bits; |t(a·x)| <= 2^23, |t(b·u)| <= 2^24, |v| <= 2^24, the same 53
    WORD     no state saturates; shifts at most 32; a, b aligned within 31 bits, the same 53
    SHORT    the same with one drive per channel, coefficients within 15 bits, b_shift <= a_shift,
             |b·u| within 31 bits, aligned sums within 53

The numbers behind them: float32 holds every integer up to 2^24, float64 up to 2^53.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ns4d.engines.native import plan as p
from ns4d.engines.native.kernels import address
from ns4d.engines.native.rounding_mode import truncates
from ns4d.numerics import Arithmetic, ProductRounding, SynapseRounding
from ns4d.program import (
    S4D,
    Add,
    Dense,
    Descale,
    NodeRange,
    Program,
    aligned_reduction_bound,
    aligned_state_bound,
)

SINGLE_EXACT, DOUBLE_EXACT = 2**24, 2**53
WORD_MAX, HALF_WORD_MAX = 2**31 - 1, 2**15 - 1


@dataclass
class _Writer:
    """Parameters in the order in which they are written, each at a multiple of 64 bytes."""

    parts: list[bytes] = field(default_factory=list)
    size: int = 0

    def put(self, array: np.ndarray) -> int:
        """Append an array; returns its byte offset."""
        start = self.size
        content = np.ascontiguousarray(array).tobytes()
        content += bytes(-len(content) % 64)
        self.parts.append(content)
        self.size += len(content)
        return start

    def whole(self) -> np.ndarray:
        """All of it, aligned to a cache line."""
        room = p.aligned_bytes(self.size)
        room[:] = np.frombuffer(b"".join(self.parts), np.uint8)
        return room


def pack(program: Program) -> p.Plan:
    """Lay out a program for the kernels.

    Args:
        program: Any legal program.

    Returns:
        The plan; it shares nothing with the program.
    """
    writer, table, state = _Writer(), [], 0
    limits = {"input": np.full(program.inputs, program.arithmetic.message_max)}
    names = ["input"]
    for node, proved in zip(program.nodes, program.ranges, strict=False):
        limit = limits[names[-1]]
        row = np.zeros(p.COLUMNS, np.int64)
        row[p.INPUTS], row[p.OUTPUTS] = node.inputs, node.outputs
        row[p.BLOCKS], row[p.STATE] = p.padded(node.outputs) // p.LANES, state
        if isinstance(node, Dense):
            _dense(writer, row, node.weight, node.bias, limit, proved)
        elif isinstance(node, Add):
            row[p.OP], row[p.SOURCE] = p.PLAIN_ADD, names.index(node.source)
            row[p.WEIGHTS] = writer.put(np.stack([node.weight, node.skip]))
        else:
            row[p.MODES], row[p.STATE_MAX] = node.modes, proved.state_max
            _s4d(writer, row, program.arithmetic, node, limit, proved)
            state += p.padded(state_bytes(row), 64)
        _descale(writer, row, program.arithmetic, node.descale, proved)
        table.append(row)
        names.append(node.name)
        limits[node.name] = node.descale.limit
    table.append(_readout(writer, program, limits[names[-1]]))
    for row in table:
        _link(row)
    return p.Plan(
        np.stack(table),
        writer.whole(),
        state + p.padded(8 * len(program.classes) + 8, 64),
        state,
        p.padded(max([program.inputs, *(node.outputs for node in program.nodes)])),
    )


def _link(row: np.ndarray) -> None:
    """Enter the addresses of the node's kernels; chunks only where the table allows them."""
    path = int(row[p.OP])
    row[p.TOKEN] = address(path, chunks=False)
    row[p.CHUNK] = address(path, chunks=bool(row[p.CHUNK]))


def state_bytes(row: np.ndarray) -> int:
    """Bytes that one node's state takes in a stream."""
    op, modes = row[p.OP], int(row[p.MODES])
    if op in (p.PLAIN_EACH, p.PLAIN_SUM):
        return int(row[p.OUTPUTS]) * modes * 16
    return int(row[p.BLOCKS]) * p.LANES * modes * 8


def _readout(writer: _Writer, program: Program, limit: np.ndarray) -> np.ndarray:
    readout, row = program.readout, np.zeros(p.COLUMNS, np.int64)
    row[p.INPUTS], row[p.OUTPUTS] = readout.inputs, readout.outputs
    row[p.BLOCKS] = p.padded(readout.outputs) // p.LANES
    none = np.zeros(readout.outputs, np.int64)
    _dense(writer, row, readout.weight, none, limit, program.ranges[-1])
    row[p.DESCALE] = writer.put(readout.bias)
    row[p.OP] = p.READ_PAIRS if row[p.OP] == p.PAIRS else p.READ_PLAIN
    return row


def _dense(
    writer: _Writer,
    row: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray,
    limit: np.ndarray,
    proved: NodeRange,
) -> None:
    narrow = max(np.abs(weight).max(), limit.max()) <= HALF_WORD_MAX
    if not narrow or proved.accumulator.max() > WORD_MAX:
        row[p.OP] = p.PLAIN_DENSE
        row[p.WEIGHTS] = writer.put(np.concatenate([bias, weight.ravel()]))
        return
    row[p.OP] = p.PAIRS
    outputs, inputs = p.padded(weight.shape[0], 4 * p.LANES), p.padded(weight.shape[1], 2)
    room = np.zeros((outputs, inputs), np.int16)
    room[: weight.shape[0], : weight.shape[1]] = weight
    start = np.zeros(outputs, np.int32)
    start[: len(bias)] = bias
    row[p.WEIGHTS] = writer.put(start)
    # four blocks, pair, block, output within the block, first or second of the pair
    writer.put(room.reshape(-1, 4, p.LANES, inputs // 2, 2).transpose(0, 3, 1, 2, 4))


def _descale(
    writer: _Writer, row: np.ndarray, arithmetic: Arithmetic, descale: Descale, proved: NodeRange
) -> None:
    """Factors for float64 where that is exact, which every path but the plain ones requires."""
    row[p.SHIFT], row[p.RELU] = descale.shift, descale.relu
    half_up = arithmetic.synapse_rounding is SynapseRounding.HALF_UP
    if _descale_is_exact(descale, proved):
        gain = np.ldexp(descale.multiplier.astype(np.float64), -descale.shift)
        low = np.zeros_like(gain) if descale.relu else -descale.limit.astype(np.float64)
        half = np.full_like(gain, 0.5 if half_up else 0.0)
        rows = np.stack([gain, half, low, descale.limit.astype(np.float64)])
        row[p.DESCALE] = writer.put(_blocks(rows).transpose(1, 0, 2))
        return
    # int64 one by one; the kernels see it by the shift, which is below 0 then.
    added = (1 << descale.shift) >> 1 if half_up else 0
    row[p.DESCALE] = writer.put(np.concatenate([[added], descale.multiplier, descale.limit]))
    row[p.SHIFT] = -1 - descale.shift


def _descale_is_exact(descale: Descale, proved: NodeRange) -> bool:
    most = int((proved.accumulator * descale.multiplier).max())
    return descale.shift <= 52 and most + (1 << descale.shift >> 1) <= DOUBLE_EXACT


def _s4d(
    writer: _Writer,
    row: np.ndarray,
    arithmetic: Arithmetic,
    node: S4D,
    limit: np.ndarray,
    proved: NodeRange,
) -> None:
    each = arithmetic.product_rounding is ProductRounding.EACH_TOWARD_ZERO
    exact = _descale_is_exact(node.descale, proved)
    if each and exact and _fits_single(node, limit, proved):
        _single(writer, row, node, proved)
        row[p.CHUNK] = True
        return
    if not each and exact and _fits_word(node, proved):
        _word(writer, row, node, limit, proved)
        row[p.CHUNK] = _fits_double(node, limit, proved)
        return
    row[p.OP] = p.PLAIN_EACH if each else p.PLAIN_SUM
    a_shift = np.full_like(node.d, node.a_shift)
    head = np.stack([node.d, a_shift, node.b_shift, node.c_shift, node.d_shift], axis=1)
    modes = (node.a_re, node.a_im, node.b_re, node.b_im, node.c_re, node.c_im)
    row[p.WEIGHTS] = writer.put(_join(head, np.stack(modes, axis=2)))


def _fits_single(node: S4D, limit: np.ndarray, proved: NodeRange) -> bool:
    assert proved.states is not None
    states, shift = proved.states, node.b_shift[:, None]
    a = np.maximum(np.abs(node.a_re), np.abs(node.a_im))
    b = np.maximum(np.abs(node.b_re), np.abs(node.b_im))
    return bool(
        truncates()
        and proved.state_max < SINGLE_EXACT
        and ((a * states) >> node.a_shift).max() <= SINGLE_EXACT // 2
        and ((b * limit[:, None]) >> shift).max() <= SINGLE_EXACT
        and proved.accumulator.max() <= SINGLE_EXACT
    )


def _single(writer: _Writer, row: np.ndarray, node: S4D, proved: NodeRange) -> None:
    row[p.OP] = p.SINGLE + 2 * (not node.has_one_drive) + (proved.may_saturate > 0)
    contracts = (node.a_re**2 + node.a_im**2 <= 4**node.a_shift).all()
    row[p.HEADROOM] = proved.state_max if contracts else -1
    sb, sc = -node.b_shift[:, None], -node.c_shift[:, None]
    modes = [
        np.ldexp(values.astype(np.float64), shift)
        for values, shift in (
            (node.a_re, -node.a_shift),
            (node.a_im, -node.a_shift),
            (node.c_re, sc),
            (node.c_im, sc),
            (node.b_re, sb),
            (node.b_im, sb),
        )
    ]
    drive = modes[4][:, 0]
    direct = np.ldexp(node.d.astype(np.float64), -node.d_shift)
    head = _blocks(np.stack([drive, direct]).astype(np.float32))
    body = _mode_blocks(
        np.stack(modes[: 4 if node.has_one_drive else 6]).astype(np.float32), p.LANES
    )
    row[p.WEIGHTS] = writer.put(_join(head.transpose(1, 0, 2), body))


def _aligned(node: S4D) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The shift of the state per channel; a and b brought to it."""
    s = np.maximum(node.a_shift, node.b_shift)
    pairs = ((node.a_re, node.a_im), (node.b_re, node.b_im))
    a, b = (
        np.ldexp(np.stack(pair).astype(np.float64), by[:, None])
        for pair, by in zip(pairs, (s - node.a_shift, s - node.b_shift), strict=True)
    )
    return s, a, b


def _fits_word(node: S4D, proved: NodeRange) -> bool:
    s, a, b = _aligned(node)
    widest = max(np.abs(k).max() for k in ((a, node.b_re) if node.has_one_drive else (a, b)))
    fits = max(s.max(), node.c_shift.max(), node.d_shift.max()) <= 32 and widest <= WORD_MAX
    return bool(fits and proved.may_saturate == 0 and proved.accumulator.max() <= WORD_MAX)


def _fits_double(node: S4D, limit: np.ndarray, proved: NodeRange) -> bool:
    assert proved.states is not None
    a, b = (node.a_re, node.a_im), (node.b_re, node.b_im)
    update = aligned_state_bound(proved.states, *a, *b, node.a_shift, node.b_shift, limit)
    output = aligned_reduction_bound(
        proved.states, node.c_re, node.c_im, node.d, node.c_shift, node.d_shift, limit
    )
    return bool(max(update.max(), output.max()) + 2**31 <= DOUBLE_EXACT)


def _word(
    writer: _Writer, row: np.ndarray, node: S4D, limit: np.ndarray, proved: NodeRange
) -> None:
    (s, a, b), c = _aligned(node), np.stack([node.c_re, node.c_im])
    s_out = np.maximum(node.c_shift, node.d_shift)
    drive, direct = (node.b_re[:, 0], s - node.b_shift), (node.d, s_out - node.d_shift)
    integers = [s, 32 - s, (1 << s) >> 1, *drive, *direct]
    integers += [s_out - node.c_shift, s_out, (1 << s_out) >> 1]
    units = [np.ldexp(1.0, -k) for k in (s, node.b_shift, node.c_shift, node.d_shift)]
    rows = [k.astype(np.int64) for k in integers] + [k.view(np.int64) for k in units]
    a, b = a.astype(np.int64), b.astype(np.int64)
    head = _blocks(np.stack(rows), 4).transpose(1, 0, 2)
    if _fits_short(node, limit, proved):
        row[p.OP] = p.SHORT
        blocks = _join(_short_head(node), _short_modes(node))
        # Chunks alone read the heads behind the blocks.
        row[p.WEIGHTS] = writer.put(np.concatenate([blocks.ravel(), head.ravel()]))
        return
    row[p.OP] = p.WORD if node.has_one_drive else p.WORD_MODES
    words = [_words(k[0], k[1]) for k in ((a, c) if node.has_one_drive else (a, c, b))]
    row[p.WEIGHTS] = writer.put(_join(head, _mode_blocks(np.stack(words), 4)))


def _fits_short(node: S4D, limit: np.ndarray, proved: NodeRange) -> bool:
    assert proved.states is not None
    a, c = (np.abs(re) + np.abs(im) for re, im in ((node.a_re, node.a_im), (node.c_re, node.c_im)))
    parts = (node.a_re, node.a_im, node.c_re, node.c_im, node.b_re)
    return bool(
        node.has_one_drive
        and _fits_double(node, limit, proved)
        and max(np.abs(part).max() for part in parts) <= HALF_WORD_MAX
        and node.b_shift.max() <= node.a_shift <= 16
        # L with what is added to it, the digits of (3), and the upper half of every state.
        and a.max() * 2**15 + 3 * 2**node.a_shift <= WORD_MAX
        and (c.max() + 1) * 2**15 <= WORD_MAX
        and proved.states.max() + 2**15 <= WORD_MAX
        # The drive before its shift; the count of 16-bit digits that three sums add up.
        and (np.abs(node.b_re[:, 0]) * limit).max() <= WORD_MAX
        and node.modes <= HALF_WORD_MAX
    )


def _short_head(node: S4D) -> np.ndarray:
    """(blocks, 384 bytes as int64): the drive in 32-bit lanes; the output in double precision."""
    shifts = (node.a_shift, 16 - node.a_shift, (1 << node.a_shift) >> 1)
    rows = [node.b_re[:, 0], node.b_shift, (1 << node.b_shift) - 1, node.a_shift - node.b_shift]
    rows += [np.full_like(node.b_shift, shift) for shift in (*shifts, 0)]
    # The shifts of channels that do not exist are 0, which is harmless.
    lanes = _blocks(np.stack(rows).astype(np.int32)).transpose(1, 0, 2).copy()
    units = np.ldexp(1.0, -node.c_shift), np.ldexp(node.d.astype(np.float64), -node.d_shift)
    doubles = _blocks(np.stack(units)).transpose(1, 0, 2).copy()
    return _join(lanes.view(np.int64), doubles.view(np.int64))


def _short_modes(node: S4D) -> np.ndarray:
    """(blocks, n, 3, 8 words): pairs (a_re, -a_im), (a_im, a_re), (c_re, -c_im)."""
    pairs = ((node.a_re, -node.a_im), (node.a_im, node.a_re), (node.c_re, -node.c_im))
    words = np.stack([_words(low, high, 16) for low, high in pairs])
    modes = _mode_blocks(words.astype(np.int32), p.LANES)
    return np.ascontiguousarray(modes).reshape(len(modes), -1).view(np.int64)


def _words(low: np.ndarray, high: np.ndarray, bits: int = 32) -> np.ndarray:
    """Two signed numbers of so many bits in one word."""
    return (high << bits) | (low & ((1 << bits) - 1))


def _blocks(rows: np.ndarray, lanes: int = p.LANES) -> np.ndarray:
    """(k, h) as (k, blocks, lanes), zeros where channels are missing."""
    room = np.zeros((len(rows), p.padded(rows.shape[1])), rows.dtype)
    room[:, : rows.shape[1]] = rows
    return room.reshape(len(rows), -1, lanes)


def _mode_blocks(values: np.ndarray, lanes: int) -> np.ndarray:
    """(k, h, n) as (blocks, n, k, lanes)."""
    count, channels, modes = values.shape
    room = np.zeros((count, p.padded(channels), modes), values.dtype)
    room[:, :channels] = values
    return room.reshape(count, -1, lanes, modes).transpose(1, 3, 0, 2)


def _join(head: np.ndarray, body: np.ndarray) -> np.ndarray:
    """Each block's head before its modes."""
    blocks = len(head)
    return np.concatenate([head.reshape(blocks, -1), body.reshape(blocks, -1)], axis=1)
