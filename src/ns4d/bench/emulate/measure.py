"""Runs a program on a target over sequences, compares every score, counts what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Int64

from ns4d.bench.emulate.emulated import Core
from ns4d.bench.emulate.targets import Target
from ns4d.bench.emulate.timing import Meter
from ns4d.bench.emulate.toolchain import Toolchain, build
from ns4d.engines import Reference
from ns4d.export.c99.parts import PARTS
from ns4d.program import Program

COUNTED = 16


@dataclass(frozen=True)
class Measurement:
    """One program on one target.

    Args:
        target: Name of the target.
        toolchain: The compiler with its version.
        options: Its options.
        sequences, tokens: How many were run; tokens over all sequences.
        different: Scores that are not those of the reference.
        counted: Tokens over which instructions were counted, the first ones.
        instructions, most_instructions: Per token: the mean, the most.
        cycles: Per token, estimated; None where no timings are published.
        flash_bytes, ram_bytes: The model alone: code with constants; the caller's struct.
        stack_bytes: What one call of `step` used at most.
        part: The part whose clock is stated.
        clock_hz: That clock.
    """

    target: str
    toolchain: str
    options: tuple[str, ...]
    sequences: int
    tokens: int
    different: int
    counted: int
    instructions: float
    most_instructions: int
    cycles: float | None
    flash_bytes: int
    ram_bytes: int
    stack_bytes: int
    part: str
    clock_hz: int

    @property
    def seconds(self) -> float | None:
        """Time of a token at that clock."""
        return None if self.cycles is None else self.cycles / self.clock_hz

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return {**asdict(self), "options": list(self.options), "seconds": self.seconds}


def measure(
    program: Program,
    u: Int64[np.ndarray, "b l i"],
    target: Target,
    toolchain: Toolchain,
    options: Sequence[str] = ("-O2",),
) -> Measurement:
    """Build, run, compare, count.

    Args:
        program: What to run.
        u: Messages of several sequences, each from zero state.
        target: Where.
        toolchain: What compiles.
        options: Its options.
    """
    made = build(program, toolchain, options)
    core = Core(made, target.machine)
    core.paint_stack()
    expected = Reference().load(program, len(u)).advance(u)
    meters = _count(core, u[0, :COUNTED])
    different = sum(_different(core, u[b], expected[b]) for b in range(len(u)))
    cycles = [meter.cycles for meter in meters]
    counts = [meter.instructions for meter in meters]
    return Measurement(
        target.name,
        toolchain.name,
        tuple(options),
        len(u),
        u.shape[0] * u.shape[1],
        different,
        len(meters),
        float(np.mean(counts)),
        max(counts),
        None if None in cycles else float(np.mean(np.array(cycles, float))),
        made.flash_bytes,
        core.state_bytes,
        core.stack_used,
        target.part,
        PARTS[target.part].clock_hz,
    )


def _count(core: Core, u: Int64[np.ndarray, "l i"]) -> list[Meter]:
    meters = []
    for token in u:
        meter = Meter(core.machine, core.memory)
        end = core.on_block(meter.see)
        core.step(token)
        end()
        meters.append(meter)
    return meters


def _different(
    core: Core, u: Int64[np.ndarray, "l i"], expected: Int64[np.ndarray, "l classes"]
) -> int:
    core.init()
    return sum(
        int((core.step(token) != scores).sum()) for token, scores in zip(u, expected, strict=True)
    )
