"""Many sequences on one engine, each from zero state, in slices of the size it likes."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int64

from ns4d.engines.base import Engine
from ns4d.errors import ShapeError
from ns4d.program import Program
from ns4d.program.arrays import require_within
from ns4d.program.tokens import admit_sequences


def run(
    engine: Engine, program: Program, sequences: np.ndarray, lengths: np.ndarray | None = None
) -> Int64[np.ndarray, "b classes"]:
    """Scores of many sequences, each from zero state; see `Program.run`."""
    u = admit_sequences(program.arithmetic, program.input, sequences)
    ends = _ends(lengths, *u.shape[:2])
    scores = np.zeros((len(u), len(program.classes)), np.int64)
    for k in range(0, len(u), engine.batch):
        part = slice(k, k + engine.batch)
        last = ends[part] - 1
        machine = engine.load(program, len(last))
        after = machine.advance(u[part, : last.max() + 1])
        scores[part] = after[np.arange(len(last)), last]
    return scores


def _ends(lengths: np.ndarray | None, batch: int, tokens: int) -> Int64[np.ndarray, " b"]:
    ends = np.full(batch, tokens) if lengths is None else lengths
    if not isinstance(ends, np.ndarray) or ends.dtype.kind not in "iu" or ends.shape != (batch,):
        got = f"{ends.dtype} {ends.shape}" if isinstance(ends, np.ndarray) else str(type(ends))
        raise ShapeError(
            "lengths",
            expected=f"an integer array of shape ({batch},), one per sequence",
            got=got,
            fix="Leave it out if no sequence is padded.",
        )
    require_within("lengths", ends, 1, tokens, "Every sequence needs at least one token.")
    return ends.astype(np.int64)
