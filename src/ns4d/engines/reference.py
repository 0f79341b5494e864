"""The reference engine: plain NumPy, one function per equation. It is the definition.

The equations are those of `ns4d.program.nodes`; docs/numerics.md says them in full. It is never
made faster at the cost of being read. Every sum is an int64, exact in any order:
`Program` and `Arithmetic` have proved that none can overflow.

Axes      b batch, h channel, n stored mode, l time step, i in, o out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import final

import numpy as np
from jaxtyping import Int64

from ns4d.engines.base import token_by_advance
from ns4d.engines.state import State, require_safe, require_state, zero_state
from ns4d.numerics import (
    SYNAPSE_SHIFT,
    Arithmetic,
    ProductRounding,
    saturate,
    shift_half_up,
    shift_toward_zero,
)
from ns4d.program import S4D, Add, Dense, Descale, Program
from ns4d.program.tokens import admit_streams

States = Int64[np.ndarray, "b h n"]


@final
class Reference:
    """The engine that all others must equal, bit by bit."""

    @property
    def name(self) -> str:
        """For reports and for errors."""
        return "reference"

    @property
    def batch(self) -> int:
        """Eight: the arrays of a layer then stay in the processor's cache."""
        return 8

    def load(self, program: Program, streams: int) -> ReferenceMachine:
        """A machine with so many streams in zero state."""
        return ReferenceMachine(program, zero_state(program, streams))

    def trace(
        self, program: Program, u: Int64[np.ndarray, "b l i"]
    ) -> dict[str, Int64[np.ndarray, "b l _"]]:
        """What every node sends at every token, from zero state; see `Engine.trace`."""
        require_safe(program, u.shape[1])
        state = zero_state(program, len(u))
        sent = {
            node.name: np.zeros((*u.shape[:2], node.outputs), np.int64) for node in program.nodes
        }
        for k in range(u.shape[1]):
            state, _, messages = advance(program, state, u[:, k])
            for name, m in messages.items():
                sent[name][:, k] = m
        return sent


@final
class ReferenceMachine:
    """A program with a state; see `Machine`."""

    def __init__(self, program: Program, state: State) -> None:
        self._program, self._state = program, state

    @property
    def program(self) -> Program:
        """What it runs."""
        return self._program

    @property
    def streams(self) -> int:
        """How many streams it holds."""
        return self._state.batch

    @property
    def state(self) -> State:
        """The state after the last token."""
        return self._state

    @state.setter
    def state(self, state: State) -> None:
        require_state(self._program, state, self.streams)
        self._state = state

    def advance(self, u: np.ndarray) -> Int64[np.ndarray, "b l classes"]:
        """So many tokens for every stream; see `Machine.advance`."""
        program = self._program
        u = admit_streams(program.arithmetic, program.input, u, self.streams)
        require_safe(self._program, self._state.tokens_seen + u.shape[1])
        scores = np.zeros((*u.shape[:2], len(self._program.classes)), np.int64)
        for k in range(u.shape[1]):
            self._state, scores[:, k], _ = advance(self._program, self._state, u[:, k])
        return scores

    def token(self, token: np.ndarray) -> Int64[np.ndarray, " classes"]:
        """One raw token into a machine of one stream; see `Machine.token`."""
        return token_by_advance(self, token)


def advance(
    program: Program, state: State, u: Int64[np.ndarray, "b i"]
) -> tuple[State, Int64[np.ndarray, "b classes"], dict[str, Int64[np.ndarray, "b _"]]]:
    """One token through the whole program: (1) to (6) in order.

    Args:
        program: What to run.
        state: Before the token.
        u: Messages from (0).

    Returns:
        The state after the token, the scores, and what each node sent.
    """
    m, sent = u, {}
    x_re, x_im = dict(state.x_re), dict(state.x_im)
    for node in program.nodes:
        if isinstance(node, Dense):
            v = accumulate(node.weight, m) + node.bias
        elif isinstance(node, Add):
            v = node.weight * m + node.skip * sent[node.source]
        else:
            update, reduce = NEURON[program.arithmetic.product_rounding]
            x = update(node, x_re[node.name], x_im[node.name], m)
            x_re[node.name], x_im[node.name] = (
                _sealed(saturate(part, program.arithmetic.state_bits)) for part in x
            )
            v = reduce(node, x_re[node.name], x_im[node.name], m)
        m = descale(program.arithmetic, node.descale, v)
        sent[node.name] = m
    r = _sealed(state.r + accumulate(program.readout.weight, m))
    after = State(x_re, x_im, r, state.tokens_seen + 1)
    return after, r + after.tokens_seen * program.readout.bias, sent


def update_each_toward_zero(
    node: S4D, x_re: States, x_im: States, u: Int64[np.ndarray, "b h"]
) -> tuple[States, States]:
    """(1), (2) before saturation: every product is shifted toward zero by itself."""
    t, sa, sb, u = shift_toward_zero, node.a_shift, node.b_shift[:, None], u[:, :, None]
    return (
        t(node.a_re * x_re, sa) - t(node.a_im * x_im, sa) + t(node.b_re * u, sb),
        t(node.a_re * x_im, sa) + t(node.a_im * x_re, sa) + t(node.b_im * u, sb),
    )


def reduce_each_toward_zero(
    node: S4D, x_re: States, x_im: States, u: Int64[np.ndarray, "b h"]
) -> Int64[np.ndarray, "b h"]:
    """(3), from the new state: every product is shifted toward zero by itself."""
    t, sc, sd = shift_toward_zero, node.c_shift[:, None], node.d_shift
    y = t(node.c_re * x_re, sc) - t(node.c_im * x_im, sc)
    return y.sum(axis=2) + t(node.d * u, sd)


def update_sum_half_up(
    node: S4D, x_re: States, x_im: States, u: Int64[np.ndarray, "b h"]
) -> tuple[States, States]:
    """(1), (2) before saturation: an exact sum over the larger exponent, shifted once."""
    sa, sb, u = node.a_shift, node.b_shift[:, None], u[:, :, None]
    s = np.maximum(sa, sb)
    re = ((node.a_re * x_re - node.a_im * x_im) << (s - sa)) + ((node.b_re * u) << (s - sb))
    im = ((node.a_re * x_im + node.a_im * x_re) << (s - sa)) + ((node.b_im * u) << (s - sb))
    return shift_half_up(re, s), shift_half_up(im, s)


def reduce_sum_half_up(
    node: S4D, x_re: States, x_im: States, u: Int64[np.ndarray, "b h"]
) -> Int64[np.ndarray, "b h"]:
    """(3), from the new state: an exact sum over the larger exponent, shifted once."""
    sc, sd = node.c_shift, node.d_shift
    s = np.maximum(sc, sd)
    y = (node.c_re * x_re - node.c_im * x_im).sum(axis=2)
    return shift_half_up((y << (s - sc)) + ((node.d * u) << (s - sd)), s)


def accumulate(
    weight: Int64[np.ndarray, "o i"], m: Int64[np.ndarray, "b i"]
) -> Int64[np.ndarray, "b o"]:
    """The sum of (5) and (6): Σ_i W_oi·m_i."""
    return m @ weight.T


def descale(
    arithmetic: Arithmetic, descale: Descale, v: Int64[np.ndarray, "b o"]
) -> Int64[np.ndarray, "b o"]:
    """(4): from accumulators to messages."""
    shifted = SYNAPSE_SHIFT[arithmetic.synapse_rounding](v * descale.multiplier, descale.shift)
    lowest = 0 if descale.relu else -descale.limit
    return np.clip(shifted, lowest, descale.limit)


Update = Callable[[S4D, np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
Reduce = Callable[[S4D, np.ndarray, np.ndarray, np.ndarray], np.ndarray]

NEURON: Mapping[ProductRounding, tuple[Update, Reduce]] = MappingProxyType(
    {
        ProductRounding.EACH_TOWARD_ZERO: (update_each_toward_zero, reduce_each_toward_zero),
        ProductRounding.SUM_HALF_UP: (update_sum_half_up, reduce_sum_half_up),
    }
)


def _sealed(array: np.ndarray) -> np.ndarray:
    """Read-only from here on, so that `State` need not copy it."""
    array.setflags(write=False)
    return array
