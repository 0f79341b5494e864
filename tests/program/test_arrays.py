"""Checks of single arrays and numbers, each with its message."""

from __future__ import annotations

import numpy as np
import pytest

from ns4d.errors import RangeError, ShapeError
from ns4d.program.arrays import float_array, integer, integer_array, require_within


def test_axes_are_bound_once():
    sizes = {}
    integer_array("w", np.zeros((2, 3), int), "o i", sizes)
    assert sizes == {"o": 2, "i": 3}
    integer_array("b", np.zeros(2, int), "o", sizes)
    with pytest.raises(ShapeError, match=r"^c: expected an integer array of shape \(i=3, n\), no"):
        integer_array("c", np.zeros((2, 3), int), "i n", sizes)


@pytest.mark.parametrize("value", [[1, 2], 5, None, "text"])
def test_only_arrays_are_arrays(value):
    with pytest.raises(
        ShapeError,
        match=rf"^x: expected an integer array of shape \(h\), .*got {type(value).__name__}",
    ):
        integer_array("x", value, "h", {})
    with pytest.raises(ShapeError, match=r"^x: expected a float array of shape \(h\)"):
        float_array("x", value, "h", {})


def test_the_copy_is_independent():
    given = np.arange(3)[::-1]
    copy = integer_array("x", given, "h", {})
    given[:] = 9
    assert copy.tolist() == [2, 1, 0]
    assert copy.flags.c_contiguous
    assert not copy.flags.writeable


def test_ranges_name_the_first_element_outside():
    require_within("x", np.array([1, 2]), 1, 2, "")
    with pytest.raises(RangeError, match=r"^x, index \(1, 0\): expected 0 to 5, got 6\. Do it\.$"):
        require_within("x", np.array([[0, 5], [6, 7]]), 0, 5, "Do it.")


def test_integers_are_converted():
    assert type(integer("x", np.int16(3), 0, 5)) is int
    for value in (-1, 6, True, 2.0, None, "3"):
        with pytest.raises(RangeError, match=r"^x: expected an integer from 0 to 5, got"):
            integer("x", value, 0, 5)
