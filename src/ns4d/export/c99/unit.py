"""A program as a translation unit of C: functions, types, buffers, before any text is joined."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ns4d.errors import RangeError
from ns4d.export.c99.buffers import Buffers, assign
from ns4d.export.c99.function import Function, States
from ns4d.export.c99.identifiers import identifiers
from ns4d.export.c99.neuron import neuron
from ns4d.export.c99.scalars import INT32, INT64, CType, within
from ns4d.export.c99.sensor import Sensor, quantizer
from ns4d.export.c99.synapses import add, dense, readout
from ns4d.program import Add, Dense, Program


@dataclass(frozen=True, eq=False)
class Unit:
    """What the files are written from.

    Args:
        program: The program.
        name: Prefix of every public name.
        length: Tokens that a sequence never exceeds, so that scores may be 32 bits wide; as many
            as 64-bit scores are proved for if None.
        sensor: Raw integers for which a quantizer is written too.

    Raises:
        RangeError: A length that 64-bit scores are not proved for.
    """

    program: Program
    name: str
    length: int | None = None
    sensor: Sensor | None = None

    def __post_init__(self) -> None:
        safe = self.program.safe_tokens
        if self.length is not None and not 1 <= self.length <= safe:
            raise RangeError(
                "--length",
                expected=f"1 to {safe} tokens, for which 64-bit scores are proved",
                got=str(self.length),
                fix="Start a new sequence, with init, before that.",
            )

    @property
    def tokens_max(self) -> int:
        """After how many tokens `step` refuses."""
        return self.program.safe_tokens if self.length is None else self.length

    @cached_property
    def score(self) -> CType:
        """Type of a score: 32 bits where the longest sequence provably stays within."""
        per_token = self.program.ranges[-1].accumulator + np.abs(self.program.readout.bias)
        bound = int(per_token.max()) * self.tokens_max
        return INT32 if self.length is not None and bound <= INT32.high else INT64

    @cached_property
    def message(self) -> CType:
        """Type of a message: of the input, of every node."""
        limits = [int(node.descale.limit.max()) for node in self.program.nodes]
        return within(max(self.program.arithmetic.message_max, *limits, 0))

    @cached_property
    def buffers(self) -> Buffers:
        """Where messages wait."""
        return assign(self.program)

    @cached_property
    def identifiers(self) -> Mapping[str, str]:
        """Node name -> identifier."""
        return identifiers(node.name for node in self.program.nodes)

    @cached_property
    def functions(self) -> tuple[Function, ...]:
        """One per node, the read-out last."""
        program = self.program
        limit = np.full(program.inputs, program.arithmetic.message_max, dtype=np.int64)
        sent, made = {}, []
        for node, proved in zip(program.nodes, program.ranges, strict=False):
            name = self.identifiers[node.name]
            if isinstance(node, Dense):
                made.append(dense(program.arithmetic, node, proved, limit, name))
            elif isinstance(node, Add):
                made.append(add(program.arithmetic, node, proved, (limit, sent[node.source]), name))
            else:
                made.append(neuron(program.arithmetic, node, proved, limit, name))
            limit = sent[node.name] = node.descale.limit
        last = readout(program.readout, program.ranges[-1], limit, self.score)
        return (*made, last)

    @cached_property
    def quantizer(self) -> Function | None:
        """(0) for a sensor."""
        return None if self.sensor is None else quantizer(self.program, self.sensor, self.name)

    @property
    def all_functions(self) -> tuple[Function, ...]:
        """The functions of a token, then what is beside them."""
        return (*self.functions, *([] if self.quantizer is None else [self.quantizer]))

    @property
    def states(self) -> tuple[States, ...]:
        """The states of the S4D nodes, in order."""
        return tuple(f.states for f in self.functions if f.states is not None)

    @property
    def states_in_order(self) -> list[States]:
        """As they stand in the struct: the widest first, so that only its end is padded."""
        return sorted(self.states, key=lambda states: -states.kind.size_bytes)
