"""Kernels of everything without a state: descale (4), dense (5), read-out (6), add (10).

A dense layer reads its messages in pairs, keeps the pairs that are not both zero, and adds
W_o,2k·m_2k + W_o,2k+1·m_2k+1 for eight outputs at once. About half of all messages are zero after
ReLU, so about a quarter of the pairs is skipped. Four blocks of eight outputs are summed at a time;
their weights for all pairs stand together, so that memory is read from front to back.

All arguments are integers: addresses and byte offsets, see `ns4d.engines.native.kernels`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

from ns4d.engines.native.lanes import (
    f64_of_high,
    f64_of_low,
    floor,
    fma,
    i16_of_i32,
    i32_of_f64,
    larger,
    load_f64,
    load_f64x4,
    load_i16x16,
    load_i32,
    load_i32x8,
    load_i64,
    pair_products,
    smaller,
    splat_i32x8,
    store,
)
from ns4d.engines.native.plan import BLOCKS, DESCALE, INPUTS, OUTPUTS, RELU, SHIFT, SOURCE, WEIGHTS

INLINE: dict[str, Any] = {"error_model": "numpy", "forceinline": True}


@njit(**INLINE)
def column(row, k):
    """A number of the table."""
    return load_i64(row, 8 * k)


@njit(**INLINE)
def descale_four(scale, v, target):
    """(4) for four channels in double precision; rows of 64 bytes: gain, half, low, high."""
    m = floor(fma(v, load_f64x4(scale, 0), load_f64x4(scale, 64)))
    m = smaller(larger(m, load_f64x4(scale, 128)), load_f64x4(scale, 192))
    store(target, 0, i32_of_f64(m))


@njit(**INLINE)
def descale_one(row, parameters, k, v, target):
    """(4) for channel k in int64, from either form of the parameters."""
    scale, shift = parameters + column(row, DESCALE), column(row, SHIFT)
    if shift < 0:
        m = (v * load_i64(scale, 8 + 8 * k) + load_i64(scale, 0)) >> (-1 - shift)
        high = load_i64(scale, 8 + 8 * (column(row, OUTPUTS) + k))
    else:
        at = scale + 256 * (k // 8) + 8 * (k % 8)
        m = np.int64(np.floor(v * load_f64(at, 0) + load_f64(at, 64)))
        high = np.int64(load_f64(at, 192))
    low = np.int64(0) if column(row, RELU) else -high
    store(target, 4 * k, np.int32(min(max(m, low), high)))


@njit(**INLINE)
def sum_pairs(row, parameters, source, room, sums):
    """The sums of (5), as int32 at `sums`; `room` takes the pairs that are not both zero."""
    count = 0
    for k in range((column(row, INPUTS) + 1) // 2):
        m, after = load_i32(source, 8 * k), load_i32(source, 8 * k + 4)
        word = np.int32((m & 0xFFFF) | (after << 16))
        store(room, 16 * count, np.int64(word))
        store(room, 16 * count + 8, np.int64(128 * k))
        count += word != 0
    blocks = 4 * ((column(row, BLOCKS) + 3) // 4)
    start = parameters + column(row, WEIGHTS)
    weights, apart = start + 32 * blocks, 128 * ((column(row, INPUTS) + 1) // 2)
    for first in range(0, blocks, 4):
        at = start + 32 * first
        a, b, c, d = (
            load_i32x8(at, 0),
            load_i32x8(at, 32),
            load_i32x8(at, 64),
            load_i32x8(at, 96),
        )
        for k in range(count):
            m = i16_of_i32(splat_i32x8(np.int32(load_i64(room, 16 * k))))
            w = weights + load_i64(room, 16 * k + 8)
            a = a + pair_products(m, load_i16x16(w, 0))
            b = b + pair_products(m, load_i16x16(w, 32))
            c = c + pair_products(m, load_i16x16(w, 64))
            d = d + pair_products(m, load_i16x16(w, 96))
        weights += apart
        at = sums + 32 * first
        store(at, 0, a)
        store(at, 32, b)
        store(at, 64, c)
        store(at, 96, d)


@njit(**INLINE)
def sum_plain(row, parameters, source, k):
    """The sum of (5) for output k in int64."""
    inputs, outputs = column(row, INPUTS), column(row, OUTPUTS)
    start = parameters + column(row, WEIGHTS)
    v, weights = load_i64(start, 8 * k), start + 8 * (outputs + k * inputs)
    for i in range(inputs):
        v += load_i64(weights, 8 * i) * load_i32(source, 4 * i)
    return v


def dense_pairs(stamp: str) -> Callable[..., None]:
    """The kernel of (5) with (4)."""

    def dense(row, parameters, state, apart, messages, source, target, stride, count, room):
        blocks, sums = column(row, BLOCKS), room + 64 * ((column(row, INPUTS) + 3) // 4)
        for t in range(count if stamp else 0):
            to = target + stride * t
            sum_pairs(row, parameters, source + stride * t, room, sums)
            if column(row, SHIFT) < 0:
                for k in range(column(row, OUTPUTS)):
                    descale_one(row, parameters, k, np.int64(load_i32(sums, 4 * k)), to)
            else:
                for block in range(blocks):
                    v, at = load_i32x8(sums, 32 * block), to + 32 * block
                    scale = parameters + column(row, DESCALE) + 256 * block
                    descale_four(scale, f64_of_low(v), at)
                    descale_four(scale + 32, f64_of_high(v), at + 16)

    return dense


def dense_plain(stamp: str) -> Callable[..., None]:
    """The kernel of (5) with (4) in int64."""

    def dense(row, parameters, state, apart, messages, source, target, stride, count, room):
        for t in range(count if stamp else 0):
            for k in range(column(row, OUTPUTS)):
                v = sum_plain(row, parameters, source + stride * t, k)
                descale_one(row, parameters, k, v, target + stride * t)

    return dense


def add_plain(stamp: str) -> Callable[..., None]:
    """The kernel of (10) with (4) in int64."""

    def add(row, parameters, state, apart, messages, source, target, stride, count, room):
        channels, weights = column(row, OUTPUTS), parameters + column(row, WEIGHTS)
        skip = messages + column(row, SOURCE) * (target - source)
        for t in range(count if stamp else 0):
            for k in range(channels):
                at = stride * t + 4 * k
                v = load_i64(weights, 8 * k) * load_i32(source, at)
                v += load_i64(weights, 8 * (channels + k)) * load_i32(skip, at)
                descale_one(row, parameters, k, v, target + stride * t)

    return add


def read_out(pairs: bool, stamp: str) -> Callable[..., None]:
    """The kernel of (6); `seen` counts the first of the tokens, `tick` is 0 if all are as many."""

    def accumulate(row, parameters, r, apart, scores, source, stride, count, room, seen, tick):
        outputs, sums = column(row, OUTPUTS), room + 64 * ((column(row, INPUTS) + 3) // 4)
        bias = parameters + column(row, DESCALE)
        for t in range(count if stamp else 0):
            at, total, out = source + stride * t, r + apart * t, scores + 8 * outputs * t
            if pairs:
                sum_pairs(row, parameters, at, room, sums)
            for k in range(outputs):
                added = (
                    np.int64(load_i32(sums, 4 * k)) if pairs else sum_plain(row, parameters, at, k)
                )
                value = load_i64(total, 8 * k) + added
                store(total, 8 * k, value)
                store(out, 8 * k, value + (seen + tick * t) * load_i64(bias, 8 * k))

    return accumulate
