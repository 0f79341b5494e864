"""What an engine is: it loads a program into a machine, which holds the state of its streams."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int64

from ns4d.engines.state import State, require_one
from ns4d.program import Program
from ns4d.program.tokens import admit_token


@runtime_checkable
class Machine(Protocol):
    """A program on an engine with the state of so many streams; all advance together.

    Streams never mix. Chunks of any size give the same bits as single tokens. A machine is for one
    thread at a time; several machines may run in several threads.
    """

    @property
    def program(self) -> Program:
        """What it runs."""
        ...

    @property
    def streams(self) -> int:
        """How many streams it holds."""
        ...

    @property
    def state(self) -> State:
        """The state after the last token: a value, which later tokens do not change."""
        ...

    @state.setter
    def state(self, state: State) -> None:
        """Go on from a state that a run of this program led to, on whatever engine.

        Raises:
            ShapeError: Other nodes, shapes or number of streams.
            RangeError: Beyond the program's certificate.
        """
        ...

    def advance(self, u: np.ndarray) -> Int64[np.ndarray, "b l classes"]:
        """So many tokens for every stream.

        Args:
            u: (b, l, i) real numbers or messages, one row per stream. All are checked before the
                first one runs.

        Returns:
            The scores r + T·bias after every token.

        Raises:
            ShapeError: Not of that shape, or neither floats nor integers. The state is unchanged.
            RangeError: An illegal value, or more tokens than the program is proved safe for. The
                state is unchanged.
        """
        ...

    def token(self, token: np.ndarray) -> Int64[np.ndarray, " classes"]:
        """One raw token into a machine of one stream: `admit_token`, then `advance`.

        Args:
            token: (i,) real numbers or messages.

        Returns:
            The scores after it.

        Raises:
            ShapeError: Not of shape (i,), or neither floats nor integers. The state is unchanged.
            RangeError: An illegal value, or one token too many. The state is unchanged.
        """
        ...


def token_by_advance(machine: Machine, token: np.ndarray) -> Int64[np.ndarray, " classes"]:
    """`Machine.token` for a machine that has no shorter way: a chunk of one.

    Args:
        machine: Of one stream.
        token: As in `Machine.token`, with its errors.

    Returns:
        The scores after it.
    """
    u = admit_token(machine.program.arithmetic, machine.program.input, token)
    require_one(machine.streams)
    return machine.advance(u[None, None])[0, 0]


@runtime_checkable
class Engine(Protocol):
    """Computes programs. All engines give the same bits; `Reference` defines them."""

    @property
    def name(self) -> str:
        """For reports and for errors."""
        ...

    @property
    def batch(self) -> int:
        """How many sequences it computes best at once: time and memory, never a result."""
        ...

    def load(self, program: Program, streams: int) -> Machine:
        """A machine with so many streams in zero state."""
        ...

    def trace(
        self, program: Program, u: Int64[np.ndarray, "b l i"]
    ) -> dict[str, Int64[np.ndarray, "b l _"]]:
        """What every node sends at every token, from zero state.

        Args:
            program: What to run.
            u: Messages that have been admitted.

        Returns:
            Node name -> (b, l, o) messages.
        """
        ...
