"""What this machine can do at most: bytes per second by cache level, multiply-adds per second.

    read    s += x[k]                over an array that fits the level
    copy    y[k] = x[k]              counted as bytes read plus bytes written
    mads    Horner's rule over an array in L1, 16 multiply-adds per number that is loaded
    floats  the same with pairs of an addition, a truncation, float32
    words   the same with pairs of an addition, a shift, 64-bit integers

One thread, loops that LLVM vectorizes, the best of some repetitions: a limit is not disturbed
by neighbours, it is only hidden by them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, no_type_check

import numba
import numpy as np

# Arrays well inside the level, and well outside of the one before.
ARRAY_BYTES: Mapping[str, int] = {
    "L1": 16 << 10,
    "L2": 256 << 10,
    "L3": 8 << 20,
    "DRAM": 256 << 20,
}
USUAL_BYTES = {"L1": 32 << 10, "L2": 512 << 10, "L3": 32 << 20, "DRAM": 1 << 62}
CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
VECTOR_LANES = 8  # float32 in the 32 bytes of a vector
DEGREE = 16
TYPES = {"float32": np.float32, "float64": np.float64}


@dataclass(frozen=True)
class Bandwidth:
    """One cache level.

    Args:
        holds_bytes: How much it holds, bytes.
        array_bytes: Size of the array that was walked, bytes.
        read: bytes/s.
        copy: bytes/s, read and written ones added.
    """

    holds_bytes: int
    array_bytes: int
    read: float
    copy: float


@numba.njit(fastmath=True)
@no_type_check
def _read(x, repeats):
    total = x[0]
    for _ in range(repeats):
        s = x[0]
        for k in range(x.size):
            s += x[k]
        total = max(total, s)
    return total


@numba.njit
@no_type_check
def _copy(x, y, repeats):
    for r in range(repeats):
        for k in range(x.size):
            y[k] = x[k]
        x[r % x.size] += 1  # otherwise one copy would do


@numba.njit(fastmath={"contract"})
@no_type_check
def _horner(x, y, c, repeats):
    quarter = x.size // 4
    for _ in range(repeats):
        for k in range(quarter):  # four chains: one alone would wait for its own results
            v0, v1, v2, v3 = x[k], x[k + quarter], x[k + 2 * quarter], x[k + 3 * quarter]
            p0, p1, p2, p3 = v0, v1, v2, v3
            for _ in range(DEGREE):
                p0, p1, p2, p3 = p0 * v0 + c, p1 * v1 + c, p2 * v2 + c, p3 * v3 + c
            y[k], y[k + quarter], y[k + 2 * quarter], y[k + 3 * quarter] = p0, p1, p2, p3


@numba.njit
@no_type_check
def _truncate(x, y, c, repeats):
    quarter = x.size // 4
    for _ in range(repeats):
        for k in range(quarter):
            p0, p1, p2, p3 = x[k], x[k + quarter], x[k + 2 * quarter], x[k + 3 * quarter]
            for _ in range(DEGREE):
                p0, p1, p2, p3 = p0 + c, p1 + c, p2 + c, p3 + c
                p0, p1, p2, p3 = np.trunc(p0), np.trunc(p1), np.trunc(p2), np.trunc(p3)
            y[k], y[k + quarter], y[k + 2 * quarter], y[k + 3 * quarter] = p0, p1, p2, p3


@numba.njit
@no_type_check
def _shift(x, y, c, repeats):
    quarter = x.size // 4
    for _ in range(repeats):
        for k in range(quarter):
            p0, p1, p2, p3 = x[k], x[k + quarter], x[k + 2 * quarter], x[k + 3 * quarter]
            for _ in range(DEGREE):
                p0, p1, p2, p3 = p0 + c, p1 + c, p2 + c, p3 + c
                p0, p1, p2, p3 = p0 >> 1, p1 >> 1, p2 >> 1, p3 >> 1
            y[k], y[k + quarter], y[k + 2 * quarter], y[k + 3 * quarter] = p0, p1, p2, p3


def machine_limits(seconds: float = 0.5) -> dict[str, Any]:
    """Measure everything.

    Args:
        seconds: About how long each of the figures is measured.

    Returns:
        "bandwidth": level -> its size with read and copy in bytes/s; "multiply_adds": type -> per
        second; "vectors": kind of instruction -> vectors of 32 bytes per second.
    """
    bandwidth = {level: asdict(_bandwidth(level, seconds)) for level in ARRAY_BYTES}
    multiply_adds = {name: _rate(_horner, kind, seconds) for name, kind in TYPES.items()}
    return {
        "bandwidth": bandwidth,
        "multiply_adds": multiply_adds,
        "vectors": {
            "products": multiply_adds["float32"] / VECTOR_LANES,
            "floats": 2 * _rate(_truncate, np.float32, seconds) / VECTOR_LANES,
            "words": 2 * _rate(_shift, np.uint64, seconds) / (VECTOR_LANES // 2),
        },
    }


def cache_sizes() -> dict[str, int]:
    """Bytes that each level holds, as the system says; the usual ones where it says nothing."""
    found = dict(USUAL_BYTES)
    for folder in sorted(CACHES.glob("index*")):
        facts = {name: (folder / name).read_text().strip() for name in ("level", "type", "size")}
        if facts["type"] != "Instruction" and facts["size"].endswith("K"):
            found[f"L{facts['level']}"] = int(facts["size"][:-1]) << 10
    return found


def _bandwidth(level: str, seconds: float) -> Bandwidth:
    size = ARRAY_BYTES[level]
    x = np.zeros(size // 4, np.float32)
    half = np.zeros(size // 8, np.float32), np.zeros(size // 8, np.float32)
    read = _fastest(lambda repeats: _read(x, repeats), seconds)
    copy = _fastest(lambda repeats: _copy(*half, repeats), seconds)
    return Bandwidth(cache_sizes()[level], size, size / read, size / copy)


def _rate(loop: Callable[..., None], kind: type, seconds: float) -> float:
    """Turns of the inner loop per second, over all numbers."""
    x = np.ones(2048, kind)
    y = np.zeros_like(x)
    c = kind(1) if np.issubdtype(kind, np.integer) else kind(0.25)
    return x.size * DEGREE / _fastest(lambda repeats: loop(x, y, c, repeats), seconds)


def _fastest(loop: Callable[[int], object], seconds: float) -> float:
    """Time of one repetition, s, in the best of the samples that fit in the time."""
    loop(1)
    repeats, elapsed = 1, 0.0
    while elapsed < seconds / 500:  # shorter than a time slice of the system
        repeats *= 2
        elapsed = _elapsed(loop, repeats)
    samples = [_elapsed(loop, repeats) for _ in range(max(min(int(seconds / elapsed), 500), 3))]
    return min(samples) / repeats


def _elapsed(loop: Callable[[int], object], repeats: int) -> float:
    start = time.perf_counter()
    loop(repeats)
    return time.perf_counter() - start
