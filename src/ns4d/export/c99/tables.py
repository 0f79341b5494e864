"""Constants in flash: an array of structures, whose members are as narrow as their values allow.

A column that has one value everywhere is no member: its value stands in the code as a number.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

import numpy as np
from jaxtyping import Int64

from ns4d.export.c99.layout import filled
from ns4d.export.c99.scalars import CType, narrowest


@dataclass(frozen=True, eq=False)
class Table:
    """One structure per row, one member per column that varies.

    Args:
        name: Identifier of the array; the structure is `struct <name>_row`.
        what: What a row is, for the comment.
        columns: Member name -> its value in every row.
        rows_per_group: A group of rows starts a line of its own.
    """

    name: str
    what: str
    columns: Mapping[str, Int64[np.ndarray, " rows"]]
    rows_per_group: int = 1

    @cached_property
    def rows(self) -> int:
        """How many structures."""
        return len(next(iter(self.columns.values())))

    @cached_property
    def members(self) -> Mapping[str, CType]:
        """The columns that vary with their types, widest first, so that nothing is padded inside.

        A table with one row keeps no column either: all of it is in the code.
        """
        varying = {k: v for k, v in self.columns.items() if (v != v[0]).any()}
        typed = {k: narrowest(int(v.min()), int(v.max())) for k, v in varying.items()}
        return dict(sorted(typed.items(), key=lambda entry: -entry[1].size_bytes))

    @property
    def size_bytes(self) -> int:
        """Flash: the structures with the padding at their ends."""
        sizes = [kind.size_bytes for kind in self.members.values()]
        return self.rows * -(-sum(sizes) // sizes[0]) * sizes[0] if sizes else 0

    def value(self, column: str, row: str) -> str:
        """The C expression of a column: a member of a row such as `k->`, or a number."""
        if column in self.members:
            return row + column
        return literal(int(self.columns[column][0]))

    def lines(self) -> Iterator[str]:
        """The definition; nothing if no column varies."""
        if not self.members:
            return
        yield f"/* {self.what} */"
        yield f"static const struct {self.name}_row {{"
        for kind, members in groupby(self.members, self.members.__getitem__):
            yield f"    {kind.name} {', '.join(members)};"
        yield f"}} {self.name}[{self.rows}] = {{"
        values = np.stack([self.columns[name] for name in self.members], axis=1)
        for start in range(0, self.rows, self.rows_per_group):
            group = values[start : start + self.rows_per_group]
            yield from filled([f"{{{', '.join(map(str, row))}}}" for row in group.tolist()])
        yield "};"


@dataclass(frozen=True, eq=False)
class Matrix:
    """A matrix, row by row.

    Args:
        name: Identifier of the array.
        what: What it is, for the comment.
        values: The elements.
    """

    name: str
    what: str
    values: Int64[np.ndarray, "o i"]

    @cached_property
    def kind(self) -> CType:
        """Type of an element."""
        return narrowest(int(self.values.min()), int(self.values.max()))

    @property
    def size_bytes(self) -> int:
        """Flash."""
        return self.values.size * self.kind.size_bytes

    def lines(self) -> Iterator[str]:
        """The definition."""
        count = " * ".join(map(str, self.values.shape))
        yield f"/* {self.what} */"
        yield f"static const {self.kind.name} {self.name}[{count}] = {{"
        for row in self.values.tolist():
            yield from filled(list(map(str, row)))
        yield "};"


Constant = Table | Matrix


def channel(table: Table, index: str) -> list[str]:
    """The statement that makes `k` the row of a channel, unless nothing is in the rows."""
    if not table.members:
        return []
    return [f"        const struct {table.name}_row *const k = &{table.name}[{index}];"]


def literal(value: int) -> str:
    """An integer as C reads it, in brackets if negative."""
    return f"({value})" if value < 0 else str(value)
