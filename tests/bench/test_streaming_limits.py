"""The limits of the machine: positive, ordered where physics orders them, in the right units."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from ns4d.bench import streaming_limits
from ns4d.bench.streaming_limits import (
    ARRAY_BYTES,
    DEGREE,
    TYPES,
    VECTOR_LANES,
    cache_sizes,
    machine_limits,
)


@pytest.fixture(scope="module")
def limits() -> dict:
    return machine_limits(seconds=0.01)


def test_every_level_is_measured(limits: dict) -> None:
    assert list(limits["bandwidth"]) == list(ARRAY_BYTES) == ["L1", "L2", "L3", "DRAM"]
    for facts in limits["bandwidth"].values():
        assert facts["read"] > 0
        assert facts["copy"] > 0


def test_arithmetic_is_measured_for_both_types(limits: dict) -> None:
    assert list(limits["multiply_adds"]) == list(TYPES)
    assert all(rate > 0 for rate in limits["multiply_adds"].values())
    single = limits["multiply_adds"]["float32"]
    assert limits["vectors"]["products"] == single / VECTOR_LANES
    assert set(limits["vectors"]) == {"products", "floats", "words"}
    assert all(rate > 0 for rate in limits["vectors"].values())


def test_limits_are_plain_data(limits: dict) -> None:
    assert json.loads(json.dumps(limits)) == limits


def test_arrays_fit_their_level_but_not_the_one_before() -> None:
    holds = cache_sizes()
    for inner, level in pairwise(ARRAY_BYTES):
        assert holds[inner] < ARRAY_BYTES[level]
    assert all(ARRAY_BYTES[level] < holds[level] for level in ("L1", "L2", "L3"))


def test_sizes_come_from_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    caches = [("1", "Data", "48K"), ("1", "Instruction", "64K"), ("2", "Unified", "2048K")]
    for k, (level, kind, size) in enumerate(caches):
        folder = tmp_path / f"index{k}"
        folder.mkdir()
        for name, text in (("level", level), ("type", kind), ("size", size)):
            (folder / name).write_text(f"{text}\n")
    monkeypatch.setattr(streaming_limits, "CACHES", tmp_path)
    sizes = cache_sizes()
    assert sizes["L1"] == 48 << 10
    assert sizes["L2"] == 2 << 20
    assert sizes["L3"] == streaming_limits.USUAL_BYTES["L3"]


def test_usual_sizes_where_the_system_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming_limits, "CACHES", tmp_path)
    assert cache_sizes() == streaming_limits.USUAL_BYTES


def test_the_loops_do_what_is_counted() -> None:
    """A loop that the compiler removes would measure nothing."""
    x, y = np.arange(8, dtype=np.float32), np.zeros(8, np.float32)
    assert streaming_limits._read(x, 1) == x.sum()
    streaming_limits._copy(x, y, 1)
    assert list(y) == list(range(8))
    v = np.full(8, 0.5)
    streaming_limits._horner(v, z := np.zeros(8), 0.25, 1)
    expected = 0.5
    for _ in range(DEGREE):
        expected = expected * 0.5 + 0.25
    np.testing.assert_allclose(z, expected)
    streaming_limits._truncate(x, y, np.float32(1.75), 1)
    np.testing.assert_array_equal(y, x + DEGREE)
    words = np.full(8, 3 << 16, np.uint64)
    streaming_limits._shift(words, words_out := words.copy(), np.uint64(0), 1)
    np.testing.assert_array_equal(words_out, 3)


def test_the_best_sample_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([0.5, 0.1, 0.3, 0.2, *[0.3] * 9])
    monkeypatch.setattr(streaming_limits, "_elapsed", lambda loop, repeats: next(times))
    assert streaming_limits._fastest(lambda repeats: None, 1.0) == pytest.approx(0.1 / 2)
