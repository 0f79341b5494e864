"""The rounding mode does what it says, and is as before when a kernel returns."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from ns4d.engines.native import Native
from ns4d.engines.native import plan as p
from ns4d.engines.native.lanes import load_f32x8, store, trunc
from ns4d.engines.native.pack import pack
from ns4d.engines.native.rounding_mode import (
    HAS_MODE,
    TOWARD_ZERO,
    read_mode,
    truncates,
    write_mode,
)
from ns4d.numerics import LOIHI2, shift_toward_zero
from program_strategies import random_program

needs_mode = pytest.mark.skipif(not HAS_MODE, reason="this processor has no MXCSR register")


@njit
def mode():
    return read_mode()


@njit
def products(a, x, out, count):
    before = read_mode()
    write_mode(before | np.uint32(TOWARD_ZERO))
    for k in range(0, 4 * count, 32):
        store(out, k, trunc(load_f32x8(a, k) * load_f32x8(x, k)))
    write_mode(before)


@needs_mode
def test_the_switch_works_here():
    assert truncates()


@needs_mode
def test_single_precision_is_shift_toward_zero():
    # 16-bit coefficients times 24-bit states, shifted by 15: results of up to 24 bits.
    rng = np.random.default_rng(0)
    count = 1 << 20
    a, x = rng.integers(-32767, 32768, count), rng.integers(-(2**23) + 1, 2**23, count)
    a[:4], x[:4] = (32767, -32767, 32767, 1), (2**23 - 1, 2**23 - 1, -(2**23) + 1, -1)
    scaled, states = np.ldexp(a, -15).astype(np.float32), x.astype(np.float32)
    out = np.zeros(count, np.float32)
    products(scaled.ctypes.data, states.ctypes.data, out.ctypes.data, count)
    np.testing.assert_array_equal(out.astype(np.int64), shift_toward_zero(a * x, 15))
    nearest = np.trunc(scaled * states).astype(np.int64)
    assert (nearest != shift_toward_zero(a * x, 15)).any(), "the usual rounding would do as well"


@needs_mode
def test_a_machine_leaves_the_mode_as_it_found_it():
    program = random_program(np.random.default_rng(0), layers=1)
    machine = Native(1).load(program, 1)
    before = mode()
    machine.token(np.array([0.1]))
    machine.advance(np.ones((1, 7, 1), np.int64))
    assert mode() == before


def test_without_the_switch_nodes_take_the_plain_path(monkeypatch):
    program = random_program(np.random.default_rng(0), LOIHI2, layers=1)
    u = np.random.default_rng(1).integers(-2047, 2048, (1, 20, 1))
    wanted = Native(1).load(program, 1).advance(u)
    monkeypatch.setattr("ns4d.engines.native.pack.truncates", lambda: False)
    assert p.PLAIN_EACH in pack(program).paths
    # Another object of the same value: plans are kept per program.
    from ns4d.engines.native.machine import NativeMachine

    machine = NativeMachine(program, pack(program), 1, 1)
    np.testing.assert_array_equal(machine.advance(u), wanted)
