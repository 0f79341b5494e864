"""A program with its streams in the kernels' own form."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import final

import numpy as np
from jaxtyping import Int64
from numba import types

from ns4d.engines.base import token_by_advance
from ns4d.engines.native import kernels
from ns4d.engines.native.plan import LANES, Plan, aligned_bytes, padded
from ns4d.engines.native.states import from_bytes, to_bytes, tokens_seen
from ns4d.engines.state import State, require_safe, require_state
from ns4d.program import Program
from ns4d.program.tokens import admit_streams, admit_token
from ns4d.threads import together

# Tokens per compiled call, which nothing can interrupt.
SLICE = 1 << 16
FLOAT64 = np.dtype(np.float64)


class _Work:
    """Messages of all nodes at all tokens of a chunk, with room for sums: one per thread."""

    def __init__(self, plan: Plan, classes: int) -> None:
        self.stride = 4 * plan.width
        self.messages = aligned_bytes(len(plan.nodes) * kernels.TOKENS * self.stride)
        # Rows of 64 bytes per token, then four modes; or the pairs of a dense node, then its sums.
        widest = max(plan.width, padded(classes, 4 * LANES))
        self.room = aligned_bytes(64 * kernels.TOKENS + 32 * widest + 1024)


@final
class NativeMachine:
    """See `Machine`. Streams are spread over threads in slices; the kernels release the GIL.

    The kernels take addresses. Every array behind one is held here, of fixed size and place. The
    state changes in compiled code alone, its count of tokens with it: whatever a signal interrupts,
    every stream has seen as many tokens as its state says.
    """

    def __init__(self, program: Program, plan: Plan, streams: int, threads: int) -> None:
        self._program, self._plan, self._threads = program, plan, max(1, min(threads, streams))
        self._states = aligned_bytes(streams, plan.state_bytes)
        self._shape, self._classes = (program.inputs,), len(program.classes)
        self._many = streams != 1
        self._work = [_Work(plan, self._classes) for _ in range(self._threads)]
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
                8 * self._classes,
                program.safe_tokens,
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
        return from_bytes(self._program, self._plan, self._states)

    @state.setter
    def state(self, state: State) -> None:
        require_state(self._program, state, self.streams)
        self._states[:] = to_bytes(self._program, self._plan, state)

    def advance(self, u: np.ndarray) -> Int64[np.ndarray, "b l classes"]:
        """So many tokens for every stream; see `Machine.advance`."""
        return self._advance(u, None)

    def trace(self, u: np.ndarray) -> Int64[np.ndarray, "b nodes l o"]:
        """`advance`, but what comes back are the messages of every node, with room to spare."""
        shape = (self.streams, len(self._program.nodes), u.shape[1], self._plan.width)
        sent = np.zeros(shape, np.int32)
        self._advance(u, sent)
        return sent.astype(np.int64)

    def token(self, token: np.ndarray) -> Int64[np.ndarray, " classes"]:
        """One raw token into a machine of one stream; see `Machine.token`."""
        if not isinstance(token, np.ndarray) or token.shape != self._shape or self._many:
            return token_by_advance(self, token)
        dtype = token.dtype
        # The usual type is one object, known at a glance.
        if dtype is FLOAT64 or (dtype.kind == "f" and dtype.itemsize <= 8):
            self._raw[:] = token
            refused = self._enter(self._context_at)
        elif dtype.kind == "i":
            self._whole[:] = token
            refused = self._enter_message(self._context_at)
        else:
            return token_by_advance(self, token)
        if refused:
            admit_token(self._program.arithmetic, self._program.input, token)
            require_safe(self._program, self._seen + 1)
        return self._scores.copy()

    # The compiled function itself: calling it through Numba's dispatcher takes twice the time.
    @cached_property
    def _enter(self) -> Callable[[int], int]:
        return kernels.token.compile((types.intp,))

    @cached_property
    def _enter_message(self) -> Callable[[int], int]:
        return kernels.message.compile((types.intp,))

    @property
    def _seen(self) -> int:
        return tokens_seen(self._program, self._plan, self._states)

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
        u = admit_streams(self._program.arithmetic, self._program.input, u, self.streams)
        require_safe(self._program, self._seen + u.shape[1])
        u = np.ascontiguousarray(u)
        scores = np.zeros((*u.shape[:2], self._classes), np.int64)
        for start in range(0, u.shape[1], SLICE):

            def part(k: int, start: int = start) -> None:
                self._part(k, u, scores, sent, start)

            together(part, self._threads)
        return scores

    def _part(
        self, k: int, u: np.ndarray, scores: np.ndarray, sent: np.ndarray | None, start: int
    ) -> None:
        """One thread's streams through the tokens of one slice, in one compiled call."""
        first, last = (j * self.streams // self._threads for j in (k, k + 1))
        length, inputs = min(SLICE, u.shape[1] - start), u.shape[2]
        if first == last:
            return
        before = (*self._arguments(first, self._work[k]), self._plan.state_bytes)
        given = u[first, start:].ctypes.data, u.strides[0], inputs
        out = scores[first, start:].ctypes.data, scores.strides[0]
        if u.shape[1] == 1 and sent is None:
            kernels.streams(*before, *given, *out, last - first)
            return
        kept = (0, 0, 0)
        if sent is not None:
            kept = sent[first, 0, start:].ctypes.data, sent.strides[0], sent.shape[2]
        kernels.tokens(*before, *given, length, *out, self._classes, *kept, last - first)
