"""Machine code by Numba, kept on disk between processes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any


def stamp(folder: Path) -> str:
    """Of all sources in a folder: Numba's disk cache looks at the file of a function only.

    A function whose closure holds it is compiled again when any of them changes.
    """
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def kept(compiler: Callable[..., Any], function: Callable[..., Any]) -> Any:
    """Compile with the disk cache, or in every process where no folder can be written."""
    try:
        return compiler(cache=True)(function)
    except RuntimeError:
        return compiler()(function)
