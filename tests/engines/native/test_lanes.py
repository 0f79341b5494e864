"""Every operation on lanes is NumPy's, lane by lane."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from ns4d.engines.native import lanes as v


@njit
def of_singles(a, b, out):
    x, y = v.load_f32x8(a, 0), v.load_f32x8(b, 0)
    v.store(out, 0, x + y)
    v.store(out, 32, x - y)
    v.store(out, 64, x * y)
    v.store(out, 96, v.trunc(x))
    v.store(out, 128, v.smaller(x, y))
    v.store(out, 160, v.larger(x, y))
    v.store(out, 192, v.negative(x))
    v.store(out, 224, v.splat_f32x8(np.float32(2.5)))


@njit
def of_doubles(a, b, c, out):
    x, y, z = v.load_f64x4(a, 0), v.load_f64x4(b, 0), v.load_f64x4(c, 0)
    v.store(out, 0, v.fma(x, y, z))
    v.store(out, 32, v.floor(x))
    v.store(out, 64, v.smaller(x, y))
    v.store(out, 96, v.larger(x, y))
    v.store(out, 128, v.negative(x))
    v.store(out, 160, v.splat_f64x4(-0.5))
    v.store(out, 192, v.f64_of_low_words(v.i64_of_f64(v.floor(x))))


@njit
def of_words(a, b, out):
    x, y = v.load_i64x4(a, 0), v.load_i64x4(b, 0)
    v.store(out, 0, v.multiply_low(x, y))
    v.store(out, 32, v.join_halves(x, y))
    v.store(out, 64, x >> v.splat_i64x4(7))
    v.store(out, 96, x << v.splat_i64x4(9))
    v.store(out, 128, v.f64_of_low_words(x))


@njit
def of_pairs(a, b, out):
    x, y = v.load_i16x16(a, 0), v.load_i16x16(b, 0)
    v.store(out, 0, v.pair_products(x, y))
    v.store(out, 32, v.i16_of_i32(v.splat_i32x8(v.load_i32(a, 0))))


@njit
def of_conversions(a, b, out):
    x, small = v.load_i32x8(a, 0), v.load_f32x8(b, 0)
    v.store(out, 0, v.f64_of_low(x))
    v.store(out, 32, v.f64_of_high(x))
    v.store(out, 64, v.f64_low(small))
    v.store(out, 96, v.f64_high(small))
    v.store(out, 128, v.f64_of_i32(v.load_i32x4(a, 0)))
    v.store(out, 160, v.i64_of_i32(v.load_i32x4(a, 0)))
    v.store(out, 192, v.f32_of_i32(v.load_i32x8(a, 0)))
    v.store(out, 224, v.i32_of_f32(small))
    v.store(out, 256, v.i32_of_f64(v.load_f64x4(out, 64)))
    v.store(out, 288, v.load_i32(a, 4))
    v.store(out, 296, v.load_i64(a, 8))
    v.store(out, 304, v.load_f64(out, 96))


def run(kernel, *arrays, size=320):
    """The bytes that a kernel wrote, from arrays that start where they like."""
    out = np.zeros(size, np.uint8)
    kernel(*(array.ctypes.data for array in arrays), out.ctypes.data)
    return out


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_singles(rng):
    a, b = rng.normal(0, 1e6, (2, 8)).astype(np.float32)
    out = run(of_singles, a, b).view(np.float32).reshape(-1, 8)
    wanted = [a + b, a - b, a * b, np.trunc(a), np.minimum(a, b), np.maximum(a, b), -a]
    np.testing.assert_array_equal(out[:7], wanted)
    np.testing.assert_array_equal(out[7], 2.5)


def test_doubles(rng):
    a, b, c = rng.integers(-(2**20), 2**20, (3, 4)) + rng.integers(0, 4, (3, 4)) / 4
    out = run(of_doubles, a, b, c).view(np.float64).reshape(-1, 4)
    wanted = [a * b + c, np.floor(a), np.minimum(a, b), np.maximum(a, b), -a, np.full(4, -0.5)]
    np.testing.assert_array_equal(out[:6], wanted)
    np.testing.assert_array_equal(out[6], np.floor(a))


def test_fma_rounds_once():
    a, c = np.full(4, 1 + 2.0**-30), np.full(4, -1 - 2.0**-29)
    out = run(of_doubles, a, a, c).view(np.float64)
    np.testing.assert_array_equal(out[:4], 2.0**-60)


def test_words(rng):
    a, b = rng.integers(-(2**62), 2**62, (2, 4))
    out = run(of_words, a, b).view(np.int64).reshape(-1, 4)
    low = [array.astype(np.int32).astype(np.int64) for array in (a, b)]
    np.testing.assert_array_equal(out[0], low[0] * low[1])
    np.testing.assert_array_equal(out[1], (a & 0xFFFFFFFF) | (b >> 32 << 32))
    np.testing.assert_array_equal(out[2].view(np.uint64), a.view(np.uint64) >> np.uint64(7))
    np.testing.assert_array_equal(out[3].view(np.uint64), a.view(np.uint64) << np.uint64(9))
    np.testing.assert_array_equal(out[4].view(np.float64), low[0].astype(np.float64))


def test_pairs_at_their_extremes(rng):
    a, b = rng.integers(-(2**15) + 1, 2**15, (2, 16)).astype(np.int16)
    a[:4] = b[:4] = 2**15 - 1
    out = run(of_pairs, a, b)
    products = a.astype(np.int32) * b.astype(np.int32)
    np.testing.assert_array_equal(out[:32].view(np.int32), products[::2] + products[1::2])
    np.testing.assert_array_equal(out[32:64].view(np.int32), a.view(np.int32)[0])


def test_conversions(rng):
    a = rng.integers(-(2**23), 2**23, 8).astype(np.int32)
    b = (rng.integers(-(2**22), 2**22, 8) + 0.5).astype(np.float32)
    out = run(of_conversions, a, b)
    np.testing.assert_array_equal(out[:64].view(np.float64), a)
    np.testing.assert_array_equal(out[64:128].view(np.float64), b)
    np.testing.assert_array_equal(out[128:160].view(np.float64), a[:4])
    np.testing.assert_array_equal(out[160:192].view(np.int64), a[:4])
    np.testing.assert_array_equal(out[192:224].view(np.float32), a)
    np.testing.assert_array_equal(out[224:256].view(np.int32), np.trunc(b))
    np.testing.assert_array_equal(out[256:272].view(np.int32), np.trunc(b[:4]))
    assert out[288:292].view(np.int32) == a[1]
    assert out[296:304].view(np.int64) == a[2:4].view(np.int64)
    assert out[304:312].view(np.float64) == b[4]
