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
from ns4d.jit import kept, stamp

TOKENS = p.TOKENS
LONG = 4  # shorter chunks are run as single tokens, which read the parameters as often
OK, BAD_TOKEN, TOO_MANY = 0, 1, 2
NEAREST_MAX = 2.0**62
TOKEN, CHUNK, TABLE, OUTPUTS = p.TOKEN, p.CHUNK, 8 * p.COLUMNS, p.OUTPUTS

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


STAMP = stamp(Path(__file__).parent)


@cache
def _compiled(path: int, chunks: bool) -> Any:
    reads = path in (p.READ_PAIRS, p.READ_PLAIN)
    signature = types.void(*[types.intp] * (READ_ARGUMENTS if reads else ARGUMENTS))
    kernel = KERNELS[path][chunks](STAMP)
    return kept(partial(cfunc, signature, error_model="numpy"), kernel)


def address(path: int, chunks: bool) -> int:
    """Where the kernel of a path stands, compiled if need be.

    Args:
        path: A value of the table's column OP.
        chunks: The kernel for many tokens instead of the one for single tokens.
    """
    return _compiled(path, chunks).address


@njit(error_model="numpy", nogil=True, forceinline=True)
def walk(table, nodes, parameters, state, apart, scored, messages, stride, count, room, scores):
    """So many rows of messages through the whole program: tokens of one stream, or streams.

    The messages of node k in row t stand at (k·TOKENS + t)·stride. `apart` is the distance from
    the state of one row to that of the next: 0 if all rows are tokens of one stream. The number
    of tokens seen stands behind r and is raised with it, so a state is whole whenever this returns.
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
    source, r = messages + far * nodes, state + scored
    counted = r + 8 * load_i64(row, 8 * OUTPUTS)
    seen, tick = load_i64(counted, 0), (1 if apart == 0 else 0)
    invoke(
        load_i64(row, 8 * TOKEN),
        (row, parameters, r, apart, scores, source, stride, count, room, seen + 1, tick),
    )
    if apart == 0:
        store(counted, 0, seen + count)
    else:
        for t in range(count):
            store(counted, apart * t, seen + 1)


@njit(error_model="numpy", forceinline=True)
def admit(messages, stride, u, inputs, count, far):
    """So many rows of int64 messages, `far` apart, into the first rows."""
    for t in range(count):
        for i in range(inputs):
            store(messages, stride * t + 4 * i, np.int32(load_i64(u, far * t + 8 * i)))


@njit(error_model="numpy", forceinline=True)
def keep(messages, stride, nodes, count, sent, far):
    """The messages of every node to `sent`, where those of the next node stand `far` on."""
    for k in range(nodes):
        source = messages + stride * TOKENS * (k + 1)
        for at in range(0, stride * count, 8):
            store(sent + far * k, at, load_i64(source, at))


@njit(error_model="numpy", forceinline=True)
def one(context):
    """The token whose messages stand in the first row, through the program of a context."""
    walk(
        load_i64(context, 0), load_i64(context, 8), load_i64(context, 16), load_i64(context, 24), 0,
        load_i64(context, 32), load_i64(context, 40), load_i64(context, 48), 1,
        load_i64(context, 56), load_i64(context, 64),
    )  # fmt: skip


@njit(error_model="numpy", forceinline=True)
def quantized(value, offset, scale, largest):
    """(0) for one finite value."""
    v = (value - offset) / scale
    size = min(abs(v), NEAREST_MAX)
    whole = np.floor(size)
    if size - whole >= 0.5:
        whole += 1.0
    m = np.int32(min(whole, np.float64(largest)))
    return -m if v < 0 else m


@njit(error_model="numpy", forceinline=True)
def full(context):
    """Whether the stream has seen as many tokens as its scores are proved safe for."""
    counted = load_i64(context, 24) + load_i64(context, 32) + load_i64(context, 112)
    return load_i64(counted, 0) >= load_i64(context, 120)


def _singles(stamp: str) -> tuple[Any, Any]:
    """The ways in for one token; `stamp` is part of their closure, hence of their cache key.

    All arguments stand in an array, the context, whose address is passed: a call is then mostly
    the work itself.
    """

    def token(context):
        """One raw token of one stream: (0), then the program. Nothing changes if it is illegal."""
        raw, quantizer = load_i64(context, 72), load_i64(context, 80)
        inputs, largest = load_i64(context, 88), load_i64(context, 96)
        for i in range(inputs if stamp else 0):
            if not np.isfinite(load_f64(raw, 8 * i)):
                return BAD_TOKEN
        if full(context):
            return TOO_MANY
        for i in range(inputs):
            offset, scale = load_f64(quantizer, 8 * i), load_f64(quantizer, 8 * (inputs + i))
            m = quantized(load_f64(raw, 8 * i), offset, scale, largest)
            store(load_i64(context, 40), 4 * i, m)
        one(context)
        return OK

    def message(context):
        """One token that is quantized already; the same otherwise."""
        whole, inputs = load_i64(context, 104), load_i64(context, 88)
        largest = load_i64(context, 96)
        for i in range(inputs if stamp else 0):
            m = load_i64(whole, 8 * i)
            if m > largest or m < -largest:
                return BAD_TOKEN
        if full(context):
            return TOO_MANY
        admit(load_i64(context, 40), 0, whole, inputs, 1, 0)
        one(context)
        return OK

    return kept(ENTRY, token), kept(ENTRY, message)


def _batches(stamp: str) -> tuple[Any, Any]:
    """The ways in for many; rows of `u` and `scores` are `u_far` and `scores_far` bytes apart."""

    def tokens(
        table, nodes, parameters, state, scored, messages, stride, room, apart, u, u_far, inputs,
        length, scores, scores_far, classes, sent, sent_far, sent_length, many,
    ):  # fmt: skip
        """So many tokens of each of many streams; messages are kept at `sent` unless that is 0."""
        for b in range(many if stamp else 0):
            at, given, out = state + apart * b, u + u_far * b, scores + scores_far * b
            for start in range(0, length, TOKENS):
                count = min(TOKENS, length - start)
                admit(messages, stride, given + 8 * inputs * start, inputs, count, 8 * inputs)
                walk(
                    table, nodes, parameters, at, 0, scored, messages, stride, count, room,
                    out + 8 * classes * start,
                )  # fmt: skip
                if sent:
                    to = sent + sent_far * b + stride * start
                    keep(messages, stride, nodes, count, to, stride * sent_length)

    def streams(
        table, nodes, parameters, state, scored, messages, stride, room, apart, u, u_far, inputs,
        scores, scores_far, many,
    ):  # fmt: skip
        """One token of each stream: a block of parameters serves many streams while it is hot."""
        for start in range(0, many if stamp else 0, TOKENS):
            some = min(TOKENS, many - start)
            admit(messages, stride, u + u_far * start, inputs, some, u_far)
            walk(
                table, nodes, parameters, state + apart * start, apart, scored, messages, stride,
                some, room, scores + scores_far * start,
            )  # fmt: skip

    return kept(ENTRY, tokens), kept(ENTRY, streams)


ENTRY = partial(njit, error_model="numpy", nogil=True)
token, message = _singles(STAMP)
tokens, streams = _batches(STAMP)
