"""From floating point to integers, on the host: the only place where a float is rounded.

    nearest(v)           = sign(v) · ⌊|v| + 1/2⌋                     ties go away from 0   (e)
    quantize(v, format)  = saturate(nearest(v · 2^exponent), bits)                         (f)

All arithmetic is IEEE 754 double precision and exact: no step rounds before (e) does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from ns4d.errors import ConfigError, RangeError, ShapeError
from ns4d.numerics.primitives import largest, saturate

NEAREST_MAX = 2**62
EXPONENT_MAX = 128


@dataclass(frozen=True)
class Format:
    """A fixed-point format: value = integer · 2^-exponent.

    Args:
        bits: Width of the integer including its sign, 2..62.
        exponent: Number of fractional bits, -128..128; negative for coarse formats.

    Raises:
        ConfigError: A width or an exponent is outside its range.
    """

    bits: int
    exponent: int

    def __post_init__(self) -> None:
        _require_between("Format.bits", self.bits, 2, 62)
        _require_between("Format.exponent", self.exponent, -EXPONENT_MAX, EXPONENT_MAX)

    @property
    def largest(self) -> int:
        """The largest integer of the format; the smallest is its negative."""
        return largest(self.bits)


def quantize(v: np.ndarray, format: Format) -> Int64[np.ndarray, "..."]:
    """(f) The integers of a format that are nearest to v; saturates.

    Args:
        v: Real numbers of any shape; float16 and float32 are widened, which is exact.
        format: The format of the result.

    Returns:
        int64 integers of the shape of v; the value of each is integer · 2^-exponent.

    Raises:
        ShapeError: v is not an array of real numbers.
        RangeError: v has a NaN or an infinity; the index is named.
    """
    values = _finite("quantize", v)
    with np.errstate(over="ignore"):
        scaled = np.ldexp(values, format.exponent)
    return saturate(nearest(np.clip(scaled, -NEAREST_MAX, NEAREST_MAX)), format.bits)


def nearest(v: np.ndarray) -> Int64[np.ndarray, "..."]:
    """(e) Round to the nearest integer; a tie goes away from zero. Beyond ±2^62: ±2^62.

    ⌊|v| + 1/2⌋ computed literally is wrong for the double below 1/2, whose sum with 1/2 rounds
    up to 1; the fraction |v| - ⌊|v|⌋ is exact, so it is compared with 1/2 instead.

    Args:
        v: Real numbers of any shape.

    Returns:
        int64 integers of the shape of v.

    Raises:
        ShapeError: v is not an array of real numbers.
        RangeError: v has a NaN or an infinity; the index is named.
    """
    magnitude = np.minimum(np.abs(_finite("nearest", v)), NEAREST_MAX)
    whole = np.floor(magnitude)
    rounded = (whole + (magnitude - whole >= 0.5)).astype(np.int64)
    return np.asarray(np.where(np.signbit(v), -rounded, rounded))


def _finite(where: str, v: np.ndarray) -> np.ndarray:
    if not isinstance(v, np.ndarray) or v.dtype.kind != "f" or v.dtype.itemsize > 8:
        raise ShapeError(
            where,
            expected="a float16, float32 or float64 array",
            got=f"{v.dtype} array" if isinstance(v, np.ndarray) else type(v).__name__,
            fix="Convert it with numpy.asarray(v, dtype=numpy.float64).",
        )
    bad = ~np.isfinite(v)
    if bad.any():
        index = tuple(int(k) for k in np.argwhere(bad)[0])
        raise RangeError(
            f"{where}, index {index}",
            expected="a finite number",
            got=str(float(v[index])),
            fix="Remove NaN and infinity before quantizing.",
        )
    return v.astype(np.float64)


def _require_between(where: str, value: object, low: int, high: int) -> None:
    if type(value) is not int or not low <= value <= high:
        raise ConfigError(
            where,
            expected=f"an integer from {low} to {high}",
            got=repr(value),
            fix="Choose a value in this range.",
        )
