"""Downloads a file of a task to the per-user cache, from the first mirror that works.

pooch is imported here, when something is to be downloaded. It writes to a temporary name,
compares the SHA-256, then renames: an interrupted download leaves no file behind.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ns4d.data.pinned import PinnedFile, command
from ns4d.errors import DataError

TIMEOUT_S = 30


def cache_folder() -> Path:
    """The folder of this user for downloaded files."""
    return Path(_pooch("the cache folder").os_cache("ns4d"))


def download(file: PinnedFile, cache: Path, task: str) -> Path:
    """The path of the file in the cache, fetched unless it is already there intact.

    Args:
        file: The file wanted; its mirrors are tried in turn.
        cache: The cache folder; the file goes to its subfolder.
        task: The task it is for, named in the message.

    Raises:
        DataError: No mirror gave a file with the right SHA-256, or pooch is not installed.
    """
    pooch = _pooch(file.name)
    downloader = pooch.HTTPDownloader(timeout=TIMEOUT_S)
    failures = []
    for mirror in file.mirrors:
        try:
            found = pooch.retrieve(
                mirror + file.name,
                known_hash=f"sha256:{file.sha256}",
                fname=file.name,
                path=cache / file.folder,
                downloader=downloader,
            )
        except (OSError, ValueError) as error:
            failures.append(f"{mirror} ({_reason(error)})")
        else:
            return Path(found)
    raise DataError(
        file.name,
        expected="a download with the right SHA-256",
        got="; ".join(failures) or "no mirror to try",
        fix=f"Put it into FOLDER/{file.folder}/{file.name} by other means, "
        f"then run {command(task)}.",
    )


def _reason(error: Exception) -> str:
    if isinstance(error, ValueError) and "hash" in str(error):
        return "altered: wrong SHA-256"
    return f"{type(error).__name__}: {error}"


def _pooch(wanted: str) -> Any:
    try:
        import pooch
    except ImportError as error:
        raise DataError(
            wanted,
            expected="the package pooch, which downloads data sets",
            got="it is not installed",
            fix="Run `pip install pooch`, or name a folder that has the files with --data-dir.",
        ) from error
    return pooch
