"""Laws of the two published orders of permuted sequential MNIST."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ns4d.data import Permutation
from ns4d.data.permutation import bit_reversed_order

LENGTHS = st.integers(1, 2000)


def published_order(length: int) -> np.ndarray:
    """bitreversal_permutation of the S4 code, retold: halve and interleave, then restrict."""
    size = 1 << math.ceil(math.log2(length)) if length > 1 else 1
    columns = np.arange(size).reshape(size, 1)
    while len(columns) > 1:
        half = len(columns) // 2
        columns = np.hstack((columns[:half], columns[half:]))
    order = columns[0]
    return np.extract(order < length, order)


@pytest.mark.parametrize("permutation", Permutation)
@given(length=LENGTHS)
def test_every_order_is_a_permutation(permutation: Permutation, length: int):
    order = permutation.order(length)
    assert order.dtype == np.int64
    assert np.array_equal(np.sort(order), np.arange(length))


@given(length=LENGTHS)
def test_bit_reversal_is_the_published_one(length: int):
    assert np.array_equal(bit_reversed_order(length), published_order(length))


@given(bits=st.integers(0, 11))
def test_bit_reversal_of_a_power_of_two_is_its_own_inverse(bits: int):
    order = bit_reversed_order(1 << bits)
    assert np.array_equal(order[order], np.arange(1 << bits))


@given(length=LENGTHS)
def test_bit_reversal_reversed_again_is_ascending(length: int):
    """Reversing the bits of the order gives back the positions it was listed by."""
    bits = max(length - 1, 0).bit_length()
    text = [format(position, f"0{bits}b")[::-1] if bits else "0" for position in order_of(length)]
    ranks = [int(digits, 2) for digits in text]
    assert ranks == sorted(ranks)


def order_of(length: int) -> list[int]:
    return [int(position) for position in bit_reversed_order(length)]


@given(length=LENGTHS)
def test_a_shorter_order_is_the_longer_one_restricted(length: int):
    whole = bit_reversed_order(1 << max(length - 1, 0).bit_length())
    assert np.array_equal(bit_reversed_order(length), whole[whole < length])


def test_the_first_positions_of_mnist():
    # 10 bits: 896, between 384 and 64, is beyond the last pixel and left out.
    assert order_of(784)[:12] == [0, 512, 256, 768, 128, 640, 384, 64, 576, 320, 192, 704]
    assert order_of(784)[-3:] == [255, 767, 511]


def test_the_first_positions_of_the_random_order():
    order = Permutation.RANDOM_92916.order(784)
    assert np.array_equal(order, np.random.RandomState(92916).permutation(784))
    assert order[:5].tolist() == [319, 576, 323, 107, 355]


def test_the_random_order_does_not_touch_the_global_generator():
    before = np.random.get_state()[2]
    Permutation.RANDOM_92916.order(784)
    assert np.random.get_state()[2] == before


def test_no_permutation_is_the_identity():
    assert np.array_equal(Permutation.NONE.order(5), np.arange(5))


def test_the_names_are_those_in_checkpoints():
    assert [member.value for member in Permutation] == ["none", "bit-reversal", "random-92916"]
