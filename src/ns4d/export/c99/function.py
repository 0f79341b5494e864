"""A function of the generated file: what one node computes per token, with all that it needs."""

from __future__ import annotations

from dataclasses import dataclass

from ns4d.export.c99.primitives import Primitive
from ns4d.export.c99.scalars import CType
from ns4d.export.c99.tables import Constant


@dataclass(frozen=True, eq=False)
class States:
    """The states of a node, in the caller's struct.

    Args:
        field: Its member.
        kind: Type of a component.
        count: How many complex numbers.
        comment: Where the state of a channel and mode is.
    """

    field: str
    kind: CType
    count: int
    comment: str

    @property
    def size_bytes(self) -> int:
        """RAM."""
        return 2 * self.kind.size_bytes * self.count


@dataclass(frozen=True, eq=False)
class Function:
    """One node in C.

    Args:
        name: Of the function.
        lines: Its definition.
        constants: What it reads.
        primitives: What it calls.
        states: What it remembers, if anything.
        multiplications, additions: Per token, as the loops run: zeros are multiplied too.
    """

    name: str
    lines: list[str]
    constants: tuple[Constant, ...]
    primitives: tuple[Primitive, ...]
    states: States | None
    multiplications: int
    additions: int
