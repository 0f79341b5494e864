"""Tokens from a file or from standard input into a stream whose state can be kept."""

from __future__ import annotations

import io
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from ns4d.choice import choose
from ns4d.engines import ENGINES, Engine, State, Stream
from ns4d.errors import ArtefactError, DataError
from ns4d.program import Program
from ns4d.storage import write_atomically


def engine_of(name: str) -> Engine:
    """The engine of that name.

    Raises:
        ConfigError: There is none.
    """
    return choose("--engine", ENGINES, name, "Leave it out: no engine changes a result.")()


OWNER = "program"  # under this name, the digest of the program beside the arrays of its state


def open_stream(program: Program, engine: Engine, state: Path | None) -> Stream:
    """A stream from zero state, or from the state in a file that exists.

    Args:
        program: What to run.
        engine: What computes.
        state: An `.npz` that `keep_state` wrote.

    Raises:
        ArtefactError: The file cannot be read as a state, or is that of another program.
        ShapeError: It has other nodes or sizes than those of this program.
        RangeError: No run of this program could have led to it.
    """
    stream = program.stream(engine)
    if state is not None and state.exists():
        arrays = _arrays(state)
        owner = str(arrays.pop(OWNER, program.digest))
        if owner != program.digest:
            raise ArtefactError(
                str(state),
                expected=f"a state of this program (digest {program.digest[:12]})",
                got=f"one of another program ({owner[:12]})",
                fix="Name that program, or remove the file to start from zero state.",
            )
        stream.state = State.from_arrays(arrays)
    return stream


def keep_state(stream: Stream, path: Path) -> None:
    """Write the state of a stream with the digest of its program, whole or not at all."""
    buffer = io.BytesIO()
    arrays = {OWNER: np.array(stream.program.digest), **stream.state.to_arrays()}
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    write_atomically(path, buffer.getvalue())


def tokens_of(source: str, inputs: int) -> Iterator[Float64[np.ndarray, " i"]]:
    """Real tokens, one at a time, as they come.

    Args:
        source: Path of a `.npy` of shape (l, i) or (l,), or "-" for standard input: a line per
            token, its values separated by blanks or commas.
        inputs: Values per token.

    Raises:
        DataError: Not of this form; the line or the file is named.
    """
    if source == "-":
        for number, line in enumerate(sys.stdin, start=1):
            if line.strip():
                yield _parsed(f"standard input, line {number}", line, inputs)
        return
    yield from _loaded(Path(source), inputs)


def _parsed(where: str, line: str, inputs: int) -> Float64[np.ndarray, " i"]:
    words = line.replace(",", " ").split()
    try:
        token = np.array([float(word) for word in words])
    except ValueError as error:
        raise _refuse(where, f"{inputs} numbers", repr(line.strip()[:80])) from error
    if len(token) != inputs:
        raise _refuse(where, f"{inputs} numbers", str(len(token)))
    return token


def _loaded(path: Path, inputs: int) -> Float64[np.ndarray, "l i"]:
    try:
        tokens = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise _refuse(str(path), "a .npy file", str(error)[:200]) from error
    if not isinstance(tokens, np.ndarray):
        tokens.close()
        raise _refuse(str(path), "a .npy file, one array", "an archive of arrays")
    tokens = tokens[:, None] if tokens.ndim == 1 and inputs == 1 else tokens
    if tokens.ndim != 2 or tokens.shape[1] != inputs or tokens.dtype.kind not in "fiu":
        raise _refuse(
            str(path), f"numbers of shape (l, {inputs})", f"{tokens.dtype} {tokens.shape}"
        )
    return tokens.astype(np.float64)


def _arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise ArtefactError(
            str(path),
            expected="a state that `ns4d stream --state` wrote",
            got=str(error)[:200],
            fix="Remove the file to start from zero state.",
        ) from error


def _refuse(where: str, expected: str, got: str) -> DataError:
    fix = "Give one token per line or row."
    return DataError(where, expected=expected, got=got, fix=fix)
