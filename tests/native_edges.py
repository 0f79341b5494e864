"""Programs with one node under trial, whose conditions a test sets to the last unit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ns4d.engines import Engine, Reference
from ns4d.engines.native import Native
from ns4d.numerics import LOIHI2, WIDE, Arithmetic
from ns4d.program import S4D, Dense, Descale, InputQuantizer, Metadata, Program, Readout
from ns4d.program.nodes import Node

# As wide as the file format allows, so that only the condition under trial can fail.
BROAD = {
    "weight_bits": 16,
    "message_bits": 24,
    "coefficient_bits": 24,
    "multiplier_bits": 24,
    "accumulator_bits": 40,
}
EACH = replace(LOIHI2, name="each", state_bits=24, **BROAD)
SUMS = replace(WIDE, name="sums", state_bits=32, **BROAD)
# So many channels that the second block of eight is not full, modes beyond four by one.
CHANNELS, MODES = 9, 5


def copy(name: str, channels: int, limit: int) -> Dense:
    """A dense node that sends what it gets, up to a limit."""
    one, most = np.ones(channels, np.int64), np.full(channels, limit)
    keep = Descale(one, 0, most, relu=False)
    return Dense(name, np.eye(channels, dtype=np.int64), 0 * one, keep)


def around(arithmetic: Arithmetic, node: Node, limit: int) -> Program:
    """A program that hands the node messages within the limit and reads out what it sends."""
    quantizer = InputQuantizer(np.zeros(node.inputs), np.ones(node.inputs))
    classes = tuple(f"output {k}" for k in range(node.outputs))
    nodes = (copy("limit", node.inputs, limit), node)
    readout = Readout(np.eye(node.outputs, dtype=np.int64), np.arange(node.outputs))
    return Program(arithmetic, quantizer, nodes, readout, Metadata("edge", classes))


def neuron(
    arithmetic: Arithmetic,
    limit: int = 100,
    a: complex = 0,
    b: complex = 1,
    c: complex = 1,
    d: int = 1,
    shifts: tuple[int, int, int, int] = (15, 0, 0, 0),
    multiplier: int = 1,
    shift: int = 0,
    uniform: bool = True,
    channels: int = CHANNELS,
    modes: int = MODES,
) -> Program:
    """A program with one S4D node of equal channels.

    Args:
        arithmetic: The profile.
        limit: Largest message into the node.
        a, b, c: The largest mode; the others have smaller magnitudes and other signs.
        d: The direct term.
        shifts: a_shift, b_shift, c_shift, d_shift.
        multiplier, shift: The descaling.
        uniform: One b per channel. Otherwise all modes but the first have an imaginary b.
        channels, modes: Sizes.
    """
    shape = (channels, modes)
    signs = np.ones(shape, np.int64)
    signs[:, 1::2] = -1
    a_re, a_im, c_re, c_im = (int(part) * signs for part in (a.real, a.imag, c.real, c.imag))
    b_re, b_im = np.full(shape, int(b.real)), np.zeros(shape, np.int64)
    if not uniform:
        b_re[:, 1:], b_im[:, 1:] = 0, int(b.real)
    # Only the first mode counts towards the sum of (3): its bound is then known to the unit.
    c_re[:, 1:], c_im[:, 1:] = 0, 0
    full = np.ones(channels, np.int64)
    sa, sb, sc, sd = shifts
    descale = Descale(multiplier * full, shift, arithmetic.message_max * full, relu=False)
    node = S4D(
        "trial", a_re, a_im, b_re, b_im, c_re, c_im, d * full, sa, sb * full, sc * full, sd * full,
        descale,
    )  # fmt: skip
    return around(arithmetic, node, limit)


def path(program: Program) -> int:
    """The path of the node under trial."""
    return Native(1).load(program, 1).plan.paths[1]


def inputs(program: Program, length: int = 23, streams: int = 3) -> np.ndarray:
    """(b, l, i) messages: the extremes, alternating, random; more streams are random as well."""
    top = int(program.nodes[0].descale.limit[0])
    u = np.random.default_rng(0).integers(-top, top + 1, (streams, length, program.inputs))
    u[0], u[1] = top, top * (-1) ** np.arange(length)[:, None]
    u[0, length // 2 :, ::2] = -top
    return u


def require_equal(program: Program, u: np.ndarray | None = None) -> None:
    """Both ways through a path, tokens and chunks, give the reference's scores with its states."""
    u = inputs(program) if u is None else u
    machines = []
    engines: tuple[Engine, ...] = (Reference(), Native(1), Native(1))
    for engine, step in zip(engines, (u.shape[1], u.shape[1], 1), strict=True):
        machine = engine.load(program, len(u))
        parts = [machine.advance(u[:, t : t + step]) for t in range(0, u.shape[1], step)]
        machines.append((np.concatenate(parts, axis=1), machine.state))
    for scores, state in machines[1:]:
        np.testing.assert_array_equal(scores, machines[0][0])
        assert state == machines[0][1]
    assert machines[0][0].any(), "nothing came through"
