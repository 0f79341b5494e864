"""The normalization of a train part: exact where arithmetic allows, blind to padding."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ns4d.data import Split
from ns4d.data.measure import measure

VALUES = st.floats(-1e6, 1e6, width=32)


def split_of(tokens: np.ndarray, lengths: list[int] | None = None) -> Split:
    count, longest = tokens.shape[:2]
    given = [longest] * count if lengths is None else lengths
    return Split(tokens, np.zeros(count, dtype=np.int64), np.array(given, dtype=np.int64))


@given(tokens=hnp.arrays(np.float32, (5, 7, 2), elements=VALUES))
def test_normalized_tokens_have_mean_0_and_deviation_1(tokens: np.ndarray):
    normalization = measure(split_of(tokens))
    normal = (tokens.astype(np.float64) - normalization.offset) / normalization.scale
    spread = np.abs(tokens).max(axis=(0, 1)) / normalization.scale
    assert normal.mean(axis=(0, 1)) == pytest.approx(0, abs=1e-12 * max(1, spread.max()))
    constant = tokens.min(axis=(0, 1)) == tokens.max(axis=(0, 1))
    expected = np.where(constant, 0, 1)
    assert normal.std(axis=(0, 1)) == pytest.approx(expected, abs=1e-9 * max(1, spread.max()))


@given(
    tokens=hnp.arrays(np.uint8, (4, 6, 3)),
    lengths=st.lists(st.integers(1, 6), min_size=4, max_size=4),
    padding=st.integers(0, 255),
)
def test_padding_does_not_count(tokens: np.ndarray, lengths: list[int], padding: int):
    real = np.concatenate([row[:n] for row, n in zip(tokens, lengths, strict=True)])
    for row, length in zip(tokens, lengths, strict=True):
        row[length:] = padding
    found = measure(split_of(tokens, lengths))
    expected = measure(split_of(real[None]))
    assert np.array_equal(found.offset, expected.offset)
    assert np.array_equal(found.scale, expected.scale)


@given(tokens=hnp.arrays(np.uint8, (3, 5, 1)))
def test_bytes_are_measured_by_counting(tokens: np.ndarray):
    """The same numbers from exact integer sums."""
    values = [int(value) for value in tokens.ravel()]
    total, squares, count = sum(values), sum(v * v for v in values), len(values)
    found = measure(split_of(tokens))
    assert found.offset[0] == pytest.approx(total / count, rel=1e-14)
    variance = (count * squares - total * total) / count**2
    assert found.scale[0] == pytest.approx(variance**0.5 if variance else 1.0, rel=1e-12)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e30, -3.3333333])
def test_a_channel_that_never_changes_keeps_its_scale(value: float):
    """Not the rounding error of its deviation, which would blow it up."""
    found = measure(split_of(np.full((7, 9, 1), value, dtype=np.float32)))
    assert found.scale.tolist() == [1.0]
    assert found.offset.tolist() == [np.float32(value)]


def test_large_values_do_not_overflow():
    tokens = np.array([3e38, -3e38], dtype=np.float32).reshape(1, 2, 1)
    assert measure(split_of(tokens)).scale[0] == pytest.approx(3e38, rel=1e-6)


def test_channels_are_independent():
    tokens = np.stack([np.arange(4), np.full(4, 8)], axis=-1).astype(np.float32)[None]
    found = measure(split_of(tokens))
    assert found.offset.tolist() == [1.5, 8.0]
    assert found.scale[0] == pytest.approx(1.25**0.5)
