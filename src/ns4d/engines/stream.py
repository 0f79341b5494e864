"""A stream: one sequence of tokens on one engine, token by token, with its state."""

from __future__ import annotations

from typing import final

import numpy as np
from jaxtyping import Int64

from ns4d.engines.base import Engine
from ns4d.engines.state import State, require_safe, require_state
from ns4d.program import Program
from ns4d.program.tokens import admit_token, admit_tokens


@final
class Stream:
    """One sequence of tokens on one engine, with its state.

    Args:
        program: What to run.
        engine: What computes.
    """

    def __init__(self, program: Program, engine: Engine) -> None:
        self._program = program
        self._engine = engine
        self._state = engine.initial_state(program, 1)

    @property
    def program(self) -> Program:
        """What it runs."""
        return self._program

    @property
    def state(self) -> State:
        """The state after the last token: a value, of batch 1; later steps do not change it."""
        return self._state

    @state.setter
    def state(self, state: State) -> None:
        require_state(self._program, state, 1)
        self._state = state

    def reset(self) -> None:
        """Back to the state before the first token."""
        self._state = self._engine.initial_state(self._program, 1)

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
        u = admit_token(self._program.arithmetic, self._program.input, token)
        return self._advance(u[None])[0]

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
        u = admit_tokens(self._program.arithmetic, self._program.input, tokens)
        return self._advance(u)

    def _advance(self, u: Int64[np.ndarray, "l i"]) -> Int64[np.ndarray, "l classes"]:
        state = self._state
        require_safe(self._program, state.tokens_seen + len(u))
        scores = np.zeros((len(u), len(self._program.classes)), np.int64)
        for k, token in enumerate(u):
            state, after = self._engine.step(self._program, state, token[None])
            scores[k] = after[0]
        self._state = state
        return scores
