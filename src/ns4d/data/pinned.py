"""A file whose content is known in advance.

Checksums are compared before a byte is interpreted: a truncated or altered file is reported as
such, not as whatever its content would break.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import final

from ns4d.errors import ConfigError, DataError


@final
@dataclass(frozen=True)
class PinnedFile:
    """What a file must contain, where it is kept, where it can be had.

    Args:
        name: The file name, the same on disk as on the mirrors.
        folder: The subfolder of the data folder, for example mnist.
        size: Its length in bytes.
        sha256: Its SHA-256, 64 hexadecimal digits.
        mirrors: Addresses that end in a slash; the name is appended. Tried in this order.
    """

    name: str
    folder: str
    size: int
    sha256: str
    mirrors: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not re.fullmatch("[0-9a-f]{64}", self.sha256):
            self._refuse_setting("sha256", "64 hexadecimal digits", self.sha256)
        if self.size < 1:
            self._refuse_setting("size", "at least 1 byte", self.size)
        for mirror in self.mirrors:
            if not mirror.endswith("/"):
                self._refuse_setting("mirrors", "addresses that end in a slash", mirror)

    def read(self, path: Path, task: str) -> bytes:
        """The content of a copy of this file, after checking it.

        Args:
            path: The copy.
            task: The task it is for, named in the message.

        Raises:
            DataError: The copy is shorter, longer or altered.
        """
        content = path.read_bytes()
        if len(content) != self.size:
            self._refuse(path, task, f"{self.size} bytes", f"{len(content)} bytes")
        found = hashlib.sha256(content).hexdigest()
        if found != self.sha256:
            self._refuse(path, task, f"SHA-256 {self.sha256}", found)
        return content

    def _refuse_setting(self, setting: str, expected: str, got: object) -> None:
        fix = "Copy it from the page that publishes the file."
        raise ConfigError(f"{self.name}, {setting}", expected=expected, got=repr(got), fix=fix)

    def _refuse(self, path: Path, task: str, expected: str, got: str) -> None:
        sources = " or ".join(mirror + self.name for mirror in self.mirrors) or "its source"
        fix = f"Fetch {self.name} again from {sources}, then run {command(task)}."
        raise DataError(str(path), expected=expected, got=got, fix=fix)


def command(task: str) -> str:
    """The command that uses a folder of the user's, as messages quote it."""
    return f"`ns4d train {task} --data-dir FOLDER`"
