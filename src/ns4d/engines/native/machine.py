"""A program with its streams in the kernels' own form."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import final

import numpy as np
from jaxtyping import Int64

from ns4d.engines.native import kernels
from ns4d.engines.native.plan import Plan, aligned_bytes
from ns4d.engines.native.states import from_bytes, to_bytes
from ns4d.engines.state import State, require_safe, require_state
from ns4d.program import Program
from ns4d.program.tokens import admit_token


class _Work:
    """Messages of all nodes at all tokens of a chunk, with room for sums: one per thread."""

    def __init__(self, plan: Plan) -> None:
        self.stride = 4 * plan.width
        self.messages = aligned_bytes(len(plan.nodes) * kernels.TOKENS * self.stride)
        # Rows of 64 bytes per token, then four modes; or the pairs of a dense node, then its sums.
        self.room = aligned_bytes(64 * kernels.TOKENS + 32 * plan.width + 1024)


@final
class NativeMachine:
    """See `Machine`. Streams are spread over threads in slices; the kernels release the GIL.

    The kernels take addresses. Every array behind one is held here, of fixed size and place.
    """

    def __init__(self, program: Program, plan: Plan, streams: int, threads: int) -> None:
        self._program, self._plan, self._threads = program, plan, max(1, min(threads, streams))
        self._states = aligned_bytes(streams, plan.state_bytes)
        self._seen, self._safe = 0, program.safe_tokens
        self._work = [_Work(plan) for _ in range(self._threads)]
        self._shape, self._classes = (program.inputs,), len(program.classes)
        self._raw, self._whole = np.zeros(program.inputs), np.zeros(program.inputs, np.int64)
        self._scores = np.zeros(self._classes, np.int64)
        quantizer = program.input
        self._quantizer = np.concatenate([quantizer.offset, quantizer.scale])
        # What `kernels.token` takes.
        kept = (self._scores, self._raw, self._quantizer)
        self._context = np.array(
            [
                *self._arguments(0, self._work[0]),
                *(array.ctypes.data for array in kept),
                program.inputs,
                program.arithmetic.message_max,
                self._whole.ctypes.data,
            ]
        )
        self._context_at = self._context.ctypes.data

    @property
    def program(self) -> Program:
        """What it runs."""
        return self._program

    @property
    def streams(self) -> int:
        """How many streams it holds."""
        return len(self._states)

    @property
    def plan(self) -> Plan:
        """How the program is laid out."""
        return self._plan

    @property
    def state(self) -> State:
        """The state after the last token."""
        return from_bytes(self._program, self._plan, self._states, self._seen)

    @state.setter
    def state(self, state: State) -> None:
        require_state(self._program, state, self.streams)
        self._states[:] = to_bytes(self._program, self._plan, state)
        self._seen = state.tokens_seen

    def advance(self, u: Int64[np.ndarray, "b l i"]) -> Int64[np.ndarray, "b l classes"]:
        """So many tokens for every stream; see `Machine.advance`."""
        return self._advance(u, None)

    def trace(self, u: Int64[np.ndarray, "b l i"]) -> Int64[np.ndarray, "b nodes l o"]:
        """`advance`, but what comes back are the messages of every node, with room to spare."""
        shape = (self.streams, len(self._program.nodes), u.shape[1], self._plan.width)
        sent = np.zeros(shape, np.int32)
        self._advance(u, sent)
        return sent.astype(np.int64)

    def token(self, token: np.ndarray) -> Int64[np.ndarray, " classes"]:
        """One raw token into a machine of one stream; see `Machine.token`."""
        kind = token.dtype.kind if isinstance(token, np.ndarray) else ""
        if kind not in ("f", "i") or token.shape != self._shape or token.dtype.itemsize > 8:
            u = admit_token(self._program.arithmetic, self._program.input, token)
            return self.advance(u[None, None])[0, 0]
        if self._seen >= self._safe:
            require_safe(self._program, self._seen + 1)
        if kind == "f":
            self._raw[:] = token
            bad = kernels.token(self._context_at, self._seen)
        else:
            self._whole[:] = token
            bad = kernels.message(self._context_at, self._seen)
        if bad:
            admit_token(self._program.arithmetic, self._program.input, token)
        self._seen += 1
        return self._scores.copy()

    def _arguments(self, stream: int, work: _Work) -> tuple[int, ...]:
        """What all ways in begin with."""
        plan = self._plan
        return (
            plan.nodes.ctypes.data,
            len(plan.nodes) - 1,
            plan.parameters.ctypes.data,
            self._states.ctypes.data + stream * plan.state_bytes,
            plan.scores,
            work.messages.ctypes.data,
            work.stride,
            work.room.ctypes.data,
        )

    def _advance(self, u: np.ndarray, sent: np.ndarray | None) -> np.ndarray:
        require_safe(self._program, self._seen + u.shape[1])
        u = np.ascontiguousarray(u, np.int64)
        scores = np.zeros((*u.shape[:2], self._classes), np.int64)

        def part(k: int) -> None:
            first, last = (j * self.streams // self._threads for j in (k, k + 1))
            if u.shape[1] == 1 and sent is None:
                self._one_token(self._work[k], u, scores, first, last)
            else:
                for b in range(first, last):
                    self._many_tokens(self._work[k], u, scores, b, sent)

        _together(part, self._threads)
        self._seen += u.shape[1]
        return scores

    def _one_token(
        self, work: _Work, u: np.ndarray, scores: np.ndarray, first: int, last: int
    ) -> None:
        kernels.streams(
            *self._arguments(first, work), u[first:].ctypes.data, u.shape[2], last - first,
            self._plan.state_bytes, self._seen, scores[first:].ctypes.data, self._classes,
        )  # fmt: skip

    def _many_tokens(
        self, work: _Work, u: np.ndarray, scores: np.ndarray, b: int, sent: np.ndarray | None
    ) -> None:
        kernels.tokens(
            *self._arguments(b, work), u[b].ctypes.data, u.shape[2], u.shape[1], self._seen,
            scores[b].ctypes.data, self._classes, 0 if sent is None else sent[b].ctypes.data,
        )  # fmt: skip


def _together(part: Callable[[int], None], threads: int) -> None:
    if threads == 1:
        part(0)
        return
    for _ in _pool(threads).map(part, range(threads)):
        pass


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    """Kept, because starting threads takes longer than many a call."""
    return ThreadPoolExecutor(threads, thread_name_prefix="ns4d")
