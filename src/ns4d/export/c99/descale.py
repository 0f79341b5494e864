"""(4) in C: from an accumulator to a message."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from ns4d.export.c99 import primitives
from ns4d.export.c99.primitives import SPLIT_FACTOR_MAX, Primitive
from ns4d.export.c99.scalars import INT32, INT32_MAX, CType, sum_type
from ns4d.export.c99.tables import Table
from ns4d.numerics import Arithmetic, SynapseRounding
from ns4d.program import Descale


@dataclass(frozen=True)
class Descaling:
    """The last statement of a node.

    Args:
        statement: Assigns the message to its place.
        primitives: What it calls.
    """

    statement: str
    primitives: tuple[Primitive, ...]


def descale_columns(descale: Descale) -> dict[str, Int64[np.ndarray, " o"]]:
    """What (4) adds to the table of a node's channels."""
    return {"multiplier": descale.multiplier, "limit": descale.limit}


def descaling(
    arithmetic: Arithmetic,
    descale: Descale,
    v_bound: Int64[np.ndarray, " o"],
    table: Table,
    target: str,
    row: str = "k->",
    v: str = "v",
) -> Descaling:
    """The statement for one accumulator.

    Args:
        arithmetic: The profile.
        descale: The parameters.
        v_bound: Bound of each accumulator.
        table: The channels.
        target: The C expression that receives the message.
        row: That of the channel.
        v: That of the accumulator.
    """
    half = 0
    if arithmetic.synapse_rounding is SynapseRounding.HALF_UP:
        half = (1 << descale.shift) >> 1
    multiplier, limit = (table.value(name, row) for name in ("multiplier", "limit"))
    v_type = sum_type(int(v_bound.max()))
    most = int((v_bound.astype(object) * descale.multiplier).max()) + half
    kind = max(v_type, sum_type(most), key=lambda each: each.size_bytes)
    value, needs = _product(multiplier, v, int(descale.multiplier.max()), v_type, kind)
    value += f" + {half}" if half else ""
    if descale.shift:
        shift = primitives.SHIFT_FLOOR if kind is INT32 else primitives.SHIFT_FLOOR_64
        value, needs = f"{shift.name}({value}, {descale.shift})", (*needs, shift)
    fits = (most >> descale.shift) + 1 <= INT32_MAX
    if fits and kind is not INT32:
        value = f"(int32_t){value}" if descale.shift else f"(int32_t)({value})"
    clip = primitives.CLIP if fits else primitives.CLIP_64
    low = "0" if descale.relu else f"-{limit}"
    return Descaling(f"{target} = (message){clip.name}({value}, {low}, {limit});", (*needs, clip))


def _product(
    multiplier: str, v: str, k_max: int, v_type: CType, kind: CType
) -> tuple[str, tuple[Primitive, ...]]:
    if kind is INT32:
        return f"{multiplier} * {v}", ()
    if v_type is not INT32:
        return f"(int64_t){multiplier} * {v}", ()
    product = primitives.PRODUCT if k_max <= SPLIT_FACTOR_MAX else primitives.PRODUCT_LONG
    return f"{product.name}({multiplier}, {v})", (product,)
