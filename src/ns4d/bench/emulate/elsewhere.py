"""The same programs on other targets: this processor, timed; Loihi 2, by its model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Int64

from ns4d.bench.loihi2_cpu import cpu_rows
from ns4d.bench.loihi2_run import run
from ns4d.engines import Reference, default_engine
from ns4d.engines.native.pack import pack
from ns4d.errors import PlacementError
from ns4d.loihi2.chip import SYSTEMS
from ns4d.loihi2.mode import Mode
from ns4d.program import Program

SYSTEM = "oheo-gulch"


def elsewhere(program: Program, u: Int64[np.ndarray, "l i"]) -> Iterator[dict[str, Any]]:
    """One row per target.

    Args:
        program: What runs.
        u: One sequence of messages.

    Yields:
        The target, how its numbers came about, time of a token with its range, memory, and how many
        scores were compared with the reference's or an engine's that is.
    """
    plan = pack(program)
    expected = Reference().load(program, 1).advance(u[None])
    found = default_engine().load(program, 1).advance(u[None])
    token = cpu_rows(program, u)[0].latency_s.value
    yield {
        "target": "this CPU, native engine",
        "origin": "measured",
        "token_s": [token, token, token],
        "memory": f"{len(plan.parameters) + plan.state_bytes:,} bytes",
        "compared": found.size,
        "different": int((found != expected).sum()),
    }
    yield from _loihi2(program, u)


def _loihi2(program: Program, u: Int64[np.ndarray, "l i"]) -> Iterator[dict[str, Any]]:
    """Both modes; nothing where the chip has no words so wide."""
    try:
        simulated = run(program, u, "tokens", Mode.FALL_THROUGH, SYSTEMS[SYSTEM])
    except PlacementError:
        return
    cores = len({part.core for part in simulated.simulation.activity.placement.slices})
    for mode, made in simulated.estimates.items():
        yield {
            "target": f"Loihi 2, {mode.value}",
            "origin": "simulated",
            "token_s": [made.token_s.value, made.token_s.low, made.token_s.high],
            "memory": f"{cores} cores",
            "compared": len(u) * len(program.classes),
            "different": 0,  # `run` raises at the first integer that differs
        }
