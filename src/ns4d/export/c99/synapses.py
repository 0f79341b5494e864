"""Weighted sums of messages in C: Dense, Add, the read-out."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Int64

from ns4d.export.c99 import primitives
from ns4d.export.c99.descale import descale_columns, descaling
from ns4d.export.c99.function import Function
from ns4d.export.c99.primitives import SPLIT_FACTOR_MAX, Primitive
from ns4d.export.c99.scalars import INT32, INT32_MAX, CType, sum_type
from ns4d.export.c99.tables import Matrix, Table, channel
from ns4d.numerics import Arithmetic
from ns4d.program import Add, Dense, NodeRange, Readout


def dense(
    arithmetic: Arithmetic,
    node: Dense,
    proved: NodeRange,
    limit: Int64[np.ndarray, " i"],
    name: str,
) -> Function:
    """(5), then (4): the function of a linear layer.

    Args:
        arithmetic: The profile.
        node: The node.
        proved: Its row of the certificate.
        limit: Largest magnitude of each message in.
        name: Its identifier.
    """
    weight = Matrix(f"{name}_weight", f"{node.name}: a row of weights per output", node.weight)
    columns = {"bias": node.bias, **descale_columns(node.descale)}
    channels = Table(f"{name}_channels", f"{node.name}: a row per output", columns)
    rows = _Rows(weight, channels, int(limit.max()), sum_type(int(proved.accumulator.max())))
    ends = [
        descaling(arithmetic, node.descale, proved.accumulator, channels, rows.output("m", r), *row)
        for r, row in enumerate(zip(rows.access, rows.sums, strict=True))
    ]
    lines = [
        f"/* {node.name}: {node.inputs} messages to {node.outputs}: (5), then (4). */",
        f"OWN_FRAME static void run_{name}(const message *u, message *m)",
        *rows.lines([end.statement for end in ends]),
    ]
    products = node.weight.size + node.outputs
    used = (*rows.primitives, *ends[0].primitives)
    return Function(
        f"run_{name}", lines, (weight, channels), used, None, products, node.weight.size
    )


def add(
    arithmetic: Arithmetic,
    node: Add,
    proved: NodeRange,
    limits: tuple[np.ndarray, np.ndarray],
    name: str,
) -> Function:
    """(10), then (4): the function of a residual connection; `limits` as in `dense`, of both."""
    columns = {"weight": node.weight, "skip": node.skip, **descale_columns(node.descale)}
    channels = Table(f"{name}_channels", f"{node.name}: a row per channel", columns)
    descaled = descaling(arithmetic, node.descale, proved.accumulator, channels, "m[h]")
    kind = sum_type(int(proved.accumulator.max()))
    weight, skip = (channels.value(column, "k->") for column in ("weight", "skip"))
    straight, needs = _term(weight, "in", node.weight, int(limits[0].max()), kind)
    around, more = _term(skip, "aside", node.skip, int(limits[1].max()), kind)
    lines = [
        f"/* {node.name}: {node.outputs} messages u, with s of {node.source}: (10), then (4). */",
        f"OWN_FRAME static void run_{name}(const message *u, const message *s, message *m)",
        "{",
        f"    for (int h = 0; h < {node.outputs}; h++) {{",
        *channel(channels, "h"),
        "        const int32_t in = u[h], aside = s[h];",
        f"        const {kind.name} v = {straight} + {around};",
        f"        {descaled.statement}",
        "    }",
        "}",
    ]
    used = (*needs, *more, *descaled.primitives)
    return Function(f"run_{name}", lines, (channels,), used, None, 3 * node.outputs, node.outputs)


def readout(
    node: Readout, proved: NodeRange, limit: Int64[np.ndarray, " i"], score: CType
) -> Function:
    """(6): the function that adds a token to the scores, its bias included; see `dense`."""
    weight = Matrix("readout_weight", "read-out: a row of weights per class", node.weight)
    channels = Table("readout_channels", "read-out: a row per class", {"bias": node.bias})
    kind = sum_type(int((proved.accumulator + np.abs(node.bias)).max()))
    rows = _Rows(weight, channels, int(limit.max()), kind)
    ends = [f"{rows.output('score', r)} += {v};" for r, v in enumerate(rows.sums)]
    lines = [
        f"/* read-out: {node.inputs} messages to {node.outputs} scores: (6). */",
        f"OWN_FRAME static void run_readout(const message *u, {score.name} *score)",
        *rows.lines(ends),
    ]
    products, sums = node.weight.size, node.weight.size + node.outputs
    used = rows.primitives
    return Function("run_readout", lines, (weight, channels), used, None, products, sums)


class _Rows:
    """The loops over a matrix, several rows at a time: a message is loaded once for them."""

    def __init__(self, weight: Matrix, channels: Table, message: int, kind: CType) -> None:
        self.weight, self.channels, self.kind = weight, channels, kind
        self.outputs, self.inputs = weight.values.shape
        self.count = next(count for count in (4, 2, 1) if self.outputs % count == 0)
        several = self.count > 1
        self.sums = [f"v{r}" for r in range(self.count)] if several else ["v"]
        self.access = [f"k[{r}]." for r in range(self.count)] if several else ["k->"]
        steps = [f"w[{r * self.inputs} + i]" if r else "w[i]" for r in range(self.count)]
        found = [_term(step, "in", weight.values, message, kind) for step in steps]
        self.terms, self.primitives = [term for term, _ in found], found[0][1]

    def output(self, array: str, row: int) -> str:
        """Where the result of a row goes."""
        return f"{array}[o + {row}]" if row else f"{array}[o]"

    def lines(self, ends: list[str]) -> Iterator[str]:
        """The body of the function."""
        step = f"o += {self.count}" if self.count > 1 else "o++"
        yield "{"
        yield f"    const {self.weight.kind.name} *w = {self.weight.name};"
        yield f"    for (int o = 0; o < {self.outputs}; {step}, w += {self.count * self.inputs}) {{"
        yield from channel(self.channels, "o")
        for v, row in zip(self.sums, self.access, strict=True):
            yield f"        {self.kind.name} {v} = {self.channels.value('bias', row)};"
        yield f"        for (int i = 0; i < {self.inputs}; i++) {{"
        yield "            const int32_t in = u[i];"
        for v, term in zip(self.sums, self.terms, strict=True):
            yield f"            {v} += {term};"
        yield "        }"
        yield from (f"        {end}" for end in ends)
        yield "    }"
        yield "}"


def _term(
    k: str, x: str, factors: np.ndarray, x_max: int, kind: CType
) -> tuple[str, tuple[Primitive, ...]]:
    """One product of a sum, in 32 bits or in 64; x is an int32_t."""
    if kind is INT32:
        return f"{k} * {x}", ()
    k_max = int(np.abs(factors).max())
    if k_max * x_max <= INT32_MAX:
        product = primitives.PRODUCT_SHORT
    else:
        product = primitives.PRODUCT if k_max <= SPLIT_FACTOR_MAX else primitives.PRODUCT_LONG
    return f"{product.name}({k}, {x})", (product,)
