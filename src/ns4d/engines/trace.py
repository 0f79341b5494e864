"""The messages inside a program, for comparison layer by layer."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int64

from ns4d.engines.base import Engine
from ns4d.program import Program
from ns4d.program.tokens import admit_sequences


def by_node(
    program: Program, messages: Int64[np.ndarray, "b l _"]
) -> dict[str, Int64[np.ndarray, "b l _"]]:
    """The messages of all nodes side by side, in their order, as `Engine.trace` gives them.

    Args:
        program: Whose nodes sent them.
        messages: As wide as all nodes together.

    Returns:
        Node name -> its own, a copy.
    """
    ends = np.cumsum(program.channels)
    return {
        node.name: messages[:, :, end - node.outputs : end].copy()
        for node, end in zip(program.nodes, ends, strict=True)
    }


def trace(
    program: Program, sequences: np.ndarray, engine: Engine | None = None
) -> dict[str, Int64[np.ndarray, "b l _"]]:
    """The messages that every node sends.

    Args:
        program: What to run.
        sequences: (b, l, i) real numbers or messages, each from zero state.
        engine: What computes; the default engine if None.

    Returns:
        Node name -> (b, l, o) messages.

    Raises:
        ShapeError: Not of shape (b, l, i), or neither floats nor integers.
        RangeError: An illegal value.
    """
    from ns4d.engines.default import default_engine

    u = admit_sequences(program.arithmetic, program.input, sequences)
    return (default_engine() if engine is None else engine).trace(program, u)
