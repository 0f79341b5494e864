"""Write a folder whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from ns4d.errors import ArtefactError
from ns4d.storage import write_atomically

# What compilers leave in an exported folder: it may go with the old export.
BUILD = "build"


def write_folder(folder: Path, files: Mapping[str, bytes], *, replace: bool = False) -> None:
    """Create `folder` with these files in one rename; a crash or a full disk leaves no part of it.

    Args:
        folder: What to create. It may exist if it is empty.
        files: Path relative to the folder -> content.
        replace: Also put it in the place of an earlier export, which holds no other files than
            these and a `build` folder.

    Raises:
        ArtefactError: The folder holds something, or the file system refuses. What was there
            before is still there.
    """
    _require_free(folder, files, replace)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
        try:
            for name, content in files.items():
                write_atomically(new / name, content)
            new.chmod(0o755)
            _put(new, folder)
        except BaseException:
            shutil.rmtree(new, ignore_errors=True)
            raise
    except OSError as error:
        raise ArtefactError(
            str(folder),
            expected=f"to write {len(files)} files",
            got=f"{error.strerror or error}",
            fix="Choose another folder; what was there before is unchanged.",
        ) from error


def _put(new: Path, folder: Path) -> None:
    """A rename onto a folder works where that is empty; a full one is moved aside first."""
    if not folder.exists() or not any(folder.iterdir()):
        os.replace(new, folder)
        return
    aside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.old."))
    try:
        os.replace(folder, aside)
        os.replace(new, folder)
    except BaseException:
        if not folder.exists():
            os.replace(aside, folder)
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _require_free(folder: Path, files: Iterable[str], replace: bool) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise _taken(folder, "a file", "Name a folder.")
    there = {path.name for path in folder.iterdir()}
    ours = {Path(name).parts[0] for name in files} | {BUILD}
    if foreign := sorted(there - ours):
        raise _taken(folder, f"one with {', '.join(foreign[:3])}", "Choose another folder.")
    if there and not replace:
        raise _taken(folder, "an earlier export", "Add --replace to put this one in its place.")


def _taken(folder: Path, got: str, fix: str) -> ArtefactError:
    return ArtefactError(str(folder), expected="a new or empty folder", got=got, fix=fix)
