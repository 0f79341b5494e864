"""Checked, read-only copies of what a program is built from."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from ns4d.errors import ConfigError, RangeError, ShapeError

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
RESERVED = ("input", "readout")

Sizes = dict[str, int]


def integer_array(where: str, value: object, axes: str, sizes: Sizes) -> Int64[np.ndarray, "..."]:
    """A read-only, contiguous int64 copy whose axes have the sizes known so far.

    Args:
        where: Node and field, for errors.
        value: The array as given: any integer type, not bool.
        axes: Names of its axes, as in "o i".
        sizes: Size of each axis met so far; new axes are added.

    Returns:
        The copy.

    Raises:
        ShapeError: Not an integer array, a wrong number of axes, an empty or disagreeing axis.
        RangeError: An unsigned integer beyond int64.
    """
    array = value if isinstance(value, np.ndarray) else None
    if array is None or array.dtype.kind not in "iu":
        raise _wrong_array(where, "an integer array", axes, sizes, value)
    _bind(where, "an integer array", array, axes, sizes)
    if array.dtype == np.uint64 and array.max() > np.iinfo(np.int64).max:
        raise RangeError(
            where, expected="int64 values", got=str(array.max()), fix="Pass signed integers."
        )
    return _frozen(array, np.dtype(np.int64))


def float_array(where: str, value: object, axes: str, sizes: Sizes) -> Float64[np.ndarray, "..."]:
    """A read-only, contiguous float64 copy of finite numbers; see `integer_array`."""
    array = value if isinstance(value, np.ndarray) else None
    if array is None or array.dtype.kind != "f" or array.dtype.itemsize > 8:
        raise _wrong_array(where, "a float array", axes, sizes, value)
    _bind(where, "a float array", array, axes, sizes)
    if not np.isfinite(array).all():
        index = tuple(int(k) for k in np.argwhere(~np.isfinite(array))[0])
        raise RangeError(
            f"{where}, index {index}",
            expected="a finite number",
            got=str(float(array[index])),
            fix="Look for a division by zero where it was computed.",
        )
    return _frozen(array, np.dtype(np.float64))


def require_within(
    where: str, array: np.ndarray, low: int | float, high: int | float, fix: str
) -> None:
    """Refuse an array with an element outside low..high, naming its index.

    Raises:
        RangeError: The first such element.
    """
    bad = (array < low) | (array > high)
    if bad.any():
        index = tuple(int(k) for k in np.argwhere(bad)[0])
        raise RangeError(
            f"{where}, index {index}",
            expected=f"{low} to {high}",
            got=str(array[index]),
            fix=fix,
        )


def integer(where: str, value: Any, low: int, high: int) -> int:
    """A Python integer from low to high; NumPy integers are converted, bool is refused.

    Raises:
        RangeError: Not an integer, or outside the range.
    """
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if whole and low <= value <= high:
        return int(value)
    raise RangeError(
        where,
        expected=f"an integer from {low} to {high}",
        got=repr(value),
        fix="Choose a value in this range.",
    )


def node_name(value: object) -> str:
    """A node's name: it appears in errors, reports and file entries.

    Raises:
        ConfigError: Not a string of the accepted form, or a reserved name.
    """
    if isinstance(value, str) and NAME.fullmatch(value) and value not in RESERVED:
        return value
    raise ConfigError(
        "node name",
        expected="a letter, then up to 63 letters, digits, '_', '.' or '-'; not 'input', 'readout'",
        got=repr(value),
        fix="Rename the node.",
    )


def _bind(where: str, kind: str, array: np.ndarray, axes: str, sizes: Sizes) -> None:
    names = axes.split()
    fits = array.ndim == len(names) and array.size > 0
    if not fits or any(sizes.get(k, n) != n for k, n in zip(names, array.shape, strict=True)):
        raise _wrong_array(where, kind, axes, sizes, array)
    sizes.update(zip(names, array.shape, strict=True))


def _frozen(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    copy = np.array(array, dtype=dtype, order="C", copy=True)
    copy.setflags(write=False)
    return copy


def _wrong_array(where: str, kind: str, axes: str, sizes: Sizes, value: object) -> ShapeError:
    wanted = ", ".join(f"{k}={sizes[k]}" if k in sizes else k for k in axes.split())
    got = type(value).__name__
    if isinstance(value, np.ndarray):
        got = f"{value.dtype} array of shape {value.shape}"
    return ShapeError(
        where,
        expected=f"{kind} of shape ({wanted}), no axis empty",
        got=got,
        fix="Build it with numpy and check its axes.",
    )
