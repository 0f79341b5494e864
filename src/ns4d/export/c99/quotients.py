"""sum + t(k·x, s), the products of EACH_TOWARD_ZERO, in the cheapest exact form.

    narrow   k·x fits 32 bits: multiply, divide
    high     k·2^i times x·2^j with i + j = 32 - s: the quotient is the upper half of the product
    wide     anything else: 64 bits, the magnitude shifted

The bounds of the certificate choose; every form gives the same bits. Where narrow and high are both
legal, a core with NS4D_DSP takes the high one, which is an instruction shorter there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from ns4d.export.c99 import primitives
from ns4d.export.c99.primitives import SPLIT_FACTOR_MAX, Primitive
from ns4d.export.c99.scalars import INT32_MAX


@dataclass(frozen=True)
class Quotient:
    """One form.

    Args:
        primitive: The function that adds it: (sum, k, x), or (sum, k, x, s).
        takes_shift: Whether s differs between channels.
    """

    primitive: Primitive
    takes_shift: bool

    def added_to(self, total: str, k: str, x: str, shift: str) -> str:
        """The C expression."""
        last = f", {shift}" if self.takes_shift else ""
        return f"{self.primitive.name}({total}, {k}, {x}{last})"


def choose_quotient(
    k: Int64[np.ndarray, "h _"], x_max: int, shift: Int64[np.ndarray, " h"], sum_max: int
) -> Quotient:
    """The cheapest form for a family of products.

    Args:
        k: The factors of each channel.
        x_max: Largest magnitude of the other factor.
        shift: s of each channel, 0..62.
        sum_max: Largest magnitude of the sum, with every partial sum.
    """
    k_max = np.abs(k).max(axis=1)
    low, top = int(shift.min()), int(shift.max())
    if sum_max > INT32_MAX:
        return Quotient(primitives.ADD_WIDE_64, True)
    up = _operand_shift(k_max, x_max, shift)
    if int(k_max.max()) * x_max <= INT32_MAX and top <= 30:
        return _narrow(low, top, up)
    if up is None:
        return Quotient(primitives.ADD_WIDE, True)
    return _high(low, top, up, split=int(k_max.max()) <= SPLIT_FACTOR_MAX)


def _operand_shift(k_max: np.ndarray, x_max: int, shift: np.ndarray) -> int | None:
    """The j of the high form, as small as k·2^i may be large in 32 bits; None if there is none."""
    room = [min(31 - int(most).bit_length(), 30) for most in k_max]
    least = max(0, *(32 - int(s) - r for s, r in zip(shift, room, strict=True)))
    most = min(31 - x_max.bit_length(), 32 - int(shift.max()))
    return least if least <= most and shift.min() >= 2 else None


def _narrow(low: int, top: int, up: int | None) -> Quotient:
    """A division where s is a number, a shift of the magnitude where it is not."""
    fixed = low == top
    if up is None and not fixed:
        return Quotient(primitives.ADD_SHIFTED, True)
    short = f"sum + k * x / {1 << low}" if fixed else "sum + shift_toward_zero(k * x, s)"
    calls = () if fixed else (primitives.SHIFT_TOWARD_ZERO,)
    name = "add_shifted" + (f"_{low}" if fixed else "") + ("" if up is None else f"_up_{up}")
    head, comment = _head(name, low, top)
    comment = f"/* {comment}; k * x fits 32 bits. */"
    if up is None:
        text = f"{comment}\n{head}\n{{\n    return {short};\n}}\n"
        return Quotient(Primitive(name, text, calls, calls, calls), not fixed)
    text = (
        f"{comment}\n{head}\n{{\n#if defined(NS4D_DSP)\n    return {_upper(low, top, up)};\n"
        f"#else\n    return {short};\n#endif\n}}\n"
    )
    return Quotient(Primitive(name, text, (primitives.ADD_HIGH,), calls, calls), not fixed)


def _high(low: int, top: int, up: int, *, split: bool) -> Quotient:
    fixed = low == top
    which = str(low) if fixed else "upper" if low >= 16 else "lower" if top <= 16 else "any"
    suffix = (f"_{up}" if up else "") + ("" if split else "_long")
    name = f"add_high_{which}{suffix}"
    head, comment = _head(name, low, top)
    long = (primitives.ADD_HIGH,)
    halves = _halves(low, top) if split else None
    if halves is None:
        text = f"/* {comment}. */\n{head}\n{{\n    return {_upper(low, top, up)};\n}}\n"
        return Quotient(Primitive(name, text, long, long, long), not fixed)
    text = (
        f"/* {comment}.\n{SPLIT_WHY} */\n{head}\n{{\n#if defined(NS4D_SPLIT)\n"
        f"    const int32_t sign = shift_floor(k ^ x, 31);\n{halves}"
        f"#else\n    return {_upper(low, top, up)};\n#endif\n}}\n"
    )
    return Quotient(Primitive(name, text, long, (primitives.SHIFT_FLOOR,), long), not fixed)


def _head(name: str, low: int, top: int) -> tuple[str, str]:
    """The first line of a function, what it does."""
    if low == top:
        comment = f"sum + k * x / 2^{low}, the quotient rounded toward zero"
        return f"static inline int32_t {name}(int32_t sum, int32_t k, int32_t x)", comment
    comment = "sum + k * x / 2^s, the quotient rounded toward zero"
    return f"static inline int32_t {name}(int32_t sum, int32_t k, int32_t x, int s)", comment


def _upper(low: int, top: int, up: int) -> str:
    """The high form, for any s up to 32 - up."""
    x = f"x * {1 << up}" if up else "x"
    if low != top:
        return f"add_high(sum, k * ((int32_t)1 << ({32 - up} - s)), {x})"
    power = 32 - low - up
    return f"add_high(sum, {f'k * {1 << power}' if power else 'k'}, {x})"


SPLIT_WHY = """\
   Without a long multiply: k * x = high * 2^i + low; as |k| < 2^15, both fit 32 bits. A shift
   rounds down; a negative product gets 2^s - 1 more before it, so that it rounds up."""

_HALVES = "    const int32_t high = k * shift_floor(x, 16), low = k * (x & 65535);\n"


def _halves(low: int, top: int) -> str | None:
    """The form of 32-bit products; None where s lies on both sides of 16."""
    s = str(low) if low == top else "s"
    if low == top and top <= 16:
        # Where the upper part of x begins at s, its product is a whole quotient.
        mask = (1 << low) - 1
        return (
            f"    const int32_t high = k * shift_floor(x, {s}), low = k * (x & {mask});\n"
            f"    return sum + (high + shift_floor(low + (sign & {mask}), {s}));\n"
        )
    if top <= 16:
        return (
            f"{_HALVES}    return sum + (high * ((int32_t)1 << (16 - s))\n"
            "        + shift_floor(low + (sign & (((int32_t)1 << s) - 1)), s));\n"
        )
    if low < 16:
        return None
    mask = f"(((int32_t)1 << ({s} - 16)) - 1)"
    return (
        f"{_HALVES}    const int32_t carried = shift_floor(low + (sign & 65535), 16);\n"
        f"    return sum + shift_floor(high + (sign & {mask}) + carried, {s} - 16);\n"
    )
