"""(1)-(3) in C where the products are added exactly, then shifted once, a tie up."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int64

from ns4d.export.c99 import primitives
from ns4d.export.c99.bounds import NeuronBounds
from ns4d.export.c99.pieces import ONE_DRIVE, Pieces, saturation
from ns4d.export.c99.primitives import SPLIT_FACTOR_MAX, Primitive
from ns4d.export.c99.scalars import INT32, INT32_MAX, INT64, CType, sum_type
from ns4d.export.c99.tables import Table
from ns4d.numerics import Arithmetic
from ns4d.program import S4D


def shift_columns(node: S4D) -> dict[str, Int64[np.ndarray, " h"]]:
    """The exponents that a channel needs: the shift of each sum, what its terms are raised by."""
    shift, out_shift = (
        np.maximum(node.a_shift, node.b_shift),
        np.maximum(node.c_shift, node.d_shift),
    )
    return {
        "shift": shift,
        "a_up": shift - node.a_shift,
        "b_up": shift - node.b_shift,
        "out_shift": out_shift,
        "c_up": out_shift - node.c_shift,
        "d_up": out_shift - node.d_shift,
    }


class _Sum:
    """One of the two sums: its type, how its terms are written, what they call."""

    def __init__(self, node: S4D, bound: int, ups: tuple[str, ...], channels: Table) -> None:
        # 2^30 is the largest power that 32 bits hold, also where what it multiplies is always 0.
        small = all(int(channels.columns[up].max()) <= 30 for up in ups)
        self.kind: CType = sum_type(bound) if small else INT64
        self.channels, self.primitives = channels, dict[str, Primitive]()

    def product(self, k: str, factors: tuple[np.ndarray, ...], x: str, x_max: int) -> str:
        if self.kind is INT32:
            return f"{k} * {x}"
        k_max = max(int(np.abs(factor).max()) for factor in factors)
        if k_max * x_max <= INT32_MAX:
            chosen = primitives.PRODUCT_SHORT
        else:
            chosen = primitives.PRODUCT if k_max <= SPLIT_FACTOR_MAX else primitives.PRODUCT_LONG
        self.primitives[chosen.name] = chosen
        return f"{chosen.name}({k}, {x})"

    def raised(self, term: str, up: str) -> str:
        """Term · 2^up."""
        if up in self.channels.members:
            return f"{bracketed(term)} * (({self.kind.name})1 << {self.channels.value(up, 'k->')})"
        power = int(self.channels.columns[up][0])
        return f"{bracketed(term)} * {1 << power}" if power else term

    def half(self, shift: str) -> str:
        """Half of what is shifted away."""
        if shift in self.channels.members:
            return f"((({self.kind.name})1 << {self.channels.value(shift, 'k->')}) >> 1)"
        return str((1 << int(self.channels.columns[shift][0])) >> 1)

    def shifted(self, total: str, shift: str, after: int) -> str:
        """Total / 2^shift rounded down, in 32 bits if that holds it."""
        if not self.channels.columns[shift].any():
            value = total if self.kind is INT32 or after > INT32_MAX else f"({total})"
        else:
            floor = primitives.SHIFT_FLOOR if self.kind is INT32 else primitives.SHIFT_FLOOR_64
            self.primitives[floor.name] = floor
            value = f"{floor.name}({total}, {self.channels.value(shift, 'k->')})"
        return value if self.kind is INT32 or after > INT32_MAX else f"(int32_t){value}"


def plus(*terms: str) -> str:
    """A sum without its zeros."""
    return " + ".join(term for term in terms if term != "0")


def bracketed(term: str) -> str:
    """A term that may be a sum, as a factor."""
    return f"({term})" if " + " in term else term


def pieces(
    arithmetic: Arithmetic, node: S4D, bounds: NeuronBounds, modes: Table, channels: Table
) -> Pieces:
    """The statements of a node; see `each_toward_zero.pieces`."""
    inner = _Sum(node, bounds.update, ("shift", "a_up", "b_up"), channels)
    outer = _Sum(node, bounds.reduction, ("out_shift", "c_up", "d_up"), channels)
    before, starts = _starts(node, bounds, inner, modes, channels)
    update = _update(arithmetic, node, bounds, inner, starts, modes)
    c = (node.c_re, node.c_im)
    c_re = outer.product(modes.value("c_re", "mode->"), c, "next_re", bounds.state)
    c_im = outer.product(modes.value("minus_c_im", "mode->"), c, "next_im", bounds.state)
    d = outer.product(channels.value("d", "k->"), (node.d,), "in", bounds.message)
    total = plus(outer.raised("y", "c_up"), outer.raised(d, "d_up"), outer.half("out_shift"))
    v = outer.shifted(total, "out_shift", bounds.v)
    clips = ()
    if bounds.saturates:
        clips = (primitives.CLIP if bounds.after <= INT32_MAX else primitives.CLIP_64,)
    return Pieces(
        [*before, f"{outer.kind.name} y = 0;"],
        update,
        [f"y += {c_re};", f"y += {c_im};"],
        [f"const {sum_type(bounds.v).name} v = {v}; /* (3) */"],
        (*inner.primitives.values(), *outer.primitives.values(), *clips),
    )


def _starts(
    node: S4D, bounds: NeuronBounds, inner: _Sum, modes: Table, channels: Table
) -> tuple[list[str], tuple[str, str]]:
    """Statements before the loop, what the sums of a mode start from."""
    half = inner.half("shift")
    lines = []
    if not half.isdigit():
        lines, half = [f"const {inner.kind.name} half = {half};"], "half"
    b = (node.b_re, node.b_im)
    if node.has_one_drive:
        drive = inner.product(channels.value("b", "k->"), b, "in", bounds.message)
        text = f"const {inner.kind.name} drive = {plus(inner.raised(drive, 'b_up'), half)};"
        return [*lines, ONE_DRIVE, text], ("drive", half)
    drives = (
        inner.raised(
            inner.product(modes.value(f"b_{part}", "mode->"), b, "in", bounds.message), "b_up"
        )
        for part in ("re", "im")
    )
    re, im = (plus(half, drive) for drive in drives)
    return lines, (re, im)


def _update(
    arithmetic: Arithmetic,
    node: S4D,
    bounds: NeuronBounds,
    inner: _Sum,
    starts: tuple[str, str],
    modes: Table,
) -> list[str]:
    a = (node.a_re, node.a_im)
    a_re, a_im = modes.value("a_re", "mode->"), modes.value("a_im", "mode->")

    def product(k: str, x: str) -> str:
        return inner.product(k, a, x, bounds.state)

    terms = (
        f"{product(a_re, 're')} + {product(a_im, '-im')}",
        f"{product(a_re, 'im')} + {product(a_im, 're')}",
    )
    kind, totals = inner.kind.name, [inner.raised(term, "a_up") for term in terms]
    lines = [
        f"const {kind} sum_re = {plus(starts[0], totals[0])}; /* (1) */",
        f"const {kind} sum_im = {plus(starts[1], totals[1])}; /* (2) */",
    ]
    most = arithmetic.state_max
    narrow = bounds.after <= INT32_MAX
    for part in ("re", "im"):
        value = inner.shifted(f"sum_{part}", "shift", bounds.after)
        if not narrow:
            value = (
                f"clip_64({value}, -{most}, {most})" if bounds.saturates else f"(int32_t){value}"
            )
        const = "" if narrow and bounds.saturates else "const "
        lines.append(f"{const}int32_t next_{part} = {value};")
    return lines + (saturation(most) if narrow and bounds.saturates else [])
