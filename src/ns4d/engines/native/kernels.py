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
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numba import cfunc, njit, types

from ns4d.engines.native import plain, single, word
from ns4d.engines.native import plan as p
from ns4d.engines.native.lanes import invoke, load_f64, load_i64, store
from ns4d.engines.native.linear import (
    add_plain,
    dense_pairs,
    dense_plain,
    read_out_pairs,
    read_out_plain,
)
from ns4d.engines.native.rounding_mode import HAS_MODE, TOWARD_ZERO, read_mode, write_mode

TOKENS = 64  # of a chunk: its messages and sums then stay in the first cache
LONG = 4  # shorter chunks are run as single tokens, which read the parameters as often
OK, BAD_TOKEN = 0, 1
NEAREST_MAX = 2.0**62
TOKEN, CHUNK, TABLE = p.TOKEN, p.CHUNK, 8 * p.COLUMNS

Kernel = Callable[..., None]


def _fixed(kernel: Kernel) -> Callable[[str], Kernel]:
    return lambda stamp: kernel


# Path -> builders for single tokens, for chunks.
KERNELS: Mapping[int, tuple[Callable[[str], Kernel], Callable[[str], Kernel]]] = {
    p.SINGLE + 2 * per_mode + clamped: (
        lambda stamp, c=clamped, m=per_mode: single.tokens(c, m, stamp),
        lambda stamp, c=clamped, m=per_mode: single.chunk(c, m, stamp),
    )
    for clamped in (False, True)
    for per_mode in (False, True)
} | {
    p.WORD + per_mode: (
        lambda stamp, m=per_mode: word.tokens(m, stamp),
        lambda stamp, m=per_mode: word.chunk(m, stamp),
    )
    for per_mode in (False, True)
} | {
    path: (builder, builder)
    for path, builder in {
        p.PLAIN_EACH: lambda stamp: plain.neurons(True, stamp),
        p.PLAIN_SUM: lambda stamp: plain.neurons(False, stamp),
        p.PAIRS: _fixed(dense_pairs),
        p.PLAIN_DENSE: _fixed(dense_plain),
        p.PLAIN_ADD: _fixed(add_plain),
        p.READ_PAIRS: _fixed(read_out_pairs),
        p.READ_PLAIN: _fixed(read_out_plain),
    }.items()
}  # fmt: skip

_SIGNATURE = types.void(*[types.intp] * 9)


@cache
def _stamp() -> str:
    """Of all sources in this folder: Numba's disk cache looks at one file only."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


@cache
def _compiled(path: int, chunks: bool) -> Any:
    kernel = KERNELS[path][chunks](_stamp())
    return cfunc(_SIGNATURE, error_model="numpy", cache=True)(kernel)


def address(path: int, chunks: bool) -> int:
    """Where the kernel of a path stands, compiled if need be.

    Args:
        path: A value of the table's column OP.
        chunks: The kernel for many tokens instead of the one for single tokens.
    """
    return _compiled(path, chunks).address


@njit(error_model="numpy", nogil=True, forceinline=True)
def walk(table, nodes, parameters, state, r, messages, stride, count, room, seen, scores):
    """Tokens whose messages stand in the first rows, through the whole program.

    The messages of node k at token t stand at (k·TOKENS + t)·stride.
    """
    kind, far = (CHUNK if count >= LONG else TOKEN), TOKENS * stride
    if HAS_MODE:
        mode = read_mode()
        write_mode(mode | np.uint32(TOWARD_ZERO))
    row = table
    for k in range(nodes):
        source = messages + far * k
        invoke(
            load_i64(row, 8 * kind),
            (row, parameters, state, messages, source, source + far, stride, count, room),
        )
        row += TABLE
    if HAS_MODE:
        write_mode(mode)
    source = messages + far * nodes
    invoke(
        load_i64(row, 8 * TOKEN),
        (row, parameters, r, scores, source, seen, stride, count, room),
    )


def _entries(stamp: str) -> tuple[Any, Any]:
    """The ways in; `stamp` is part of their closure, hence of their key in the disk cache."""

    @njit(cache=True, error_model="numpy", nogil=True)
    def token(
        table, nodes, parameters, state, r, messages, stride, room, raw, quantizer, inputs,
        largest, seen, scores,
    ):  # fmt: skip
        """One raw token of one stream: (0), then the program. Nothing changes if it is illegal."""
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
        walk(table, nodes, parameters, state, r, messages, stride, 1, room, seen, scores)
        return OK

    @njit(cache=True, error_model="numpy", nogil=True)
    def advance(
        table, nodes, parameters, state, r, messages, stride, room, u, inputs, length, seen,
        scores, classes, sent,
    ):  # fmt: skip
        """All tokens of one stream; messages are kept at `sent` unless that is 0."""
        for start in range(0, length if stamp else 0, TOKENS):
            count = min(TOKENS, length - start)
            for t in range(count):
                for i in range(inputs):
                    m = np.int32(load_i64(u, 8 * ((start + t) * inputs + i)))
                    store(messages, stride * t + 4 * i, m)
            out, done = scores + 8 * classes * start, seen + start
            walk(
                table, nodes, parameters, state, r, messages, stride, count, room, done, out
            )  # fmt: skip
            if sent:
                words = stride // 8
                for k in range(nodes):
                    for j in range(count * words):
                        at = 8 * (((k + 1) * TOKENS) * words + j)
                        store(sent, 8 * ((k * length + start) * words + j), load_i64(messages, at))

    return token, advance


token, advance = _entries(_stamp())
