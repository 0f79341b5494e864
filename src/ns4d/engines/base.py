"""What an engine is: one step of a program, from state to state."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int64

from ns4d.engines.state import State
from ns4d.program import Program


@runtime_checkable
class Engine(Protocol):
    """Computes programs. All engines give the same bits; `Reference` defines them.

    An engine does not check its arguments: `Stream` and `run` admit tokens, and states come from
    the engine itself or have passed `require_state`.
    """

    @property
    def name(self) -> str:
        """For reports and for errors."""
        ...

    @property
    def batch(self) -> int:
        """How many sequences it computes best at once: time and memory, never a result."""
        ...

    def initial_state(self, program: Program, batch: int) -> State:
        """The state of so many streams before the first token: all zeros."""
        ...

    def step(
        self, program: Program, state: State, u: Int64[np.ndarray, "b i"]
    ) -> tuple[State, Int64[np.ndarray, "b classes"]]:
        """One token for every stream.

        Args:
            program: What to run.
            state: Before the token; never changed.
            u: Messages, |u| <= the largest message of the profile.

        Returns:
            The state after the token, and the scores r + T·bias.
        """
        ...
