"""The arithmetic of 16-bit halves, in Python's integers: products, drives, digits of sums."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from ns4d.engines.native import short, word
from ns4d.engines.native.lanes import i16_of_i32, load_i16x16, load_i32x8, splat_i32x8, store
from ns4d.engines.native.pack import _words

LANES = 8
MOST, STATE_MOST = 2**15 - 1, 2**31 - 1 - 2**15


@njit
def halves(re, im, out):
    low, high = short.halves(load_i32x8(re, 0), load_i32x8(im, 0))
    store(out, 0, low)
    store(out, 32, high)


@njit
def drive_of(head, u, out):
    whole, rest = short.drive_of(head, load_i32x8(u, 0))
    store(out, 0, whole)
    store(out, 32, rest)


@njit
def half_product(a, x, whole, rest, down, up, out):
    low, high = load_i16x16(x, 0), load_i16x16(x, 32)
    drive = load_i32x8(whole, 0), load_i32x8(rest, 0)
    shifts = load_i32x8(down, 0), load_i32x8(up, 0)
    pair = load_i16x16(a, 0)
    store(out, 0, short.half_product(pair, low, high, drive[0], drive[1], shifts[0], shifts[1]))


@njit
def digits(c, x, count, out):
    zero = splat_i32x8(np.int32(0))
    zeroth, first, second = zero, zero, zero
    for _ in range(count):
        low, high = i16_of_i32(load_i32x8(x, 0)), i16_of_i32(load_i32x8(x, 32))
        zeroth, first, second = short.digits(load_i16x16(c, 0), low, high, zeroth, first, second)
        c += 32
        x += 64
    store(out, 0, zeroth)
    store(out, 32, first)
    store(out, 64, second)


@njit
def kept_and_recalled(x, re, im, out):
    """A state of four channels through memory, in double precision."""
    word.keep(x, word.load_f64x4(re, 0), word.load_f64x4(im, 0), word.SHORT)
    back = word.recall(x, word.SHORT)
    store(out, 0, back[0])
    store(out, 32, back[1])


def run(kernel, *arrays, rows, dtype="<i4", numbers=()):
    out = np.zeros(32 * rows, np.uint8)
    kernel(*(array.ctypes.data for array in arrays), *numbers, out.ctypes.data)
    return out.view(dtype).reshape(rows, -1)


def pairs(first, second) -> np.ndarray:
    return _words(np.asarray(first), np.asarray(second), 16).astype(np.int32)


def split(re, im) -> np.ndarray:
    """Two rows: the lower halves of a state, the upper ones."""
    low = [(np.asarray(part) + 2**15) % 2**16 - 2**15 for part in (re, im)]
    high = [(part - lower) >> 16 for part, lower in zip((re, im), low, strict=True)]
    return np.stack([pairs(*low), pairs(*high)])


def many(strategy):
    """Eight lanes at a time."""
    return st.lists(strategy, min_size=LANES, max_size=LANES).map(np.array)


edges = st.sampled_from([0, 1, -1, 2**15, -(2**15), 2**15 - 1, STATE_MOST, -STATE_MOST])
states = many(edges | st.integers(-STATE_MOST, STATE_MOST))
coefficients = many(st.sampled_from([MOST, -MOST, 0, 1, -1]) | st.integers(-MOST, MOST))


@given(states, states)
def test_halves_are_those_of_the_definition(re, im):
    found = run(halves, re.astype(np.int32), im.astype(np.int32), rows=2)
    np.testing.assert_array_equal(found, split(re, im))


@given(coefficients, coefficients, st.data())
def test_half_a_complex_product_is_exact(first, second, data):
    """(2) is the low word of the exact, shifted sum."""
    s = data.draw(st.integers(0, 16))
    sb = data.draw(st.integers(0, s))
    re, im = data.draw(states), data.draw(states)
    drive = data.draw(many(st.integers(-(2**31) + 1, 2**31 - 1)))
    # `pack` takes the path only where |a_re| + |a_im| leaves room for what is added.
    room = (2**31 - 1 - 3 * 2**s) >> 15
    second = np.clip(second, np.abs(first) - room, room - np.abs(first))
    half = (1 << s) >> 1
    full = [np.full(LANES, k, np.int32) for k in (s, 16 - s)]
    rest = ((drive & ((1 << sb) - 1)) << (s - sb)) + half
    found = run(
        half_product, pairs(first, second), split(re, im), (drive >> sb).astype(np.int32),
        rest.astype(np.int32), *full, rows=1,
    )[0]  # fmt: skip
    exact = (first * re + second * im + (drive << (s - sb)) + half) >> s
    np.testing.assert_array_equal(found, exact.astype(np.int32))


@given(st.data())
def test_the_drive_is_split_without_loss(data):
    s = data.draw(st.integers(0, 16))
    sb = np.array(data.draw(many(st.integers(0, s))))
    b = data.draw(coefficients)
    top = (2**31 - 1) // np.maximum(np.abs(b), 1)
    u = np.clip(data.draw(many(st.integers(-(2**23) + 1, 2**23 - 1))), -top, top)
    half = np.full(LANES, (1 << s) >> 1)
    head = [b, sb, (1 << sb) - 1, s - sb, 0 * b, 0 * b, half, 0 * b]
    whole, rest = run(drive_of, np.stack(head).astype(np.int32), u.astype(np.int32), rows=2)
    assert (rest >= half).all()
    assert (rest - half < 1 << s).all()
    exact = (b * u) << (s - sb)
    np.testing.assert_array_equal((whole.astype(np.int64) << s) + rest - half, exact)


@pytest.mark.parametrize("modes", [1, 2, 7, 300])
@pytest.mark.parametrize("kind", ["random", "largest", "smallest"])
def test_three_sums_of_digits_are_the_sum(modes, kind):
    rng = np.random.default_rng(modes)
    c = rng.integers(-MOST, MOST + 1, (2, modes, LANES))
    x = rng.integers(-STATE_MOST, STATE_MOST + 1, (2, modes, LANES))
    if kind != "random":
        c[:], x[:] = MOST, STATE_MOST * (1 if kind == "largest" else -1)
    packed = np.stack([split(*x[:, n]) for n in range(modes)])
    zeroth, first, second = run(digits, pairs(c[0], c[1]), packed, rows=3, numbers=(modes,)).astype(
        np.int64
    )
    # Unsigned digits: neither of the lower sums can be negative.
    assert (zeroth >= 0).all()
    assert (first >= 0).all()
    wanted = (c * x).sum((0, 1))
    np.testing.assert_array_equal((second << 32) + (first << 16) + zeroth, wanted)


@given(states, states)
def test_chunks_keep_the_same_halves(re, im):
    memory = np.zeros((2, LANES), np.int32)
    doubles = [part[:4].astype(np.float64) for part in (re, im)]
    back = run(kept_and_recalled, memory, *doubles, rows=2, dtype="<f8")
    np.testing.assert_array_equal(back, np.stack(doubles))
    np.testing.assert_array_equal(memory[:, :4], split(re, im)[:, :4])
    # The other group of four shares the line, but not the lanes.
    assert not memory[:, 4:].any()
