"""The generated C on an emulated core as an engine, for the conformance suite."""

from __future__ import annotations

from typing import final

import numpy as np
from jaxtyping import Int64

from ns4d.bench.emulate.emulated import Core
from ns4d.bench.emulate.targets import Target
from ns4d.bench.emulate.toolchain import NAME, Toolchain, build
from ns4d.engines.base import token_by_advance
from ns4d.engines.state import State, require_safe, require_state, zero_state
from ns4d.engines.trace import by_node
from ns4d.export.c99.states import layout, read_states, tokens_seen, write_states
from ns4d.export.c99.unit import Unit
from ns4d.program import Program
from ns4d.program.tokens import admit_streams


@final
class Emulated:
    """A core with a compiler for it.

    Args:
        target: What is emulated.
        toolchain: What compiles.
        options: Its options.
    """

    def __init__(
        self, target: Target, toolchain: Toolchain, options: tuple[str, ...] = ("-O2",)
    ) -> None:
        self._target, self._toolchain, self._options = target, toolchain, options
        self._core: Core | None = None

    @property
    def name(self) -> str:
        """For reports and for errors."""
        return f"c99 on {self._target.name} by {self._toolchain.name}"

    @property
    def batch(self) -> int:
        """Any number costs the same per sequence."""
        return 8

    def load(self, program: Program, streams: int) -> EmulatedMachine:
        """A machine with so many streams in zero state; all machines of a program share a core."""
        return EmulatedMachine(self._core_of(program), program, streams)

    def trace(
        self, program: Program, u: Int64[np.ndarray, "b l i"]
    ) -> dict[str, Int64[np.ndarray, "b l _"]]:
        """What every node sends at every token, from zero state; see `Engine.trace`."""
        require_safe(program, u.shape[1])
        if not program.nodes:
            return {}
        core, count = self._core_of(program), sum(program.channels)
        rows = []
        for sequence in u:
            core.init()
            for token in sequence:
                core.record(count)
                core.step(token)
                rows.append(core.recorded(count))
        core.record(0)
        return by_node(program, np.array(rows, np.int64).reshape(*u.shape[:2], count))

    def _core_of(self, program: Program) -> Core:
        if self._core is None or self._core.build.program != program:
            made = build(program, self._toolchain, self._options, traced=True)
            self._core = Core(made, self._target.machine)
        return self._core


@final
class EmulatedMachine:
    """A program on a core: the struct of a stream is in its memory while that stream advances."""

    def __init__(self, core: Core, program: Program, streams: int) -> None:
        self._core, self._unit = core, Unit(program, NAME)
        self._structs = write_states(self._unit, zero_state(program, streams))
        assert core.state_bytes == layout(self._unit).itemsize

    @property
    def program(self) -> Program:
        """What it runs."""
        return self._unit.program

    @property
    def streams(self) -> int:
        """How many streams it holds."""
        return len(self._structs)

    @property
    def state(self) -> State:
        """The state after the last token."""
        return read_states(self._unit, self._structs)

    @state.setter
    def state(self, state: State) -> None:
        require_state(self.program, state, self.streams)
        self._structs = write_states(self._unit, state)

    def advance(self, u: np.ndarray) -> Int64[np.ndarray, "b l classes"]:
        """So many tokens for every stream; see `Machine.advance`."""
        program = self.program
        u = admit_streams(program.arithmetic, program.input, u, self.streams)
        require_safe(program, tokens_seen(self._structs) + u.shape[1])
        scores = np.zeros((*u.shape[:2], len(program.classes)), np.int64)
        for k, sequence in enumerate(u):
            self._core.struct = self._structs[k : k + 1].tobytes()
            for t, token in enumerate(sequence):
                scores[k, t] = self._core.step(token)
            self._structs[k] = np.frombuffer(self._core.struct, self._structs.dtype)[0]
        return scores

    def token(self, token: np.ndarray) -> Int64[np.ndarray, " classes"]:
        """One raw token into a machine of one stream; see `Machine.token`."""
        return token_by_advance(self, token)
