"""The engine: loads programs into machines, which share the packed parameters."""

from __future__ import annotations

import os
from typing import final
from weakref import WeakKeyDictionary

import numpy as np
from jaxtyping import Int64

from ns4d.engines.native.machine import NativeMachine
from ns4d.engines.native.pack import pack
from ns4d.engines.native.plan import Plan
from ns4d.errors import ConfigError
from ns4d.program import Program


@final
class Native:
    """Runs programs on the CPU in compiled code, with the bits of `Reference`.

    Args:
        threads: How many threads share the streams of a machine; all cores if None. Never a result.

    Raises:
        ConfigError: No positive number of threads.
    """

    def __init__(self, threads: int | None = None) -> None:
        whole = type(threads) is int and threads >= 1
        if threads is not None and not whole:
            raise ConfigError(
                "Native threads",
                expected="an integer of at least 1, or None for all cores",
                got=repr(threads),
                fix="Leave it out.",
            )
        self._threads = threads or os.cpu_count() or 1

    @property
    def name(self) -> str:
        """For reports and for errors."""
        return "native"

    @property
    def batch(self) -> int:
        """Enough sequences for every thread."""
        return 16 * self._threads

    def load(self, program: Program, streams: int) -> NativeMachine:
        """A machine with so many streams in zero state."""
        return NativeMachine(program, _plan(program), streams, self._threads)

    def trace(
        self, program: Program, u: Int64[np.ndarray, "b l i"]
    ) -> dict[str, Int64[np.ndarray, "b l _"]]:
        """What every node sends at every token, from zero state; see `Engine.trace`."""
        sent = self.load(program, len(u)).trace(u)
        return {node.name: sent[:, k, :, : node.outputs] for k, node in enumerate(program.nodes)}


_PLANS: WeakKeyDictionary[Program, Plan] = WeakKeyDictionary()


def _plan(program: Program) -> Plan:
    """Packed once per program and kept as long as it lives."""
    plan = _PLANS.get(program)
    if plan is None:
        plan = _PLANS[program] = pack(program)
    return plan
