"""Tokens for a simulation: from a file, from the task's test part, or generated."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ns4d.bench.live import tokens_of
from ns4d.bench.program_data import data_of
from ns4d.errors import ConfigError, DataError
from ns4d.program import Program

SEED, GENERATED = 0, 256


def tokens_for(
    program: Program,
    source: str | None,
    sequence: int | None,
    count: int | None,
    data_dir: Path | None,
) -> tuple[str, np.ndarray]:
    """One stream.

    Args:
        program: What will run.
        source: A `.npy` or "-" as in `ns4d stream`; None for the other two.
        sequence: Index in the test part of the program's task; None for generated messages.
        count: At most so many tokens; all there are if None, or 256 generated ones.
        data_dir: As in `ns4d.data.load_task`.

    Returns:
        Where they come from, and (l, i) real numbers or messages.

    Raises:
        DataError: An unreadable file or data set, or no tokens.
        ConfigError: Two sources at once, an unknown task, or a sequence that is not there.
    """
    if source is not None and sequence is not None:
        fix = "Choose one of them."
        raise ConfigError("tokens", expected="one source", got="--input and --sequence", fix=fix)
    if source is not None:
        tokens = np.array(list(tokens_of(source, program.inputs))[:count])
        if not len(tokens):
            fix = "Give at least one token."
            raise DataError(source, expected="tokens", got="none", fix=fix)
        name = "standard input" if source == "-" else Path(source).name
        return name, tokens
    if sequence is not None:
        return _tested(program, sequence, count, data_dir)
    return "generated messages", _generated(program, GENERATED if count is None else count)


def _tested(
    program: Program, sequence: int, count: int | None, data_dir: Path | None
) -> tuple[str, np.ndarray]:
    task = program.metadata.task
    split = data_of(program, data_dir).test
    if not 0 <= sequence < len(split):
        raise ConfigError(
            "--sequence",
            expected=f"0 to {len(split) - 1}, the test part of {task}",
            got=str(sequence),
            fix="Name one of them.",
        )
    # Real numbers: raw bytes would pass for messages.
    return f"test sequence {sequence} of {task}", split.sequence(sequence)[:count]


def _generated(program: Program, count: int) -> np.ndarray:
    """Random messages over the whole range: livelier than most data."""
    top = program.arithmetic.message_max
    return np.random.default_rng(SEED).integers(-top, top + 1, (count, program.inputs))
