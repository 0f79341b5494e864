"""Chunks that tell beforehand that no clamp will act: where they do, and that no bit changes."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from native_edges import CHANNELS, EACH, neuron
from ns4d.engines import Reference
from ns4d.engines.native import Native, single
from ns4d.engines.native import plan as p
from ns4d.engines.native.lanes import load_f32x8
from ns4d.engines.native.pack import pack
from ns4d.engines.native.plan import aligned_bytes
from ns4d.program import Program

LANES, MODES = 8, 4
TOP = EACH.state_max
DRIVE, DRIVE_SHIFT = 1 << 14, 4


def turning(a: complex = 32_000 + 5_000j) -> Program:
    """Slow modes that turn; loud messages drive them to the clamp within a chunk."""
    return neuron(EACH, 4000, a, DRIVE, 3, shifts=(15, DRIVE_SHIFT, 12, 4))


def cut(v: int, s: int) -> int:
    """`shift_toward_zero` in Python's integers."""
    return -(-v >> s) if v < 0 else v >> s


@njit
def within(x, sums, limit, room):
    far = single.furthest(x, load_f32x8(sums, 0))
    return single.all_within(far, load_f32x8(limit, 0), room)


def predicted(x: np.ndarray, sums: np.ndarray, limit: int) -> bool:
    """What the kernel answers for (modes, re or im, lanes)."""
    arrays = [aligned_bytes(size) for size in (x.size * 4, 32, 32, 32)]
    for array, values in zip(arrays, (x, sums, np.full(LANES, limit)), strict=False):
        array[:] = np.frombuffer(values.astype(np.float32).tobytes(), np.uint8)
    return bool(within(*(array.ctypes.data for array in arrays)))


@given(st.data())
def test_the_kernel_compares_the_sums_of_the_law(data):
    numbers = st.sampled_from([0, 1, TOP // 2, TOP - 1, TOP]) | st.integers(0, TOP)
    x = np.array(data.draw(st.lists(numbers, min_size=64, max_size=64))).reshape(MODES, 2, LANES)
    x[data.draw(st.integers(0, 3))] *= -1
    sums = np.array(data.draw(st.lists(numbers, min_size=LANES, max_size=LANES)))
    most = int((np.abs(x).sum(1).max(0) + sums).max())
    for limit in {most - 1, most, most + 1, TOP}:
        # Above 2^24 float32 no longer counts by one, and no limit is as large.
        if 0 <= limit < 2**24:
            assert predicted(x, sums, limit) == (most <= limit)


@settings(max_examples=30)
@given(st.integers(-(2**15), 2**15), st.integers(-(2**15), 2**15), st.integers(0, 2**32 - 1))
def test_within_the_law_no_state_goes_further(re, im, seed):
    """(7) bounds 64 tokens of an unclamped state, for any |a| up to 1."""
    rng = np.random.default_rng(seed)
    if re * re + im * im > 4**15:
        norm = np.hypot(re, im) / 2**15
        re, im = int(re / norm), int(im / norm)
    x_re, x_im = (int(k) for k in rng.integers(-(2**20), 2**20, 2))
    drives = rng.integers(-(2**14), 2**14, 64) * rng.integers(0, 2, 64)
    bound = abs(x_re) + abs(x_im)
    for count, drive in enumerate(drives, start=1):
        turned = cut(re * x_im, 15) + cut(im * x_re, 15)
        x_re, x_im = cut(re * x_re, 15) - cut(im * x_im, 15) + int(drive), turned
        bound += abs(int(drive))
        assert max(abs(x_re), abs(x_im)) <= bound + 2 * count


def test_calm_and_loud_chunks_have_the_reference_s_bits():
    """Chunks without clamps, chunks that saturate, and the way from one to the other."""
    program = turning()
    row = pack(program).nodes[1]
    assert row[p.OP] == p.SINGLE_CLAMPED
    assert row[p.HEADROOM] == TOP
    rng = np.random.default_rng(0)
    loud = np.repeat([0.001, 1.0, 1.0, 0.01, 0.0, 0.3], p.TOKENS)
    signs = rng.choice([-1, 1], (1, len(loud), CHANNELS))
    u = (signs * loud[:, None] * 4000).astype(np.int64)
    u[:, p.TOKENS : 2 * p.TOKENS] = 4000  # one direction, as long as a mode turns
    machines = [Reference().load(program, 1), Native(1).load(program, 1)]
    calm, reached = [], []
    for start in range(0, len(loud), p.TOKENS):
        part = u[:, start : start + p.TOKENS]
        before = machines[0].state
        both = [machine.advance(part) for machine in machines]
        np.testing.assert_array_equal(*both)
        assert machines[0].state == machines[1].state
        sums = (np.abs(part[0]) * DRIVE >> DRIVE_SHIFT).sum(0)
        x = (np.abs(before.x_re["trial"]) + np.abs(before.x_im["trial"]))[0].max(1)
        calm.append(bool((x + sums).max() + 2 * p.TOKENS <= TOP))
        reached.append(int(np.abs(machines[0].state.x_re["trial"]).max()))
    assert {True, False} <= set(calm)
    assert max(reached) > TOP // 2


def test_a_mode_that_grows_is_never_taken_for_calm():
    assert pack(turning(32_767 + 300j)).nodes[1, p.HEADROOM] == -1
    assert pack(turning(32_766 + 250j)).nodes[1, p.HEADROOM] == TOP
