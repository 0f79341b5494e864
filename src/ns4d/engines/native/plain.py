"""Neurons (1) to (4) in int64, one state at a time: for every legal node, whatever its widths."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numba import njit

from ns4d.engines.native.lanes import load_i32, load_i64, store
from ns4d.engines.native.linear import INLINE, column, descale_one
from ns4d.engines.native.plan import MODES, OUTPUTS, STATE, STATE_MAX, WEIGHTS

# Of one channel: d, a_shift, b_shift, c_shift, d_shift; then six numbers per mode.
HEAD, MODE = 40, 48


@njit(**INLINE)
def toward_zero(v, s):
    """(b) `shift_toward_zero`."""
    return v >> s if v >= 0 else -(-v >> s)


@njit(**INLINE)
def half_up(v, s):
    """(c) `shift_half_up`."""
    return (v + ((np.int64(1) << s) >> 1)) >> s


@njit(**INLINE)
def clipped(v, top):
    """(d) `saturate`."""
    return min(max(v, -top), top)


@njit(**INLINE)
def mode_each(w, x, u, sa, sb, sc, top):
    """(1) and (2) under EACH_TOWARD_ZERO; returns the mode's part of (3)."""
    a_re, a_im, x_re, x_im = load_i64(w, 0), load_i64(w, 8), load_i64(x, 0), load_i64(x, 8)
    re = toward_zero(a_re * x_re, sa) - toward_zero(a_im * x_im, sa)
    im = toward_zero(a_re * x_im, sa) + toward_zero(a_im * x_re, sa)
    re = clipped(re + toward_zero(load_i64(w, 16) * u, sb), top)
    im = clipped(im + toward_zero(load_i64(w, 24) * u, sb), top)
    store(x, 0, re)
    store(x, 8, im)
    return toward_zero(load_i64(w, 32) * re, sc) - toward_zero(load_i64(w, 40) * im, sc)


@njit(**INLINE)
def mode_sum(w, x, u, s, left, right, top):
    """(1) and (2) under SUM_HALF_UP; returns the mode's part of (3)."""
    a_re, a_im, x_re, x_im = load_i64(w, 0), load_i64(w, 8), load_i64(x, 0), load_i64(x, 8)
    re = ((a_re * x_re - a_im * x_im) << left) + ((load_i64(w, 16) * u) << right)
    im = ((a_re * x_im + a_im * x_re) << left) + ((load_i64(w, 24) * u) << right)
    re, im = clipped(half_up(re, s), top), clipped(half_up(im, s), top)
    store(x, 0, re)
    store(x, 8, im)
    return load_i64(w, 32) * re - load_i64(w, 40) * im


def neurons(each: bool, stamp: str) -> Callable[..., None]:
    """The kernel for either rounding."""

    def plain(row, parameters, state, apart, messages, source, target, stride, count, room):
        modes, top = column(row, MODES) if stamp else 0, column(row, STATE_MAX)
        for t in range(count):
            w = parameters + column(row, WEIGHTS)
            x = state + apart * t + column(row, STATE)
            for h in range(column(row, OUTPUTS)):
                u = np.int64(load_i32(source, stride * t + 4 * h))
                d, sa, sb = load_i64(w, 0) * u, load_i64(w, 8), load_i64(w, 16)
                sc, sd = load_i64(w, 24), load_i64(w, 32)
                s, s_out = max(sa, sb), max(sc, sd)
                v = toward_zero(d, sd) if each else d << (s_out - sd)
                w += HEAD
                for _ in range(modes):
                    if each:
                        v += mode_each(w, x, u, sa, sb, sc, top)
                    else:
                        v += mode_sum(w, x, u, s, s - sa, s - sb, top) << (s_out - sc)
                    w += MODE
                    x += 16
                v = v if each else half_up(v, s_out)
                descale_one(row, parameters, h, v, target + stride * t)

    return plain
