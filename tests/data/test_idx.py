"""The idx reader: a round trip, and every broken byte of the header."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ns4d.data.idx import read_idx
from ns4d.errors import DataError

FIX = "Fetch the original file again"


def written(array: np.ndarray) -> bytes:
    """An idx file of bytes, by the published layout."""
    header = bytes((0, 0, 8, array.ndim))
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return header + sizes + array.tobytes()


@given(array=hnp.arrays(np.uint8, hnp.array_shapes(min_dims=1, max_dims=3)))
def test_round_trip(array: np.ndarray):
    found = read_idx(gzip.compress(written(array)), array.ndim, "toy.gz")
    assert found.dtype == np.uint8
    assert np.array_equal(found, array)


@given(position=st.integers(0, 3), value=st.integers(0, 255))
def test_every_byte_of_the_magic_number_counts(position: int, value: int):
    content = bytearray(written(np.zeros((2, 3), dtype=np.uint8)))
    original, content[position] = content[position], value
    if value == original:
        assert read_idx(gzip.compress(bytes(content)), 2, "toy.gz").shape == (2, 3)
        return
    expected = f"^toy.gz: expected idx magic number 00000802, got {bytes(content[:4]).hex()}"
    with pytest.raises(DataError, match=expected):
        read_idx(gzip.compress(bytes(content)), 2, "toy.gz")


def test_labels_are_not_taken_for_images():
    labels = gzip.compress(written(np.zeros(5, dtype=np.uint8)))
    with pytest.raises(DataError, match="expected idx magic number 00000803, got 00000801"):
        read_idx(labels, 3, "labels.gz")


@pytest.mark.parametrize(("change", "got"), [(-1, "5 bytes"), (1, "7 bytes")])
def test_the_sizes_agree_with_the_elements(change: int, got: str):
    content = written(np.arange(6, dtype=np.uint8).reshape(2, 3))
    content = content[:change] if change < 0 else content + bytes(change)
    with pytest.raises(DataError, match=rf"expected 6 bytes for shape \(2, 3\), got {got}\. {FIX}"):
        read_idx(gzip.compress(content), 2, "toy.gz")


def test_a_huge_size_is_refused_without_being_allocated():
    content = bytes((0, 0, 8, 3)) + b"\xff" * 12
    with pytest.raises(DataError, match=r"for shape \(4294967295, 4294967295, 4294967295\), got 0"):
        read_idx(gzip.compress(content), 3, "toy.gz")


def test_a_header_cut_short_is_refused():
    content = written(np.zeros((2, 3), dtype=np.uint8))[:9]
    with pytest.raises(DataError, match="expected an idx header of 12 bytes, got 9 bytes"):
        read_idx(gzip.compress(content), 2, "toy.gz")


def test_nothing_is_refused():
    with pytest.raises(DataError, match="got nothing"):
        read_idx(gzip.compress(b""), 1, "toy.gz")


@given(data=st.data())
def test_a_truncated_gzip_file_is_refused(data: st.DataObject):
    whole = gzip.compress(written(np.arange(200, dtype=np.uint8)))
    cut = data.draw(st.integers(1, len(whole) - 1))
    with pytest.raises(DataError, match=r"^toy\.gz: expected a complete gzip file, got "):
        read_idx(whole[:cut], 1, "toy.gz")


def test_another_format_is_refused():
    with pytest.raises(DataError, match="expected a complete gzip file, got Not a gzipped file"):
        read_idx(b"<html>not found</html>", 1, "toy.gz")


def test_an_altered_gzip_file_is_refused():
    content = bytearray(gzip.compress(written(np.arange(200, dtype=np.uint8))))
    content[len(content) // 2] ^= 1
    with pytest.raises(DataError, match=r"toy\.gz"):
        read_idx(bytes(content), 1, "toy.gz")
