"""A stream: one sequence of tokens on one engine, token by token, with its state."""

from __future__ import annotations

from typing import final

import numpy as np
from jaxtyping import Int64

from ns4d.engines.base import Engine
from ns4d.engines.state import State
from ns4d.program import Program
from ns4d.program.tokens import admit_tokens


@final
class Stream:
    """One sequence of tokens on one engine, with its state.

    Args:
        program: What to run.
        engine: What computes.
    """

    def __init__(self, program: Program, engine: Engine) -> None:
        self._machine = engine.load(program, 1)
        self._zero = self._machine.state
        # Bound once: a lookup fewer at every token.
        self._token = self._machine.token

    @property
    def program(self) -> Program:
        """What it runs."""
        return self._machine.program

    @property
    def state(self) -> State:
        """The state after the last token: a value, of batch 1; later steps do not change it."""
        return self._machine.state

    @state.setter
    def state(self, state: State) -> None:
        self._machine.state = state

    def reset(self) -> None:
        """Back to the state before the first token."""
        self._machine.state = self._zero

    def step(self, token: np.ndarray) -> Int64[np.ndarray, " classes"]:
        """One token.

        Args:
            token: (i,) real numbers or messages, as in `Program.quantize_input`.

        Returns:
            The class scores after this token.

        Raises:
            ShapeError: Not of shape (i,), or neither floats nor integers. The state is unchanged.
            RangeError: An illegal value. The state is unchanged.
        """
        return self._token(token)

    def run(self, tokens: np.ndarray) -> Int64[np.ndarray, "l classes"]:
        """Many tokens, after those that came before.

        Args:
            tokens: (l, i) real numbers or messages. All are checked before the first one runs.

        Returns:
            The class scores after each token.

        Raises:
            ShapeError: Not of shape (l, i), or neither. The state is unchanged.
            RangeError: An illegal value. The state is unchanged.
        """
        u = admit_tokens(self.program.arithmetic, self.program.input, tokens)
        return self._machine.advance(u[None])[0]
