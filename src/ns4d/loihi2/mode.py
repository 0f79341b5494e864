"""The two modes of the paper: when the next token enters the chip."""

from __future__ import annotations

from enum import Enum

from ns4d.loihi2.populations import populations, steps_per_token
from ns4d.program import Program


class Mode(Enum):
    """When the next token enters."""

    FALL_THROUGH = "fall-through"  # when the last one has left
    PIPELINED = "pipelined"  # one step after the last one

    def period(self, program: Program) -> int:
        """Steps from one token's entry to the next one's."""
        return steps_per_token(program) if self is Mode.FALL_THROUGH else 1

    def steps(self, program: Program, tokens: int) -> int:
        """Steps from the first token's entry until the read-out has heard the last one.

        The step in which the first token enters is counted. With S steps per token this is
        tokens·S + 2 in fall-through mode, tokens + S + 1 in pipelined mode.
        """
        if not tokens:
            return 0
        last = len(populations(program)) - 1
        return (tokens - 1) * self.period(program) + last + 1
