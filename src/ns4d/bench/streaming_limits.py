"""What this machine can do at most: bytes per second by cache level, multiply-adds per second.

    read    s += x[k]                over an array that fits the level
    copy    y[k] = x[k]              counted as bytes read plus bytes written
    mads    Horner's rule over an array in L1, 16 multiply-adds per number that is loaded

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


def machine_limits(seconds: float = 0.5) -> dict[str, Any]:
    """Measure everything.

    Args:
        seconds: About how long each of the figures is measured.

    Returns:
        "bandwidth": level -> its size with read and copy in bytes/s; "multiply_adds": type -> per
        second; "vector_multiply_adds": the same in vectors of 32 bytes.
    """
    bandwidth = {level: asdict(_bandwidth(level, seconds)) for level in ARRAY_BYTES}
    multiply_adds = {name: _multiply_adds(kind, seconds) for name, kind in TYPES.items()}
    return {
        "bandwidth": bandwidth,
        "multiply_adds": multiply_adds,
        "vector_multiply_adds": multiply_adds["float32"] / VECTOR_LANES,
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


def _multiply_adds(kind: type, seconds: float) -> float:
    x = np.full(2048, 0.5, kind)
    y = np.zeros_like(x)
    return x.size * DEGREE / _fastest(lambda n: _horner(x, y, kind(0.25), n), seconds)


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
