"""(1)-(3) in C where every product is shifted toward zero by itself."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int64

from ns4d.export.c99 import primitives
from ns4d.export.c99.bounds import NeuronBounds
from ns4d.export.c99.pieces import ONE_DRIVE, Pieces, saturation
from ns4d.export.c99.primitives import Primitive
from ns4d.export.c99.quotients import Quotient, choose_quotient
from ns4d.export.c99.scalars import INT32_MAX, sum_type
from ns4d.export.c99.tables import Table
from ns4d.numerics import Arithmetic
from ns4d.program import S4D


def shift_columns(node: S4D) -> dict[str, Int64[np.ndarray, " h"]]:
    """The exponents that a channel needs."""
    a_shift = np.full(node.outputs, node.a_shift)
    columns = {"b_shift": node.b_shift, "c_shift": node.c_shift, "d_shift": node.d_shift}
    return {"a_shift": a_shift, **columns}


def pieces(
    arithmetic: Arithmetic, node: S4D, bounds: NeuronBounds, modes: Table, channels: Table
) -> Pieces:
    """The statements of a node.

    Args:
        arithmetic: The profile.
        node: The node.
        bounds: What its intermediates reach.
        modes, channels: Where its constants are.
    """
    a_shift = np.full(node.outputs, node.a_shift)
    a = np.concatenate([node.a_re, node.a_im], axis=1)
    c = np.concatenate([node.c_re, node.c_im], axis=1)
    recur = choose_quotient(a, bounds.state, a_shift, bounds.update)
    out = choose_quotient(c, bounds.state, node.c_shift, bounds.reduction)
    before, start, needs = _drive(node, bounds, modes, channels)
    d, d_needs = _once(node.d, "d", "d_shift", node.d_shift, bounds.message, bounds.v, channels)
    update = _update(arithmetic, bounds, recur, start, modes, channels)
    c_shift = _shift(channels, "c")
    clip = (primitives.CLIP,) if bounds.update <= INT32_MAX else (primitives.CLIP_64,)
    return Pieces(
        [*before, f"{sum_type(bounds.v).name} v = {d}; /* (3) */"],
        update,
        [
            f"v = {out.added_to('v', modes.value(c, 'mode->'), x, c_shift)};"
            for c, x in (("c_re", "next_re"), ("minus_c_im", "next_im"))
        ],
        [],
        (recur.primitive, out.primitive, *needs, *d_needs, *(clip if bounds.saturates else ())),
    )


def _shift(channels: Table, of: str) -> str:
    return channels.value(f"{of}_shift", "k->")


def _update(
    arithmetic: Arithmetic,
    bounds: NeuronBounds,
    recur: Quotient,
    start: tuple[str, str],
    modes: Table,
    channels: Table,
) -> list[str]:
    wide = bounds.update > INT32_MAX
    total = ("sum_re", "sum_im") if wide else ("next_re", "next_im")
    a_re, a_im = modes.value("a_re", "mode->"), modes.value("a_im", "mode->")
    kind, shift = sum_type(bounds.update).name, _shift(channels, "a")
    lines = [
        f"{kind} {total[0]} = {recur.added_to(start[0], a_re, 're', shift)}; /* (1) */",
        f"{kind} {total[1]} = {recur.added_to(start[1], a_re, 'im', shift)}; /* (2) */",
        f"{total[0]} = {recur.added_to(total[0], a_im, '-im', shift)};",
        f"{total[1]} = {recur.added_to(total[1], a_im, 're', shift)};",
    ]
    most = arithmetic.state_max
    if wide:
        for part in ("re", "im"):
            clipped = f"clip_64(sum_{part}, -{most}, {most})"
            value = clipped if bounds.saturates else f"(int32_t)sum_{part}"
            lines.append(f"const int32_t next_{part} = {value};")
    elif bounds.saturates:
        lines += saturation(most)
    return lines


def _drive(
    node: S4D, bounds: NeuronBounds, modes: Table, channels: Table
) -> tuple[list[str], tuple[str, str], tuple[Primitive, ...]]:
    """Statements before the loop, what the sums of a mode start from, primitives."""
    kind = sum_type(bounds.update).name
    if node.has_one_drive:
        b, needs = _once(
            node.b_re, "b", "b_shift", node.b_shift, bounds.message, bounds.update, channels
        )
        return [ONE_DRIVE, f"const {kind} drive = {b};"], ("drive", "0"), needs
    b = np.concatenate([node.b_re, node.b_im], axis=1)
    drive = choose_quotient(b, bounds.message, node.b_shift, bounds.update)
    shift = _shift(channels, "b")
    start = (
        drive.added_to("0", modes.value("b_re", "mode->"), "in", shift),
        drive.added_to("0", modes.value("b_im", "mode->"), "in", shift) if node.b_im.any() else "0",
    )
    return [], start, (drive.primitive,)


def _once(
    factor: np.ndarray,
    column: str,
    shift_column: str,
    shift: np.ndarray,
    message: int,
    total: int,
    channels: Table,
) -> tuple[str, tuple[Primitive, ...]]:
    """t(k·in, s), once per channel: no need for the cheapest form."""
    k, s = channels.value(column, "k->"), channels.value(shift_column, "k->")
    short = int(np.abs(factor).max()) * message <= INT32_MAX
    if not shift.any() and short:
        return f"{k} * in", ()
    if short and shift.max() <= 30:
        return f"shift_toward_zero({k} * in, {s})", (primitives.SHIFT_TOWARD_ZERO,)
    cast = "(int32_t)" if total <= INT32_MAX else ""
    wide = f"{cast}shift_toward_zero_64((int64_t){k} * in, {s})"
    return wide, (primitives.SHIFT_TOWARD_ZERO_64,)
