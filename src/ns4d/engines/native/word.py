"""Neurons (1) to (4) under SUM_HALF_UP: exact sums of products, four channels at once.

A token works on 64-bit sums of 32-bit products. The half that rounds is added with the drive, and
a state proved to fit 32 bits is the low word of the sum shifted logically; the product instruction
ignores what stands above. Real and imaginary part share a 64-bit word in memory.

A chunk keeps the states in registers, where double precision needs fewer instructions; `pack`
allows it where every sum stays below 2^53.
"""

from __future__ import annotations

from collections.abc import Callable

from numba import njit

from ns4d.engines.native.lanes import (
    f64_of_i32,
    f64_of_low_words,
    floor,
    fma,
    i64_of_f64,
    i64_of_i32,
    join_halves,
    load_f64x4,
    load_i32x4,
    load_i64x4,
    multiply_low,
    negative,
    splat_f64x4,
    splat_i64x4,
    store,
)
from ns4d.engines.native.linear import INLINE, column, descale_four
from ns4d.engines.native.plan import BLOCKS, DESCALE, MODES, STATE, WEIGHTS

# Rows of a group's head, 32 bytes each.
DOWN, UP, HALF, DRIVE, DIRECT, DOWN_OUT, HALF_OUT, UNIT, UNIT_OUT = range(0, 288, 32)
HEAD, STATES = 288, 32


def tokens(per_mode: bool, stamp: str) -> Callable[..., None]:
    """The kernel for single tokens."""
    size = 96 if per_mode else 64

    def word(row, parameters, state, apart, messages, source, target, stride, count, room):
        modes, high = column(row, MODES) if stamp else 0, splat_i64x4(32)
        head, states = parameters + column(row, WEIGHTS), state + column(row, STATE)
        for group in range(2 * column(row, BLOCKS)):
            scale = parameters + column(row, DESCALE) + 256 * (group // 2) + 32 * (group % 2)
            for t in range(count):
                w, x, at = head + HEAD, states + apart * t, stride * t + 16 * group
                u = i64_of_i32(load_i32x4(source, at))
                down, up, half = (
                    load_i64x4(head, DOWN),
                    load_i64x4(head, UP),
                    load_i64x4(head, HALF),
                )
                drive = half if per_mode else half + multiply_low(load_i64x4(head, DRIVE), u)
                v = load_i64x4(head, HALF_OUT) + multiply_low(load_i64x4(head, DIRECT), u)
                v_im = splat_i64x4(0)
                for _ in range(modes):
                    a_re, c_re, x_re = load_i64x4(w, 0), load_i64x4(w, 32), load_i64x4(x, 0)
                    a_im, x_im = a_re >> high, x_re >> high
                    re = multiply_low(a_re, x_re) - multiply_low(a_im, x_im) + drive  # (1)
                    im = multiply_low(a_re, x_im) + multiply_low(a_im, x_re) + half  # (2)
                    if per_mode:
                        re = re + multiply_low(load_i64x4(w, 64), u)
                        im = im + multiply_low(load_i64x4(w, 64) >> high, u)
                    new_re = re >> down
                    store(x, 0, join_halves(new_re, im << up))
                    v = v + multiply_low(c_re, new_re)  # (3)
                    v_im = v_im + multiply_low(c_re >> high, im >> down)
                    w += size
                    x += STATES
                total = f64_of_low_words((v - v_im) >> load_i64x4(head, DOWN_OUT))
                descale_four(scale, total, target + at)
            head += HEAD + size * modes
            states += STATES * modes

    return word


@njit(**INLINE)
def real_parts(words, unit):
    """Low and high words in double precision."""
    return f64_of_low_words(words) * unit, f64_of_low_words(words >> splat_i64x4(32)) * unit


@njit(**INLINE)
def drives(w, unit, per_mode):
    """The b of one mode; what stands there is not used where the channel has one for all."""
    return real_parts(load_i64x4(w, 64 if per_mode else 0), unit)


@njit(**INLINE)
def step(a, a_im, b, b_im, x_re, x_im, u, per_mode):
    """One mode of four channels: (1), (2)."""
    half = splat_f64x4(0.5)
    re, im = (fma(b, u, half), fma(b_im, u, half)) if per_mode else (u, half)
    new_re = floor(fma(a, x_re, fma(negative(a_im), x_im, re)))
    return new_re, floor(fma(a, x_im, fma(a_im, x_re, im)))


@njit(**INLINE)
def keep(x, re, im):
    """A state back into its words."""
    store(x, 0, join_halves(i64_of_f64(re), i64_of_f64(im) << splat_i64x4(32)))


@njit(**INLINE)
def one_mode(w, x, room, count, unit, unit_out, per_mode):
    """All tokens through one mode; rows of `room`: drive, then the sum of (3)."""
    a, a_im = real_parts(load_i64x4(w, 0), unit)
    c, c_im = real_parts(load_i64x4(w, 32), unit_out)
    b, b_im = drives(w, unit, per_mode)
    re, im = real_parts(load_i64x4(x, 0), splat_f64x4(1.0))
    for t in range(count):
        at = room + 64 * t
        re, im = step(a, a_im, b, b_im, re, im, load_f64x4(at, 0), per_mode)
        store(at, 32, fma(c, re, fma(negative(c_im), im, load_f64x4(at, 32))))
    keep(x, re, im)


@njit(**INLINE)
def two_modes(w, size, x, room, count, unit, unit_out, per_mode):
    """The same for two modes at once: the latency of one hides behind the other."""
    a, a_im = real_parts(load_i64x4(w, 0), unit)
    c, c_im = real_parts(load_i64x4(w, 32), unit_out)
    b, b_im = drives(w, unit, per_mode)
    re, im = real_parts(load_i64x4(x, 0), splat_f64x4(1.0))
    w += size
    a_2, a_im_2 = real_parts(load_i64x4(w, 0), unit)
    c_2, c_im_2 = real_parts(load_i64x4(w, 32), unit_out)
    b_2, b_im_2 = drives(w, unit, per_mode)
    re_2, im_2 = real_parts(load_i64x4(x, STATES), splat_f64x4(1.0))
    for t in range(count):
        at = room + 64 * t
        u = load_f64x4(at, 0)
        re, im = step(a, a_im, b, b_im, re, im, u, per_mode)
        re_2, im_2 = step(a_2, a_im_2, b_2, b_im_2, re_2, im_2, u, per_mode)
        y = fma(c, re, fma(negative(c_im), im, load_f64x4(at, 32)))
        store(at, 32, fma(c_2, re_2, fma(negative(c_im_2), im_2, y)))
    keep(x, re, im)
    keep(x + STATES, re_2, im_2)


def chunk(per_mode: bool, stamp: str) -> Callable[..., None]:
    """The kernel for many tokens."""
    size = 96 if per_mode else 64

    def word(row, parameters, state, apart, messages, source, target, stride, count, room):
        modes, half = column(row, MODES) if stamp else 0, splat_f64x4(0.5)
        w, x = parameters + column(row, WEIGHTS), state + column(row, STATE)
        for group in range(2 * column(row, BLOCKS)):
            unit, unit_out = load_f64x4(w, UNIT), load_f64x4(w, UNIT_OUT)
            b = f64_of_low_words(load_i64x4(w, DRIVE)) * unit
            d = f64_of_low_words(load_i64x4(w, DIRECT)) * unit_out
            w += HEAD
            for t in range(count):
                u = f64_of_i32(load_i32x4(source, stride * t + 16 * group))
                store(room, 64 * t, u if per_mode else fma(b, u, half))
                store(room, 64 * t + 32, fma(d, u, half))
            for _ in range(modes // 2):
                two_modes(w, size, x, room, count, unit, unit_out, per_mode)
                w += 2 * size
                x += 2 * STATES
            if modes % 2:
                one_mode(w, x, room, count, unit, unit_out, per_mode)
                w += size
                x += STATES
            scale = parameters + column(row, DESCALE) + 256 * (group // 2) + 32 * (group % 2)
            for t in range(count):
                v = floor(load_f64x4(room, 64 * t + 32))
                descale_four(scale, v, target + stride * t + 16 * group)

    return word
