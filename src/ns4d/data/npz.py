"""Reads the arrays of a .npz file without ever unpickling."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from ns4d.errors import DataError

_UNREADABLE = (
    OSError,
    EOFError,
    ValueError,
    RuntimeError,  # an encrypted member, an unknown compression
    MemoryError,  # a header that claims more than there is
    zipfile.BadZipFile,
    zlib.error,
)


def read_npz(path: Path, fix: str) -> dict[str, np.ndarray]:
    """All arrays of the file by name.

    Args:
        path: The file, as written by numpy.savez.
        fix: What to do when it cannot be read, for the message.

    Raises:
        DataError: It is missing, truncated, altered, or holds Python objects.
    """
    if not path.exists():
        where = path.absolute()
        raise DataError(str(path), expected=f"a file at {where}", got="none", fix="Check the path.")
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            # First the checksums: NumPy stops reading where an altered header says the array ends.
            if (altered := archive.testzip()) is not None:
                raise zipfile.BadZipFile(f"Bad CRC-32 for file {altered!r}")
            names = archive.namelist()
            return {name.removesuffix(".npy"): _read_member(archive, name) for name in names}
    except _UNREADABLE as error:
        expected = "a .npz file of numbers and text"
        got = f"{type(error).__name__}: {error}"
        raise DataError(str(path), expected=expected, got=got, fix=fix) from error


def _read_member(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    with archive.open(name) as member:
        return np.lib.format.read_array(member, allow_pickle=False)
