"""sum + t(k·x, s), the products of EACH_TOWARD_ZERO, in the cheapest exact form.

    narrow   k·x fits 32 bits: multiply, divide
    high     k·2^i times x·2^j with i + j = 32 - s: the quotient is the upper half of the product
    wide     anything else: 64 bits, the magnitude shifted

The bounds of the certificate choose; every form gives the same bits.
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
    if int(k_max.max()) * x_max <= INT32_MAX and top <= 30:
        return (
            Quotient(_narrow(top), False) if low == top else Quotient(primitives.ADD_SHIFTED, True)
        )
    up = _operand_shift(k_max, x_max, shift)
    if up is None:
        return Quotient(primitives.ADD_WIDE, True)
    split = int(k_max.max()) <= SPLIT_FACTOR_MAX
    return Quotient(_high(low, up, split), False) if low == top else _high_by(low, top, up, split)


def _operand_shift(k_max: np.ndarray, x_max: int, shift: np.ndarray) -> int | None:
    """The j of the high form, as small as k·2^i may be large in 32 bits; None if there is none."""
    room = [min(31 - int(most).bit_length(), 30) for most in k_max]
    least = max(0, *(32 - int(s) - r for s, r in zip(shift, room, strict=True)))
    most = min(31 - x_max.bit_length(), 32 - int(shift.max()))
    return least if least <= most and shift.min() >= 2 else None


def _narrow(shift: int) -> Primitive:
    name = f"add_shifted_{shift}"
    return Primitive(
        name,
        f"""\
/* sum + k * x / 2^{shift}, rounded toward zero, as C's division rounds; k * x fits 32 bits. */
static inline int32_t {name}(int32_t sum, int32_t k, int32_t x)
{{
    return sum + k * x / {1 << shift};
}}
""",
    )


def _high(shift: int, up: int, split: bool) -> Primitive:
    name = f"add_high_{shift}{_suffix(up, split)}"
    plain = f"add_high(sum, {_times('k', 32 - shift - up)}, {_times('x', up)})"
    comment = f"sum + k * x / 2^{shift}, the quotient rounded toward zero"
    head = f"static inline int32_t {name}(int32_t sum, int32_t k, int32_t x)"
    body = _split_at(shift) if shift <= 16 else _above_16(str(shift))
    return _either(name, comment, head, plain, body if split else None)


def _high_by(low: int, top: int, up: int, split: bool) -> Quotient:
    if low >= 16:
        which, span, body = "upper", f"16 to {32 - up}", _above_16("s")
    elif top <= 16:
        which, span, body = "lower", f"2 to {min(16, 32 - up)}", _below_16("s")
    else:
        which, span, body = "any", f"2 to {32 - up}", None
    name = f"add_high_{which}{_suffix(up, split)}"
    plain = f"add_high(sum, k * ((int32_t)1 << ({32 - up} - s)), {_times('x', up)})"
    comment = f"sum + k * x / 2^s, the quotient rounded toward zero, for s from {span}"
    head = f"static inline int32_t {name}(int32_t sum, int32_t k, int32_t x, int s)"
    return Quotient(_either(name, comment, head, plain, body if split else None), True)


def _suffix(up: int, split: bool) -> str:
    return (f"_{up}" if up else "") + ("" if split else "_long")


def _either(name: str, comment: str, head: str, plain: str, split: str | None) -> Primitive:
    """With a form for NS4D_SPLIT, if it has one."""
    if split is None:
        text = f"/* {comment}. */\n{head}\n{{\n    return {plain};\n}}\n"
        return Primitive(name, text, (primitives.ADD_HIGH,))
    text = (
        f"/* {comment}.\n{SPLIT_WHY} */\n{head}\n{{\n#if defined(NS4D_SPLIT)\n"
        "    const int32_t sign = shift_floor(k ^ x, 31);\n"
        f"{split}#else\n    return {plain};\n#endif\n}}\n"
    )
    return Primitive(
        name, text, split_needs=(primitives.SHIFT_FLOOR,), long_needs=(primitives.ADD_HIGH,)
    )


SPLIT_WHY = """\
   Without a long multiply: k * x = high * 2^i + low; as |k| < 2^15, both fit 32 bits. A shift
   rounds down; a negative product gets 2^s - 1 more before it, so that it rounds up."""


def _split_at(shift: int) -> str:
    """The upper part of x gives whole quotients."""
    mask = (1 << shift) - 1
    return (
        f"    const int32_t high = k * shift_floor(x, {shift}), low = k * (x & {mask});\n"
        f"    return sum + (high + shift_floor(low + (sign & {mask}), {shift}));\n"
    )


HALVES = "    const int32_t high = k * shift_floor(x, 16), low = k * (x & 65535);\n"


def _below_16(s: str) -> str:
    mask = f"(((int32_t)1 << {s}) - 1)"
    up = f"((int32_t)1 << (16 - {s}))"
    return f"{HALVES}    return sum + (high * {up} + shift_floor(low + (sign & {mask}), {s}));\n"


def _above_16(s: str) -> str:
    mask = f"(((int32_t)1 << ({s} - 16)) - 1)"
    return (
        f"{HALVES}    const int32_t carried = shift_floor(low + (sign & 65535), 16);\n"
        f"    return sum + shift_floor(high + (sign & {mask}) + carried, {s} - 16);\n"
    )


def _times(name: str, up: int) -> str:
    return f"{name} * {1 << up}" if up else name
