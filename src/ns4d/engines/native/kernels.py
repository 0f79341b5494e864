"""The compiled code: kernels by path, compiled when a program first needs them, kept on disk.

No kernel knows a shape: all walk the table of `ns4d.engines.native.plan`, so a new program costs no
compilation. Every argument is an integer, an address or an offset in bytes:

    row          of the table
    parameters   of the plan; state: of one stream; messages: of all nodes, see `walk`
    source       messages into the node; target: messages out of it
    stride       from the messages of one token to those of the next
    count        tokens; room: for sums and intermediate results
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numba import cfunc, njit, types

from ns4d.engines.native import plain, short, single, word
from ns4d.engines.native import plan as p
from ns4d.engines.native.lanes import invoke, load_f64, load_i64, store
from ns4d.engines.native.linear import (
    add_plain,
    dense_pairs,
    dense_plain,
    read_out,
)
from ns4d.engines.native.rounding_mode import HAS_MODE, TOWARD_ZERO, read_mode, write_mode

TOKENS = p.TOKENS
LONG = 4  # shorter chunks are run as single tokens, which read the parameters as often
OK, BAD_TOKEN = 0, 1
NEAREST_MAX = 2.0**62
TOKEN, CHUNK, TABLE = p.TOKEN, p.CHUNK, 8 * p.COLUMNS

Kernel = Callable[..., None]
Builder = Callable[[str], Kernel]

# Path -> what builds its kernel for single tokens, and that for chunks.
KERNELS: Mapping[int, tuple[Builder, ...]] = {
    **{
        p.SINGLE + 2 * per_mode + clamped: (
            partial(single.tokens, clamped, per_mode),
            partial(single.chunk, clamped, per_mode),
        )
        for clamped in (False, True)
        for per_mode in (False, True)
    },
    **{
        path: (partial(word.tokens, version), partial(word.chunk, version))
        for path, version in (
            (p.WORD, word.PER_CHANNEL),
            (p.WORD_MODES, word.PER_MODE),
        )
    },
    p.SHORT: (short.tokens, partial(word.chunk, word.SHORT)),
    p.PLAIN_EACH: (partial(plain.neurons, True),) * 2,
    p.PLAIN_SUM: (partial(plain.neurons, False),) * 2,
    p.PAIRS: (dense_pairs,) * 2,
    p.PLAIN_DENSE: (dense_plain,) * 2,
    p.PLAIN_ADD: (add_plain,) * 2,
    p.READ_PAIRS: (partial(read_out, True),) * 2,
    p.READ_PLAIN: (partial(read_out, False),) * 2,
}
ARGUMENTS, READ_ARGUMENTS = 10, 11


@cache
def _stamp() -> str:
    """Of all sources in this folder: Numba's disk cache looks at one file only."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


@cache
def _compiled(path: int, chunks: bool) -> Any:
    reads = path in (p.READ_PAIRS, p.READ_PLAIN)
    signature = types.void(*[types.intp] * (READ_ARGUMENTS if reads else ARGUMENTS))
    kernel = KERNELS[path][chunks](_stamp())
    try:
        return cfunc(signature, error_model="numpy", cache=True)(kernel)
    except RuntimeError:  # no folder can be written: compile in every process
        return cfunc(signature, error_model="numpy")(kernel)


def address(path: int, chunks: bool) -> int:
    """Where the kernel of a path stands, compiled if need be.

    Args:
        path: A value of the table's column OP.
        chunks: The kernel for many tokens instead of the one for single tokens.
    """
    return _compiled(path, chunks).address


@njit(error_model="numpy", nogil=True, forceinline=True)
def walk(
    table, nodes, parameters, state, apart, scored, messages, stride, count, room, seen, scores
):
    """So many rows of messages through the whole program: tokens of one stream, or streams.

    The messages of node k in row t stand at (k·TOKENS + t)·stride. `apart` is the distance from
    the state of one row to that of the next: 0 if all rows are tokens of one stream.
    """
    chunk = count >= LONG and apart == 0
    kind, far = (CHUNK if chunk else TOKEN), TOKENS * stride
    if HAS_MODE:
        mode = read_mode()
        write_mode(mode | np.uint32(TOWARD_ZERO))
    row = table
    for k in range(nodes):
        source = messages + far * k
        invoke(
            load_i64(row, 8 * kind),
            (row, parameters, state, apart, messages, source, source + far, stride, count, room),
        )
        row += TABLE
    if HAS_MODE:
        write_mode(mode)
    source, tick = messages + far * nodes, (1 if apart == 0 else 0)
    invoke(
        load_i64(row, 8 * TOKEN),
        (
            row,
            parameters,
            state + scored,
            apart,
            scores,
            source,
            stride,
            count,
            room,
            seen + 1,
            tick,
        ),
    )


@njit(error_model="numpy", forceinline=True)
def admit(messages, stride, u, inputs, count):
    """So many rows of int64 messages into the first rows."""
    for t in range(count):
        for i in range(inputs):
            store(messages, stride * t + 4 * i, np.int32(load_i64(u, 8 * (t * inputs + i))))


@njit(error_model="numpy", forceinline=True)
def keep(messages, stride, nodes, count, sent, far):
    """The messages of every node to `sent`, where those of the next node stand `far` on."""
    for k in range(nodes):
        source = messages + stride * TOKENS * (k + 1)
        for at in range(0, stride * count, 8):
            store(sent + far * k, at, load_i64(source, at))


@njit(error_model="numpy", forceinline=True)
def one(context, seen):
    """The token whose messages stand in the first row, through the program of a context."""
    walk(
        load_i64(context, 0), load_i64(context, 8), load_i64(context, 16), load_i64(context, 24), 0,
        load_i64(context, 32), load_i64(context, 40), load_i64(context, 48), 1,
        load_i64(context, 56), seen, load_i64(context, 64),
    )  # fmt: skip


def _singles(stamp: str) -> tuple[Any, Any]:
    """The ways in for one token; `stamp` is part of their closure, hence of their cache key.

    All arguments but one stand in an array, the context, whose address is passed: a call is then
    mostly the work itself.
    """

    @njit(cache=True, error_model="numpy", nogil=True)
    def token(context, seen):
        """One raw token of one stream: (0), then the program. Nothing changes if it is illegal."""
        raw, quantizer = load_i64(context, 72), load_i64(context, 80)
        inputs, largest = load_i64(context, 88), load_i64(context, 96)
        messages = load_i64(context, 40)
        for i in range(inputs if stamp else 0):
            if not np.isfinite(load_f64(raw, 8 * i)):
                return BAD_TOKEN
        for i in range(inputs):
            offset, scale = load_f64(quantizer, 8 * i), load_f64(quantizer, 8 * (inputs + i))
            v = (load_f64(raw, 8 * i) - offset) / scale
            size = min(abs(v), NEAREST_MAX)
            whole = np.floor(size)
            if size - whole >= 0.5:
                whole += 1.0
            m = np.int32(min(whole, np.float64(largest)))
            store(messages, 4 * i, -m if v < 0 else m)
        one(context, seen)
        return OK

    @njit(cache=True, error_model="numpy", nogil=True)
    def message(context, seen):
        """One token that is quantized already; the same otherwise."""
        whole, inputs, largest = (
            load_i64(context, 104),
            load_i64(context, 88),
            load_i64(context, 96),
        )
        for i in range(inputs if stamp else 0):
            if abs(load_i64(whole, 8 * i)) > largest:
                return BAD_TOKEN
        admit(load_i64(context, 40), 0, whole, inputs, 1)
        one(context, seen)
        return OK

    return token, message


def _batches(stamp: str) -> tuple[Any, Any]:
    """The ways in for many."""

    @njit(cache=True, error_model="numpy", nogil=True)
    def tokens(
        table, nodes, parameters, state, scored, messages, stride, room, u, inputs, length, seen,
        scores, classes, sent,
    ):  # fmt: skip
        """All tokens of one stream; messages are kept at `sent` unless that is 0."""
        for start in range(0, length if stamp else 0, TOKENS):
            count = min(TOKENS, length - start)
            admit(messages, stride, u + 8 * inputs * start, inputs, count)
            out, done = scores + 8 * classes * start, seen + start
            walk(
                table, nodes, parameters, state, 0, scored, messages, stride, count, room, done, out
            )
            if sent:
                keep(messages, stride, nodes, count, sent + stride * start, stride * length)

    @njit(cache=True, error_model="numpy", nogil=True)
    def streams(
        table, nodes, parameters, state, scored, messages, stride, room, u, inputs, count, apart,
        seen, scores, classes,
    ):  # fmt: skip
        """One token of each stream: a block of parameters serves many streams while it is hot."""
        for start in range(0, count if stamp else 0, TOKENS):
            some, at = min(TOKENS, count - start), state + apart * start
            admit(messages, stride, u + 8 * inputs * start, inputs, some)
            out = scores + 8 * classes * start
            walk(
                table, nodes, parameters, at, apart, scored, messages, stride, some, room, seen, out
            )

    return tokens, streams


token, message = _singles(_stamp())
tokens, streams = _batches(_stamp())
