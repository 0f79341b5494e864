"""Where messages wait between nodes: as few buffers as the program needs, on the stack.

A node writes its messages where those that it reads stood, if it may and nobody needs them later.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ns4d.program import Add, Dense, Program


@dataclass(frozen=True)
class Buffers:
    """Which buffer each node writes to, and how long each buffer is.

    Args:
        of: Node name -> buffer; the token is that of the empty name.
        lengths: Messages in each buffer.
    """

    of: Mapping[str, int]
    lengths: tuple[int, ...]


def assign(program: Program) -> Buffers:
    """The first free buffer for every node, in order."""
    last = _last_uses(program)
    of, lengths = {"": 0}, [program.inputs]
    before = ""
    for index, node in enumerate(program.nodes):
        waiting = {of[name] for name in of if last[name] > index}
        # A dense node reads all its messages again for every one that it writes.
        reading = {of[before]} if isinstance(node, Dense) else set()
        slot = next(k for k in range(len(lengths) + 1) if k not in waiting | reading)
        if slot == len(lengths):
            lengths.append(0)
        lengths[slot] = max(lengths[slot], node.outputs)
        of[node.name] = slot
        before = node.name
    return Buffers(of, tuple(lengths))


def _last_uses(program: Program) -> dict[str, int]:
    """Name of a sender -> index of the last node that reads it; the read-out comes after all."""
    last, before = {"": 0}, ""
    for index, node in enumerate(program.nodes):
        last[before] = index
        if isinstance(node, Add):
            last[node.source] = index
        before = node.name
        last[before] = index + 1
    return last
