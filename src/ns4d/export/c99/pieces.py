"""The pieces of an S4D node in C that depend on the product rounding."""

from __future__ import annotations

from dataclasses import dataclass

from ns4d.export.c99.primitives import Primitive


@dataclass(frozen=True)
class Pieces:
    """Statements, without their indentation.

    Args:
        before: Before the loop over the modes; `in` is the message.
        update: From `re`, `im` to `next_re`, `next_im`: (1), (2).
        output: Adds a mode to the sum of (3).
        after: Behind the loop; defines `v`, if `before` did not.
        primitives: What they call.
    """

    before: list[str]
    update: list[str]
    output: list[str]
    after: list[str]
    primitives: tuple[Primitive, ...]


ONE_DRIVE = "/* b is real and the same for every mode. */"


def saturation(largest: int) -> list[str]:
    """(d) for `next_re`, `next_im`, both 32 bits wide, by one test that is almost never true."""
    either = f"((uint32_t)next_re + {largest}u) | ((uint32_t)next_im + {largest}u)"
    return [
        "/* (d) One test for both. Where it holds without need, the clips change nothing. */",
        f"if (({either}) > {2 * largest}u) {{",
        f"    next_re = clip(next_re, -{largest}, {largest});",
        f"    next_im = clip(next_im, -{largest}, {largest});",
        "}",
    ]
