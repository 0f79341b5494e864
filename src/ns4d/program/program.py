"""An integer program: a chain of nodes, proved free of overflow when it is built."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int64

from ns4d.errors import ConfigError, ShapeError
from ns4d.numerics import Arithmetic
from ns4d.program.certificate import NodeRange, certify
from ns4d.program.metadata import Metadata
from ns4d.program.nodes import S4D, Add, InputQuantizer, Node, Readout
from ns4d.program.structure import digest
from ns4d.program.tokens import admit
from ns4d.program.widths import parameter_bits, require_widths

if TYPE_CHECKING:
    from ns4d.engines import Engine, Stream
else:
    # Engines depend on programs; at run time the names only serve as annotations.
    Engine = Stream = object


@dataclass(frozen=True, eq=False)
class Program:
    """Integers plus an arithmetic profile: one meaning, the same bits on every engine.

    Args:
        arithmetic: Widths and roundings.
        input: Turns real tokens into messages.
        nodes: In order of execution; each node's outputs are the next one's inputs.
        readout: Adds up the class scores.
        metadata: Task, class names, provenance.

    Raises:
        ConfigError: A part of the wrong type, or two nodes of one name.
        ShapeError: Widths that do not chain, or a wrong number of class names.
        RangeError: An integer wider than the profile allows, or an accumulator that some input
            could overflow.
    """

    arithmetic: Arithmetic
    input: InputQuantizer
    nodes: tuple[Node, ...]
    readout: Readout
    metadata: Metadata

    def __post_init__(self) -> None:
        _require_parts(self)
        _require_chain(self)
        for node in (*self.nodes, self.readout):
            require_widths(self.arithmetic, node)
        _ = self.ranges

    @cached_property
    def ranges(self) -> tuple[NodeRange, ...]:
        """The range certificate: one entry per node, then the read-out's."""
        return certify(self.arithmetic, self.inputs, self.nodes, self.readout)

    @property
    def inputs(self) -> int:
        """Values per token."""
        return self.input.inputs

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, in the order of the scores."""
        return self.metadata.classes

    @property
    def channels(self) -> tuple[int, ...]:
        """Output channels of each node."""
        return tuple(node.outputs for node in self.nodes)

    @property
    def recurrent(self) -> tuple[S4D, ...]:
        """The nodes that hold a state, in order."""
        return tuple(node for node in self.nodes if isinstance(node, S4D))

    @cached_property
    def safe_tokens(self) -> int:
        """After how many tokens the 64-bit scores are still proved free of overflow."""
        per_token = self.ranges[-1].accumulator + np.abs(self.readout.bias)
        return (2**63 - 1) // max(int(per_token.max()), 1)

    @property
    def parameter_bytes(self) -> int:
        """Bytes of all parameters, packed at the widths of the profile; shifts not counted."""
        parts = (*self.nodes, self.readout)
        return -(-sum(parameter_bits(self.arithmetic, part) for part in parts) // 8)

    @cached_property
    def digest(self) -> str:
        """sha256 of everything in the program, as 64 hexadecimal digits."""
        return digest((self.arithmetic, self.input, self.nodes, self.readout, self.metadata))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Program) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def quantize_input(self, tokens: np.ndarray) -> Int64[np.ndarray, "..."]:
        """Equation (0), or a range check for tokens that are integers already.

        Args:
            tokens: (..., i): real numbers in the units of the task, or messages.

        Returns:
            int64 messages of the same shape.

        Raises:
            ShapeError: A wrong last axis, or neither floats nor integers.
            RangeError: NaN, infinity, or an integer wider than a message; the index is named.
        """
        return admit(self.arithmetic, self.input, tokens)

    def stream(self, engine: Engine | None = None) -> Stream:
        """A stream in zero state.

        Args:
            engine: What computes; the fastest here if None. No engine changes a result.

        Returns:
            The stream; it holds the state.
        """
        from ns4d.engines import Stream, default_engine

        return Stream(self, default_engine() if engine is None else engine)

    def run(
        self,
        sequences: np.ndarray,
        lengths: np.ndarray | None = None,
        engine: Engine | None = None,
    ) -> Int64[np.ndarray, "b classes"]:
        """Scores of many sequences, each from zero state.

        Args:
            sequences: (b, l, i): real numbers or messages, as in `quantize_input`.
            lengths: (b,) tokens that count in each, 1..l; what follows is padding, and must be
                legal all the same. All l if None.
            engine: What computes; the fastest here if None.

        Returns:
            (b, classes) scores after the last token of each sequence.

        Raises:
            ShapeError: Axes or lengths that do not fit.
            RangeError: An illegal token, or a length outside 1..l.
        """
        from ns4d.engines import default_engine, run

        return run(default_engine() if engine is None else engine, self, sequences, lengths)


def _require_parts(program: Program) -> None:
    kinds = {
        "arithmetic": Arithmetic,
        "input": InputQuantizer,
        "nodes": tuple,
        "readout": Readout,
        "metadata": Metadata,
    }
    for field, kind in kinds.items():
        if not isinstance(getattr(program, field), kind):
            _refuse_part(field, kind.__name__, getattr(program, field))
    for node in program.nodes:
        if not isinstance(node, Node):
            _refuse_part("nodes", "Dense, S4D or Add", node)
    # A file may claim a million nodes: one pass, not one per node.
    for name, times in Counter(node.name for node in program.nodes).items():
        if times > 1:
            raise ConfigError(
                "program nodes",
                expected="distinct names",
                got=f"'{name}' twice",
                fix="Rename one node.",
            )


def _refuse_part(field: str, expected: str, got: object) -> None:
    raise ConfigError(
        f"program {field}",
        expected=expected,
        got=type(got).__name__,
        fix="Build it from the classes of ns4d.program.",
    )


def _require_chain(program: Program) -> None:
    before, width = "input", program.inputs
    earlier: dict[str, int] = {}
    for node in (*program.nodes, program.readout):
        name = "readout" if isinstance(node, Readout) else f"node '{node.name}'"
        if node.inputs != width:
            raise ShapeError(
                name,
                expected=f"{width} inputs, as many as the outputs of {before}",
                got=str(node.inputs),
                fix="Check the order of the nodes.",
            )
        if isinstance(node, Add):
            _require_source(node, earlier)
        before, width = name, node.outputs
        if not isinstance(node, Readout):
            earlier[node.name] = width
    if width != len(program.classes):
        raise ShapeError(
            "metadata classes",
            expected=f"{width} names, one per row of the read-out",
            got=str(len(program.classes)),
            fix="Name every class once.",
        )


def _require_source(node: Add, earlier: dict[str, int]) -> None:
    """The source of an add comes before it and sends as many messages; `earlier` has the widths."""
    if earlier.get(node.source) != node.inputs:
        raise ShapeError(
            f"node '{node.name}' source",
            expected=f"an earlier node with {node.inputs} outputs",
            got=f"'{node.source}' with {earlier.get(node.source, 'no')} outputs before it",
            fix="Name the node whose messages are added.",
        )
