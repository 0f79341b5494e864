"""The simulated chip as engines: both modes give the bits of every other engine.

A chip shows its work through `simulate`; an engine forgets it, and places whatever program it is
given on a chip without limits, so that the bits can be compared for every profile.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, final

import numpy as np
from jaxtyping import Int64

from ns4d.engines import Engine, State
from ns4d.engines.base import token_by_advance
from ns4d.engines.state import require_safe, require_state, zero_state
from ns4d.engines.trace import by_node
from ns4d.loihi2.chip import UNLIMITED, System
from ns4d.loihi2.mode import Mode
from ns4d.loihi2.place import place
from ns4d.program import Program
from ns4d.program.tokens import admit_streams

if TYPE_CHECKING:
    from ns4d.loihi2.simulate_layout import Layout
else:
    # Numba takes half a second to load: only who simulates pays for it.
    Layout = object

# Tokens per compiled call, which nothing can interrupt. The chip runs empty between two calls.
CHUNK = 1 << 12


@final
class ChipEngine:
    """A simulated chip in one mode; see `Engine`.

    Args:
        mode: When tokens enter.
        system: Where programs are placed; one without limits if left out.
    """

    def __init__(self, mode: Mode, system: System = UNLIMITED) -> None:
        self._mode, self._system = mode, system

    @property
    def name(self) -> str:
        """For reports and for errors."""
        return f"loihi2 {self._mode.value}"

    @property
    def batch(self) -> int:
        """One: streams go through the chip one after the other."""
        return 1

    def load(self, program: Program, streams: int) -> ChipMachine:
        """A machine with so many streams in zero state.

        Raises:
            PlacementError: A program that the system does not take.
        """
        return ChipMachine(_layout(program, self._system), self._mode, program, streams)

    def trace(
        self, program: Program, u: Int64[np.ndarray, "b l i"]
    ) -> dict[str, Int64[np.ndarray, "b l _"]]:
        """What every node sends at every token, from zero state; see `Engine.trace`."""
        require_safe(program, u.shape[1])
        return self.load(program, len(u)).trace(u)


@final
class ChipMachine:
    """A program on a simulated chip, with its streams; see `Machine`."""

    def __init__(self, layout: Layout, mode: Mode, program: Program, streams: int) -> None:
        self._layout, self._program, self._streams = layout, program, streams
        self._period = mode.period(program)
        self._state = zero_state(program, streams)

    @property
    def program(self) -> Program:
        """What it runs."""
        return self._program

    @property
    def streams(self) -> int:
        """How many streams it holds."""
        return self._streams

    @property
    def state(self) -> State:
        """The state after the last token."""
        return self._state

    @state.setter
    def state(self, state: State) -> None:
        require_state(self._program, state, self._streams)
        self._state = state

    def advance(self, u: np.ndarray) -> Int64[np.ndarray, "b l classes"]:
        """So many tokens for every stream; see `Machine.advance`."""
        u = admit_streams(self._program.arithmetic, self._program.input, u, self._streams)
        require_safe(self._program, self._state.tokens_seen + u.shape[1])
        return self._run(u, traced=False)[0]

    def trace(self, u: Int64[np.ndarray, "b l i"]) -> dict[str, Int64[np.ndarray, "b l _"]]:
        """`advance`, but what comes back are the messages of every node, by name."""
        return by_node(self._program, self._run(u, traced=True)[1])

    def token(self, token: np.ndarray) -> Int64[np.ndarray, " classes"]:
        """One raw token into a machine of one stream; see `Machine.token`."""
        return token_by_advance(self, token)

    def _run(
        self, u: Int64[np.ndarray, "b l i"], traced: bool
    ) -> tuple[Int64[np.ndarray, "b l classes"], Int64[np.ndarray, "b _ o"]]:
        """Scores, and the messages of all nodes if traced. The state changes once all is done."""
        from ns4d.loihi2.simulate_streams import passage, streams_of

        layout, before = self._layout, self._state.tokens_seen
        held = streams_of(layout, self._state)
        batch, length = u.shape[:2]
        scores = np.zeros((batch, length, self._program.readout.outputs), np.int64)
        sent = np.zeros((batch, length if traced else 0, layout.messages), np.int64)
        for start in range(0, length, CHUNK):
            part = slice(start, start + CHUNK)
            for stream, tokens in enumerate(u[:, part]):
                out = passage(layout, len(tokens), traced)
                held.run(stream, tokens, self._period, before + start, out)
                scores[stream, part] = out.scores
                if traced:
                    sent[stream, part] = out.messages
        self._state = held.state(before + length)
        return scores, sent


@lru_cache(maxsize=8)
def _layout(program: Program, system: System) -> Layout:
    """Placed once per program, however many machines run it."""
    from ns4d.loihi2.simulate_layout import lay_out

    return lay_out(place(program, system))


def _fall_through() -> Engine:
    return ChipEngine(Mode.FALL_THROUGH)


def _pipelined() -> Engine:
    return ChipEngine(Mode.PIPELINED)


CHIP_ENGINES: Mapping[str, Callable[[], Engine]] = MappingProxyType(
    {"loihi2 fall-through": _fall_through, "loihi2 pipelined": _pipelined}
)
