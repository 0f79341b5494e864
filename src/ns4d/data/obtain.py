"""Finds a file of a task in the user's folder, or has it downloaded.

Nothing is ever written into the user's folder: it may be read-only.
"""

from __future__ import annotations

from pathlib import Path

from ns4d.data.download import cache_folder, download
from ns4d.data.pinned import PinnedFile, command
from ns4d.errors import DataError


def places(data_dir: Path, folder: str, name: str) -> tuple[Path, Path]:
    """Where a file may lie: in its subfolder, or directly in the data folder."""
    return data_dir / folder / name, data_dir / name


def obtain(file: PinnedFile, data_dir: Path | None, task: str) -> Path:
    """The path of a copy of the file; its content is not checked yet.

    Args:
        file: The file wanted.
        data_dir: The user's folder; None downloads to the per-user cache.
        task: The task it is for, named in the message.

    Raises:
        DataError: The folder has no such file, or no mirror gave it.
    """
    if data_dir is None:
        return download(file, cache_folder(), task)
    wanted = places(data_dir, file.folder, file.name)
    for path in wanted:
        if path.is_file():
            return path
    raise DataError(
        str(data_dir),
        expected=f"the file {file.folder}/{file.name} or {file.name}",
        got="neither",
        fix=f"Put it there, or run {command(task)} with the folder that has it; "
        "with neither --data-dir nor NS4D_DATA it is downloaded.",
    )
