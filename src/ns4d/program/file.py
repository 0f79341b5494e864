"""One .ns4d file: a safetensors file whose header carries the program's structure as JSON.

The header has one metadata entry, `ns4d`, canonical JSON with the keys

    format     "ns4d-program"
    version    1; a reader refuses a larger one before it looks at anything else
    checksum   sha256 of the whole file with these 64 digits, where they first occur, as zeros
    digest     sha256 of the program; see `ns4d.program.structure`
    program    the structure; its arrays are the tensors of the file

Any changed, missing or added byte is therefore found before a tensor is read. Integers are stored
in the smallest of int8, int16, int32, int64 that holds them; loading widens them.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
from safetensors.numpy import save as to_bytes

from ns4d.errors import ArtefactError, Ns4dError
from ns4d.program.program import Program
from ns4d.program.structure import Tensors, canonical_json, put_together, take_apart
from ns4d.storage import write_atomically

FORMAT = "ns4d-program"
VERSION = 1
BYTES_MAX = 2**30
SHOWN_MAX = 300

_BLANK = "0" * 64
_STORED = {"I8": np.int8, "I16": np.int16, "I32": np.int32, "I64": np.int64, "F64": np.float64}
_AGAIN = "Get the file again, or write it again with ns4d.save."


def save(program: Program, path: str | Path) -> None:
    """Write a program in one step: the file appears whole or not at all.

    Args:
        program: What to write.
        path: Where; an existing file is replaced.

    Raises:
        ArtefactError: The file system refuses; what was there before is unchanged.
    """
    write_atomically(Path(path), encode(program))


def load(path: str | Path) -> Program:
    """Read a program and check all of it.

    Args:
        path: A file that `save` wrote.

    Returns:
        A program equal to the saved one.

    Raises:
        ArtefactError: Missing, altered, truncated, foreign, newer, or not a legal program.
    """
    path = Path(path)
    try:
        if not path.is_file():
            raise _refuse(path, "a file", "nothing" if not path.exists() else "no regular file")
        if path.stat().st_size > BYTES_MAX:
            raise _refuse(path, f"at most {BYTES_MAX} bytes", f"{path.stat().st_size}")
        return decode(path, path.read_bytes())
    except OSError as error:
        raise _refuse(path, "a readable file", error.strerror or str(error)) from error


def encode(program: Program) -> bytes:
    """The bytes of a program's file; the same program gives the same bytes."""
    parts = (program.arithmetic, program.input, program.nodes, program.readout, program.metadata)
    structure, tensors = take_apart(parts)
    header = {
        "format": FORMAT,
        "version": VERSION,
        "checksum": _BLANK,
        "digest": program.digest,
        "program": structure,
    }
    stored = {name: _smallest(array) for name, array in tensors.items()}
    blank = to_bytes(stored, metadata={"ns4d": canonical_json(header)})
    return blank.replace(_BLANK.encode(), _checksum(blank).encode(), 1)


def decode(path: Path, content: bytes) -> Program:
    """The inverse of `encode`; `path` is only named in errors."""
    header = _header(path, content)
    _require_intact(path, content, header)
    try:
        tensors = _tensors(content)
        program = Program(*put_together(header["program"], tensors))
    except (
        Ns4dError,
        safetensors.SafetensorError,
        *(KeyError, TypeError, ValueError, AttributeError, RecursionError, OverflowError),
    ) as error:
        raise _refuse(path, "a legal program", f"{type(error).__name__}: {error}") from error
    if program.digest != header.get("digest"):
        raise _refuse(path, f"digest {header.get('digest')}", program.digest)
    return program


def _header(path: Path, content: bytes) -> dict[str, Any]:
    """The `ns4d` entry of the header, of a format and version that we know."""
    size = int.from_bytes(content[:8], "little")
    if len(content) < 8 or not 2 <= size <= len(content) - 8:
        raise _refuse(path, "a safetensors file", f"{len(content)} bytes without its header")
    try:
        header = json.loads(json.loads(content[8 : 8 + size])["__metadata__"]["ns4d"])
        format, version = header["format"], header["version"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        got = f"a header without one ({type(error).__name__})"
        raise _refuse(path, "a safetensors file with an 'ns4d' entry", got) from error
    if format != FORMAT or type(version) is not int or version < 1:
        raise _refuse(path, f"format {FORMAT}", f"{format!r}, version {version!r}")
    if version > VERSION:
        raise ArtefactError(
            str(path),
            expected=f"version {VERSION} or older",
            got=f"version {version}",
            fix="A newer ns4d wrote it: install that version.",
        )
    return header


def _require_intact(path: Path, content: bytes, header: dict[str, Any]) -> None:
    recorded = str(header.get("checksum")).encode("utf-8", "replace")
    if len(recorded) != 64:
        raise _refuse(path, "a sha256 checksum", recorded.decode("utf-8", "replace")[:80])
    actual = _checksum(content.replace(recorded, _BLANK.encode(), 1))
    if actual.encode() != recorded:
        raise _refuse(path, f"checksum {recorded.decode()}", f"{actual}: the file was altered")


def _checksum(blank: bytes) -> str:
    return hashlib.sha256(blank).hexdigest()


def _tensors(content: bytes) -> Tensors:
    tensors = {}
    for name, entry in safetensors.deserialize(content):
        flat = np.frombuffer(entry["data"], dtype=np.dtype(_STORED[entry["dtype"]]))
        tensors[name] = flat.reshape(entry["shape"])
    return tensors


def _smallest(array: np.ndarray) -> np.ndarray:
    if array.dtype.kind == "f":
        return array
    for dtype in (np.int8, np.int16, np.int32):
        if array.min() >= np.iinfo(dtype).min and array.max() <= np.iinfo(dtype).max:
            return array.astype(dtype)
    return array


def _refuse(path: Path, expected: str, got: str) -> ArtefactError:
    return ArtefactError(str(path), expected=_short(expected), got=_short(got), fix=_AGAIN)


def _short(text: str) -> str:
    """What a file claims may be megabytes long; an error is for reading."""
    return text if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]}…"
