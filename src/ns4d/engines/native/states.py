"""States of streams: the kernels' bytes to arrays, both ways."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int64, UInt8

from ns4d.engines.native import plan as p
from ns4d.engines.native.pack import state_bytes
from ns4d.engines.state import State
from ns4d.program import Program

WORDS = (p.WORD, p.WORD_MODES)


def tokens_seen(program: Program, plan: p.Plan, states: UInt8[np.ndarray, "b _"]) -> int:
    """How many tokens the streams have seen; all as many."""
    start = plan.scores + 8 * len(program.classes)
    return int(states[0, start : start + 8].view(np.int64)[0]) if len(states) else 0


def from_bytes(program: Program, plan: p.Plan, states: UInt8[np.ndarray, "b _"]) -> State:
    """The value of a state.

    Args:
        program: What runs.
        plan: Its layout.
        states: One row per stream.
    """
    x_re, x_im = {}, {}
    for node, row in zip(program.nodes, plan.nodes, strict=False):
        if row[p.MODES]:
            start = int(row[p.STATE])
            part = states[:, start : start + state_bytes(row)]
            x_re[node.name], x_im[node.name] = _read(part, row)
    r = states[:, plan.scores : plan.scores + 8 * len(program.classes)]
    seen = tokens_seen(program, plan, states)
    return State(x_re, x_im, np.ascontiguousarray(r).view(np.int64), seen)


def to_bytes(program: Program, plan: p.Plan, state: State) -> UInt8[np.ndarray, "b _"]:
    """The inverse of `from_bytes`."""
    states = np.zeros((state.batch, plan.state_bytes), np.uint8)
    for node, row in zip(program.nodes, plan.nodes, strict=False):
        if row[p.MODES]:
            start = int(row[p.STATE])
            content = _write(state.x_re[node.name], state.x_im[node.name], row)
            states[:, start : start + state_bytes(row)] = _bytes(content)
    end = plan.scores + 8 * len(program.classes)
    states[:, plan.scores : end] = _bytes(state.r)
    states[:, end : end + 8] = np.array([state.tokens_seen]).view(np.uint8)
    return states


def _read(
    part: UInt8[np.ndarray, "b _"], row: np.ndarray
) -> tuple[Int64[np.ndarray, "b h n"], Int64[np.ndarray, "b h n"]]:
    op, modes, channels = row[p.OP], int(row[p.MODES]), int(row[p.OUTPUTS])
    part, batch = np.ascontiguousarray(part), len(part)
    if op in (p.PLAIN_EACH, p.PLAIN_SUM):
        parts = part.view(np.int64).reshape(batch, channels, modes, 2)
        return parts[..., 0].copy(), parts[..., 1].copy()
    if op in WORDS:  # group, mode, lane, part
        parts = part.view("<i4").reshape(batch, -1, modes, 4, 2).transpose(4, 0, 1, 3, 2)
    elif op == p.SHORT:  # block, mode, half, lane, part; x = 2^16·high + low
        halves = part.view("<i2").reshape(batch, -1, modes, 2, 8, 2).astype(np.int64)
        whole = halves[:, :, :, 0] + (halves[:, :, :, 1] << 16)
        parts = whole.transpose(4, 0, 1, 3, 2)
    else:  # block, mode, part, lane
        parts = part.view(np.float32).reshape(batch, -1, modes, 2, 8).transpose(3, 0, 1, 4, 2)
    re, im = parts.reshape(2, batch, -1, modes)[:, :, :channels].astype(np.int64)
    return re.copy(), im.copy()


def _write(
    re: Int64[np.ndarray, "b h n"], im: Int64[np.ndarray, "b h n"], row: np.ndarray
) -> np.ndarray:
    op, (batch, channels, modes) = row[p.OP], re.shape
    if op in (p.PLAIN_EACH, p.PLAIN_SUM):
        return np.stack([re, im], axis=-1)
    room = np.zeros((2, batch, p.padded(channels), modes), np.int64)
    room[:, :, :channels] = re, im
    if op in WORDS:
        parts = room.reshape(2, batch, -1, 4, modes).transpose(1, 2, 4, 3, 0)
        return np.ascontiguousarray(parts).astype("<i4")
    blocks = room.reshape(2, batch, -1, 8, modes)
    if op == p.SHORT:
        whole = blocks.transpose(1, 2, 4, 3, 0)
        low = ((whole + 2**15) & 0xFFFF) - 2**15
        return np.stack([low, (whole - low) >> 16], axis=3).astype("<i2")
    return blocks.transpose(1, 2, 4, 0, 3).astype(np.float32)


def _bytes(array: np.ndarray) -> UInt8[np.ndarray, "b _"]:
    batch = len(array)
    return np.ascontiguousarray(array).view(np.uint8).reshape(batch, -1)
