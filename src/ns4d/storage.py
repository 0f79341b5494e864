"""Write a file whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from ns4d.errors import ArtefactError, ConfigError


def require_folder(where: str, folder: Path) -> None:
    """Refuse a file where results will go, before the work rather than after it.

    Args:
        where: The option that named it, for the error.
        folder: It need not be there yet.

    Raises:
        ConfigError: It is a file.
    """
    if folder.exists() and not folder.is_dir():
        fix = "Name a folder; it is made if it is not there."
        raise ConfigError(where, expected="a folder", got=f"the file {folder}", fix=fix)


def write_atomically(path: Path, content: bytes) -> None:
    """Replace `path` by `content` in one step: temporary file beside it, fsync, rename, fsync.

    A reader, a crash or a full disk sees the old file or the new one, never a part.

    Args:
        path: The file to write; its folder is created.
        content: All of it.

    Raises:
        ArtefactError: If the file system refuses; the old file is still there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(name, 0o644)
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
    except OSError as error:
        raise ArtefactError(
            str(path),
            expected=f"to write {len(content):,} bytes",
            got=f"{error.strerror or error}",
            fix="Free some space or choose another folder; what was there before is unchanged.",
        ) from error


def _sync_folder(folder: Path) -> None:
    """Make the rename itself survive a power cut, where folders can be opened (POSIX)."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
