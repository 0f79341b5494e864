"""Neurons (1) to (4) under EACH_TOWARD_ZERO in single precision, eight channels at once.

With the processor rounding toward zero, trunc(fl(a·x)) is t(a·x, s) for a scaled by 2^-s: see
`ns4d.engines.native.rounding_mode`. `pack` takes this path where no result exceeds 24 bits. A sum
beyond 2^24 may lose its last bits, but saturates all the same.

A token streams parameters and states through the core once; a chunk keeps four modes in registers
over all its tokens. There are four versions of each: with clamps or proved free of saturation,
with one drive per channel (b folded into c) or one per mode.

A node that may saturate seldom does, and a chunk can tell beforehand: with |a| <= 1, T tokens take
a state no further than

    |x| <= |re x_0| + |im x_0| + Σ_t |t(b·u_t)| + 2 T                                         (7)

since a product cut toward zero adds less than 1 to either part. Up to that bound no clamp would
act, and the version without them runs.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numba import njit

from ns4d.engines.native.lanes import (
    f32_of_i32,
    f64_of_high,
    f64_of_low,
    i32_of_f32,
    larger,
    load_f32x8,
    load_i32x8,
    load_i64,
    negative,
    smaller,
    splat_f32x8,
    store,
    trunc,
)
from ns4d.engines.native.linear import INLINE, column, descale_four
from ns4d.engines.native.plan import (
    BLOCKS,
    DESCALE,
    HEADROOM,
    MODES,
    STATE,
    STATE_MAX,
    TOKENS,
    WEIGHTS,
)

HEAD, STATES = 64, 64


@njit(**INLINE)
def step(w, re, im, u, top, clamped, per_mode):
    """One mode of eight channels: the new state, and its part of (3) as integers.

    Sums of (3) are integers because the processor adds those on pipes that (1) and (2) leave free.
    """
    a_re, a_im = load_f32x8(w, 0), load_f32x8(w, 32)
    new_re = trunc(a_re * re) - trunc(a_im * im)  # (1)
    new_im = trunc(a_re * im) + trunc(a_im * re)  # (2)
    if per_mode:
        new_re = new_re + trunc(load_f32x8(w, 128) * u)
        new_im = new_im + trunc(load_f32x8(w, 160) * u)
    else:
        new_re = new_re + u
    if clamped:
        low = negative(top)
        new_re = smaller(larger(new_re, low), top)
        new_im = smaller(larger(new_im, low), top)
    y = i32_of_f32(load_f32x8(w, 64) * new_re) - i32_of_f32(load_f32x8(w, 96) * new_im)
    return new_re, new_im, y


@njit(**INLINE)
def one_mode(w, x, room, count, top, clamped, per_mode):
    """All tokens through one mode; rows of `room`: drive, then the sum of (3)."""
    re, im = load_f32x8(x, 0), load_f32x8(x, 32)
    for t in range(count):
        at = room + 64 * t
        re, im, y = step(w, re, im, load_f32x8(at, 0), top, clamped, per_mode)
        store(at, 32, load_i32x8(at, 32) + y)
    store(x, 0, re)
    store(x, 32, im)


@njit(**INLINE)
def four_modes(w, size, x, room, count, top, clamped, per_mode):
    """The same for four modes at once: the latency of one hides behind the others."""
    re, im = load_f32x8(x, 0), load_f32x8(x, 32)
    re_1, im_1 = load_f32x8(x, 64), load_f32x8(x, 96)
    re_2, im_2 = load_f32x8(x, 128), load_f32x8(x, 160)
    re_3, im_3 = load_f32x8(x, 192), load_f32x8(x, 224)
    for t in range(count):
        at = room + 64 * t
        u = load_f32x8(at, 0)
        re, im, y = step(w, re, im, u, top, clamped, per_mode)
        re_1, im_1, y_1 = step(w + size, re_1, im_1, u, top, clamped, per_mode)
        re_2, im_2, y_2 = step(w + 2 * size, re_2, im_2, u, top, clamped, per_mode)
        re_3, im_3, y_3 = step(w + 3 * size, re_3, im_3, u, top, clamped, per_mode)
        store(at, 32, load_i32x8(at, 32) + ((y + y_1) + (y_2 + y_3)))
    store(x, 0, re)
    store(x, 32, im)
    store(x, 64, re_1)
    store(x, 96, im_1)
    store(x, 128, re_2)
    store(x, 160, im_2)
    store(x, 192, re_3)
    store(x, 224, im_3)


@njit(**INLINE)
def size_of(v):
    """The magnitude of each lane."""
    return larger(v, negative(v))


@njit(**INLINE)
def furthest(x, lane_sums):
    """(7) without 2 T, for the largest of four modes."""
    most = size_of(load_f32x8(x, 0)) + size_of(load_f32x8(x, 32))
    for at in (64, 128, 192):
        most = larger(most, size_of(load_f32x8(x, at)) + size_of(load_f32x8(x, at + 32)))
    return most + lane_sums


@njit(**INLINE)
def all_within(v, limit, room):
    """Whether no lane exceeds the limit. Sums are exact below 2^24 and stay above once there."""
    store(room, 0, larger(v, limit) - limit)
    above = load_i64(room, 0) | load_i64(room, 8) | load_i64(room, 16) | load_i64(room, 24)
    return above == 0


@njit(**INLINE)
def send(scale, v, target):
    """(4) for eight channels."""
    descale_four(scale, f64_of_low(v), target)
    descale_four(scale + 32, f64_of_high(v), target + 16)


@njit(**INLINE)
def largest(row):
    """The clamp of eight states."""
    return splat_f32x8(np.float32(column(row, STATE_MAX)))


def tokens(clamped: bool, per_mode: bool, stamp: str) -> Callable[..., None]:
    """The kernel for single tokens."""
    size = 192 if per_mode else 128

    def single(row, parameters, state, apart, messages, source, target, stride, count, room):
        modes, top = column(row, MODES) if stamp else 0, largest(row)
        head, states = parameters + column(row, WEIGHTS), state + column(row, STATE)
        scale = parameters + column(row, DESCALE)
        for block in range(column(row, BLOCKS)):
            for t in range(count):
                w, x, at = head + HEAD, states + apart * t, stride * t + 32 * block
                m = f32_of_i32(load_i32x8(source, at))
                u = m if per_mode else trunc(load_f32x8(head, 0) * m)
                v = i32_of_f32(load_f32x8(head, 32) * m)
                for _ in range(modes):
                    re, im = load_f32x8(x, 0), load_f32x8(x, 32)
                    re, im, y = step(w, re, im, u, top, clamped, per_mode)
                    store(x, 0, re)
                    store(x, 32, im)
                    v = v + y
                    w += size
                    x += STATES
                send(scale, v, target + at)
            head += HEAD + size * modes
            states += STATES * modes
            scale += 256

    return single


def chunk(clamped: bool, per_mode: bool, stamp: str) -> Callable[..., None]:
    """The kernel for many tokens."""
    size = 192 if per_mode else 128

    def single(row, parameters, state, apart, messages, source, target, stride, count, room):
        modes, top = column(row, MODES) if stamp else 0, largest(row)
        w, x = parameters + column(row, WEIGHTS), state + column(row, STATE)
        scale = parameters + column(row, DESCALE)
        limit = splat_f32x8(np.float32(column(row, HEADROOM) - 2 * TOKENS))
        for block in range(column(row, BLOCKS)):
            drive, direct = load_f32x8(w, 0), load_f32x8(w, 32)
            driven = splat_f32x8(np.float32(0.0))
            w += HEAD
            for t in range(count):
                m = f32_of_i32(load_i32x8(source, stride * t + 32 * block))
                u = m if per_mode else trunc(drive * m)
                driven = driven + size_of(u)
                store(room, 64 * t, u)
                store(room, 64 * t + 32, i32_of_f32(direct * m))
            for _ in range(modes // 4):
                far = furthest(x, driven)
                # (7) knows one drive per channel; where each mode has its own, clamps stay.
                calm = not per_mode and all_within(far, limit, room + 64 * TOKENS)
                if calm or not clamped:
                    four_modes(w, size, x, room, count, top, False, per_mode)
                else:
                    four_modes(w, size, x, room, count, top, True, per_mode)
                w += 4 * size
                x += 4 * STATES
            for _ in range(modes % 4):
                one_mode(w, x, room, count, top, clamped, per_mode)
                w += size
                x += STATES
            for t in range(count):
                send(scale, load_i32x8(room, 64 * t + 32), target + stride * t + 32 * block)
            scale += 256

    return single
