"""Compare an integer program with the float network it came from, over a whole split."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from ns4d.data import Split
from ns4d.engines import Engine
from ns4d.program import Program


@dataclass(frozen=True)
class Agreement:
    """Float and integer decisions side by side.

    Args:
        sequences: How many sequences.
        tokens: How many tokens were streamed.
        float_correct: Right decisions of the float network.
        integer_correct: Right decisions of the integer program.
        equal: Decisions that are the same in both.
    """

    sequences: int
    tokens: int
    float_correct: int
    integer_correct: int
    equal: int

    @property
    def float_accuracy(self) -> float:
        """Fraction of right decisions in floating point."""
        return self.float_correct / self.sequences

    @property
    def integer_accuracy(self) -> float:
        """Fraction of right decisions in integers."""
        return self.integer_correct / self.sequences

    @property
    def agreement(self) -> float:
        """Fraction of decisions that are the same."""
        return self.equal / self.sequences


def stream_split(
    program: Program,
    split: Split,
    *,
    engine: Engine | None = None,
    batch: int = 64,
    progress: Callable[[int, int], None] | None = None,
) -> Int[np.ndarray, "b classes"]:
    """Scores of every sequence of a split, token by token, batches spread over the cores.

    Args:
        program: What to run.
        split: Raw sequences; they are quantized with the program's own input node.
        engine: What computes; the default engine if None.
        batch: Streams per call.
        progress: Called with the sequences done and their total.

    Returns:
        One row of scores per sequence, after its last token.
    """
    starts = range(0, len(split), batch)
    done = 0

    def run(start: int) -> np.ndarray:
        part = slice(start, start + batch)
        # Integers would be taken for messages, raw bytes are not: make them real numbers.
        tokens = split.tokens[part].astype(np.float64)
        return program.run(tokens, split.lengths[part], engine)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        rows = []
        for scores in pool.map(run, starts):
            rows.append(scores)
            done += len(scores)
            if progress is not None:
                progress(done, len(split))
    return np.concatenate(rows)


def agreement(
    logits: Float[np.ndarray, "b classes"], scores: Int[np.ndarray, "b classes"], split: Split
) -> Agreement:
    """Count right and equal decisions.

    Args:
        logits: Of the float network, one row per sequence.
        scores: Of the integer program, in the same order.
        split: The labels and lengths.

    Returns:
        The counts.
    """
    floats, integers = logits.argmax(1), scores.argmax(1)
    return Agreement(
        sequences=len(split),
        tokens=int(split.lengths.sum()),
        float_correct=int((floats == split.labels).sum()),
        integer_correct=int((integers == split.labels).sum()),
        equal=int((floats == integers).sum()),
    )
