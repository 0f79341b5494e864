"""What an engine is, and how programs run on one: token by token, or many sequences at once."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int64

from ns4d.engines.state import State, require_state
from ns4d.errors import RangeError, ShapeError
from ns4d.program import Program
from ns4d.program.arrays import require_within
from ns4d.program.tokens import admit_sequences, admit_token, admit_tokens


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
        _require_safe(self._program, state.tokens_seen + len(u))
        scores = np.zeros((len(u), len(self._program.classes)), np.int64)
        for k, token in enumerate(u):
            state, after = self._engine.step(self._program, state, token[None])
            scores[k] = after[0]
        self._state = state
        return scores


def run(
    engine: Engine, program: Program, sequences: np.ndarray, lengths: np.ndarray | None = None
) -> Int64[np.ndarray, "b classes"]:
    """Scores of many sequences, each from zero state; see `Program.run`."""
    u = admit_sequences(program.arithmetic, program.input, sequences)
    ends = _ends(lengths, *u.shape[:2])
    _require_safe(program, u.shape[1])
    scores = np.zeros((len(u), len(program.classes)), np.int64)
    for k in range(0, len(u), engine.batch):
        part = slice(k, k + engine.batch)
        scores[part] = _run_together(engine, program, u[part], ends[part])
    return scores


def _run_together(
    engine: Engine, program: Program, u: Int64[np.ndarray, "b l i"], ends: Int64[np.ndarray, " b"]
) -> Int64[np.ndarray, "b classes"]:
    state = engine.initial_state(program, len(u))
    scores = np.zeros((len(u), len(program.classes)), np.int64)
    for k in range(int(ends.max())):
        state, after = engine.step(program, state, u[:, k])
        last = ends == k + 1
        scores[last] = after[last]
    return scores


def _ends(lengths: np.ndarray | None, batch: int, tokens: int) -> Int64[np.ndarray, " b"]:
    ends = np.full(batch, tokens) if lengths is None else lengths
    if not isinstance(ends, np.ndarray) or ends.dtype.kind not in "iu" or ends.shape != (batch,):
        got = f"{ends.dtype} {ends.shape}" if isinstance(ends, np.ndarray) else str(type(ends))
        raise ShapeError(
            "lengths",
            expected=f"an integer array of shape ({batch},), one per sequence",
            got=got,
            fix="Leave it out if no sequence is padded.",
        )
    require_within("lengths", ends, 1, tokens, "Every sequence needs at least one token.")
    return ends.astype(np.int64)


def _require_safe(program: Program, tokens: int) -> None:
    if tokens > program.safe_tokens:
        raise RangeError(
            f"token {program.safe_tokens}",
            expected=f"at most {program.safe_tokens} tokens, proved safe for 64-bit scores",
            got=str(tokens),
            fix="Reset the stream.",
        )
