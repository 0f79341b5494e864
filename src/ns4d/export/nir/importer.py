"""From a NIR file back to the program that it was exported from."""

from __future__ import annotations

from pathlib import Path

from ns4d.export.optional import require_packages
from ns4d.program import Program


def read(path: str | Path) -> Program:
    """The program in a NIR file that ns4d wrote, equal to the one that was exported.

    Args:
        path: The file.

    Returns:
        The program, built and proved again.

    Raises:
        ArtefactError: Missing, truncated, altered, from another tool, or newer.
        ConfigError: A package is not installed.
    """
    require_packages("nir", "nir", "h5py")
    from ns4d.export.nir import file

    return file.read(path)
