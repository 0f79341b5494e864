"""Neurons (1) to (4) under SUM_HALF_UP: exact sums of products, four channels at once.

A token works on 64-bit sums of 32-bit products. The half that rounds is added with the drive, and
a state proved to fit 32 bits is the low word of the sum shifted logically; the product instruction
ignores what stands above. Real and imaginary part share a 64-bit word in memory.

A chunk keeps the states in registers, where double precision needs fewer instructions; `pack`
allows it where every sum stays below 2^53.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numba import njit

from ns4d.engines.native.lanes import (
    f64_of_i32,
    f64_of_low_words,
    floor,
    fma,
    high_shorts,
    i32_of_f64,
    i64_of_f64,
    i64_of_i32,
    join_halves,
    join_shorts,
    load_f64x4,
    load_i32x4,
    load_i64x4,
    low_shorts,
    multiply_low,
    negative,
    shift_down,
    splat_f64x4,
    splat_i32x4,
    splat_i64x4,
    store,
)
from ns4d.engines.native.linear import INLINE, column, descale_four
from ns4d.engines.native.plan import BLOCKS, DESCALE, MODES, STATE, TOKENS, WEIGHTS

# Rows of a group's head, 32 bytes each: integers for tokens, powers of two for chunks.
DOWN, UP, HALF, DRIVE, DRIVE_UP, DIRECT, DIRECT_UP, OUT_UP, DOWN_OUT, HALF_OUT = range(0, 320, 32)
UNIT, UNIT_DRIVE, UNIT_OUT, UNIT_DIRECT = range(320, 448, 32)
HEAD = 448
PREPARED = 192  # bytes of one mode in double precision
# Versions: 32-bit coefficients with one drive per channel or one per mode; 16-bit coefficients,
# whose tokens have a kernel of their own in `ns4d.engines.native.short`.
PER_CHANNEL, PER_MODE, SHORT = 0, 1, 2
SIZE, STATES = (64, 96, 96), (32, 32, 64)
SHORT_HEAD = 384


@njit(**INLINE)
def group_at(row, group, version):
    """Bytes from the start of the parameters to a group's head, to its modes; to its states."""
    modes = column(row, MODES)
    if version == SHORT:  # two groups share a block of eight channels; the heads are behind all
        size, lane = SHORT_HEAD + SIZE[SHORT] * modes, 16 * (group % 2)
        head, w = size * column(row, BLOCKS) + HEAD * group, size * (group // 2) + SHORT_HEAD + lane
        return head, w, STATES[SHORT] * modes * (group // 2) + lane
    head = (HEAD + SIZE[version] * modes) * group
    return head, head + HEAD, STATES[version] * modes * group


@njit(**INLINE)
def drive_of(head, u, half, version):
    """What u adds to the real part of every mode, with the half that rounds."""
    if version == PER_MODE:
        return half
    return half + (multiply_low(load_i64x4(head, DRIVE), u) << load_i64x4(head, DRIVE_UP))


@njit(**INLINE)
def outgoing(head, u, y):
    """The sum of (3) before descaling: modes, D, rounding."""
    direct = multiply_low(load_i64x4(head, DIRECT), u) << load_i64x4(head, DIRECT_UP)
    v = (y << load_i64x4(head, OUT_UP)) + direct + load_i64x4(head, HALF_OUT)
    return f64_of_low_words(v >> load_i64x4(head, DOWN_OUT))


def tokens(version: int, stamp: str) -> Callable[..., None]:
    """The kernel for single tokens."""
    size, states_size = SIZE[version], STATES[version]

    def word(row, parameters, state, apart, messages, source, target, stride, count, room):
        modes, high = column(row, MODES) if stamp else 0, splat_i64x4(32)
        head, states = parameters + column(row, WEIGHTS), state + column(row, STATE)
        for group in range(2 * column(row, BLOCKS)):
            scale = parameters + column(row, DESCALE) + 256 * (group // 2) + 32 * (group % 2)
            for t in range(count):
                w, x, at = head + HEAD, states + apart * t, stride * t + 16 * group
                u = i64_of_i32(load_i32x4(source, at))
                down, up = load_i64x4(head, DOWN), load_i64x4(head, UP)
                half = load_i64x4(head, HALF)
                drive = drive_of(head, u, half, version)
                y, y_im = splat_i64x4(0), splat_i64x4(0)
                for _ in range(modes):
                    a_re, c_re, x_re = load_i64x4(w, 0), load_i64x4(w, 32), load_i64x4(x, 0)
                    a_im, x_im = a_re >> high, x_re >> high
                    re = multiply_low(a_re, x_re) - multiply_low(a_im, x_im) + drive  # (1)
                    im = multiply_low(a_re, x_im) + multiply_low(a_im, x_re) + half  # (2)
                    if version == PER_MODE:
                        re = re + multiply_low(load_i64x4(w, 64), u)
                        im = im + multiply_low(load_i64x4(w, 64) >> high, u)
                    new_re = re >> down
                    store(x, 0, join_halves(new_re, im << up))
                    y = y + multiply_low(c_re, new_re)  # (3)
                    y_im = y_im + multiply_low(c_re >> high, im >> down)
                    w += size
                    x += states_size
                descale_four(scale, outgoing(head, u, y - y_im), target + at)
            head += HEAD + size * modes
            states += states_size * modes

    return word


@njit(**INLINE)
def parts(words, unit):
    """Low and high words in double precision."""
    return f64_of_low_words(words) * unit, f64_of_low_words(words >> splat_i64x4(32)) * unit


@njit(**INLINE)
def prepare(w, unit, unit_out, version, to):
    """One mode's a, c, b in double precision, at `to`."""
    if version == SHORT:
        words, c = load_i32x4(w, 32), load_i32x4(w, 64)
        a_im, a_re = f64_of_i32(low_shorts(words)), f64_of_i32(high_shorts(words))
        c_re, c_im = f64_of_i32(low_shorts(c)), negative(f64_of_i32(high_shorts(c)))
    else:
        a_re, a_im = parts(load_i64x4(w, 0), splat_f64x4(1.0))
        c_re, c_im = parts(load_i64x4(w, 32), splat_f64x4(1.0))
    store(to, 0, a_re * unit)
    store(to, 32, a_im * unit)
    store(to, 64, c_re * unit_out)
    store(to, 96, c_im * unit_out)
    if version == PER_MODE:
        re, im = parts(load_i64x4(w, 64), unit)
        store(to, 128, re)
        store(to, 160, im)


@njit(**INLINE)
def step(k, x_re, x_im, u, y, per_mode):
    """One mode of four channels from its parameters at k: the new state, (3) added to y."""
    a, a_im, half = load_f64x4(k, 0), load_f64x4(k, 32), splat_f64x4(0.5)
    re, im = u, half
    if per_mode:
        re, im = fma(load_f64x4(k, 128), u, half), fma(load_f64x4(k, 160), u, half)
    new_re = floor(fma(a, x_re, fma(negative(a_im), x_im, re)))  # (1)
    new_im = floor(fma(a, x_im, fma(a_im, x_re, im)))  # (2)
    c, c_im = load_f64x4(k, 64), load_f64x4(k, 96)
    return new_re, new_im, fma(c, new_re, fma(negative(c_im), new_im, y))


@njit(**INLINE)
def recall(x, version):
    """A state in double precision."""
    if version == SHORT:
        low, high = load_i32x4(x, 0), load_i32x4(x, 32)
        re = (low_shorts(high) << splat_i32x4(np.int32(16))) + low_shorts(low)
        im = (high_shorts(high) << splat_i32x4(np.int32(16))) + high_shorts(low)
        return f64_of_i32(re), f64_of_i32(im)
    return parts(load_i64x4(x, 0), splat_f64x4(1.0))


@njit(**INLINE)
def keep(x, re, im, version):
    """A state back into memory."""
    if version == SHORT:
        by, half = splat_i32x4(np.int32(16)), splat_i32x4(np.int32(1 << 15))
        a, b = i32_of_f64(re), i32_of_f64(im)
        store(x, 0, join_shorts(a, b << by))
        store(x, 32, join_shorts(shift_down(a + half, by), b + half))
    else:
        store(x, 0, join_halves(i64_of_f64(re), i64_of_f64(im) << splat_i64x4(32)))


@njit(**INLINE)
def one_mode(k, x, room, count, version):
    """All tokens through one mode; rows of `room`: drive, then the sum of (3)."""
    re, im = recall(x, version)
    for t in range(count):
        at = room + 64 * t
        u, y = load_f64x4(at, 0), load_f64x4(at, 32)
        re, im, y = step(k, re, im, u, y, version == PER_MODE)
        store(at, 32, y)
    keep(x, re, im, version)


@njit(**INLINE)
def four_modes(k, x, apart, room, count, version):
    """The same for four modes at once: the latency of one hides behind the others."""
    per_mode = version == PER_MODE
    re, im = recall(x, version)
    re_1, im_1 = recall(x + apart, version)
    re_2, im_2 = recall(x + 2 * apart, version)
    re_3, im_3 = recall(x + 3 * apart, version)
    for t in range(count):
        at = room + 64 * t
        u, y, z = load_f64x4(at, 0), load_f64x4(at, 32), splat_f64x4(0.0)
        re, im, y = step(k, re, im, u, y, per_mode)
        re_1, im_1, z = step(k + PREPARED, re_1, im_1, u, z, per_mode)
        re_2, im_2, y = step(k + 2 * PREPARED, re_2, im_2, u, y, per_mode)
        re_3, im_3, z = step(k + 3 * PREPARED, re_3, im_3, u, z, per_mode)
        store(at, 32, y + z)
    keep(x, re, im, version)
    keep(x + apart, re_1, im_1, version)
    keep(x + 2 * apart, re_2, im_2, version)
    keep(x + 3 * apart, re_3, im_3, version)


@njit(**INLINE)
def begin(head, source, stride, room, count, per_mode):
    """The rows of `room` for one group."""
    half = splat_f64x4(0.5)
    b = f64_of_low_words(load_i64x4(head, DRIVE)) * load_f64x4(head, UNIT_DRIVE)
    d = f64_of_low_words(load_i64x4(head, DIRECT)) * load_f64x4(head, UNIT_DIRECT)
    for t in range(count):
        u = f64_of_i32(load_i32x4(source, stride * t))
        store(room, 64 * t, u if per_mode else fma(b, u, half))
        store(room, 64 * t + 32, fma(d, u, half))


def chunk(version: int, stamp: str) -> Callable[..., None]:
    """The kernel for many tokens."""
    size, apart_modes = SIZE[version], STATES[version]

    def word(row, parameters, state, apart, messages, source, target, stride, count, room):
        modes, k = column(row, MODES) if stamp else 0, room + 64 * TOKENS
        for group in range(2 * column(row, BLOCKS)):
            head, w, x = group_at(row, group, version)
            head += parameters + column(row, WEIGHTS)
            w += parameters + column(row, WEIGHTS)
            x += state + column(row, STATE)
            unit, unit_out = load_f64x4(head, UNIT), load_f64x4(head, UNIT_OUT)
            begin(head, source + 16 * group, stride, room, count, version == PER_MODE)
            for _ in range(modes // 4):
                for j in range(4):
                    prepare(w + size * j, unit, unit_out, version, k + PREPARED * j)
                four_modes(k, x, apart_modes, room, count, version)
                w += 4 * size
                x += 4 * apart_modes
            for _ in range(modes % 4):
                prepare(w, unit, unit_out, version, k)
                one_mode(k, x, room, count, version)
                w += size
                x += apart_modes
            scale = parameters + column(row, DESCALE) + 256 * (group // 2) + 32 * (group % 2)
            for t in range(count):
                v = floor(load_f64x4(room, 64 * t + 32))
                descale_four(scale, v, target + stride * t + 16 * group)

    return word
