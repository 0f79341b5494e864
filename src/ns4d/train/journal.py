"""The record of a training: one JSON object per line, TensorBoard beside it if asked for.

Kinds of records: `epoch` (train and validation figures) and `start` (machine and versions).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from ns4d.errors import ArtefactError, ConfigError
from ns4d.storage import write_atomically

NAME = "metrics.jsonl"


class Journal:
    """Adds records to `metrics.jsonl` in the run's folder; `records` are those in it.

    Every record replaces the whole file, so that a full disk leaves no half of a line: with a
    record per epoch the file is small.

    Args:
        folder: The run's folder.
        step: Resume point; records of later steps are dropped, they will be written again.
        tensorboard: Also write TensorBoard event files (needs the package `tensorboard`).

    Raises:
        ConfigError: TensorBoard is asked for and not installed.
        ArtefactError: The file cannot be read or written, or has a damaged line.
    """

    def __init__(self, folder: Path, step: int, tensorboard: bool = False) -> None:
        self.records = [record for record in read_journal(folder) if record["step"] <= step]
        self._board = _open_board(folder) if tensorboard else None
        self._folder = folder
        write_journal(folder, self.records)

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._board is not None:
            self._board.close()

    def write(self, record: dict[str, Any]) -> None:
        """Add one record; it has a `kind` and a `step`.

        Raises:
            ArtefactError: It cannot be written; those before it are still there.
        """
        write_journal(self._folder, [*self.records, record])
        self.records.append(record)
        if self._board is not None:
            for name, value in record.items():
                if isinstance(value, (int, float)) and name != "step":
                    self._board.add_scalar(name, value, record["step"])


def write_journal(folder: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Replace the journal of a run's folder, which is made if it is not there.

    Raises:
        ArtefactError: The file system refuses; the old journal is still there.
    """
    write_atomically(folder / NAME, "".join(map(_line, records)).encode())


def epochs_of(records: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The records of whole epochs, in order."""
    return [record for record in records if record["kind"] == "epoch"]


def selected_accuracy(records: Sequence[Mapping[str, Any]]) -> float:
    """Of the epoch that was selected, on the validation part."""
    return max(epoch["validation_accuracy"] for epoch in epochs_of(records))


def read_journal(folder: Path) -> list[dict[str, Any]]:
    """All complete records of a run; a last line cut by a crash is left out.

    Raises:
        ArtefactError: The file cannot be read, or another line is no record.
    """
    path = folder / NAME
    if not path.exists():
        return []
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise _unreadable(str(path), "a readable file", error.strerror or "") from error
    records = []
    for number, line in enumerate(lines, 1):
        record = _record(line)
        if record is not None:
            records.append(record)
        elif line.strip() and number < len(lines):
            where, expected = f"{path}, line {number}", "a record with a kind and a step, as JSON"
            raise _unreadable(where, expected, repr(line[:40]))
    return records


def _record(line: bytes) -> dict[str, Any] | None:
    """The record that a line holds, if it is a whole one."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    whole = isinstance(record, dict) and "kind" in record and isinstance(record.get("step"), int)
    return record if whole else None


def _unreadable(where: str, expected: str, got: str) -> ArtefactError:
    fix = "Bring the file back as it was, or delete what is damaged: training goes on without it."
    return ArtefactError(where, expected=expected, got=got, fix=fix)


def _line(record: Mapping[str, Any]) -> str:
    return json.dumps(record) + "\n"


def _open_board(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ConfigError(
            "--tensorboard",
            expected="the package tensorboard",
            got="no such package",
            fix="Install it with `pip install tensorboard`, or leave the option out.",
        ) from error
    return SummaryWriter(str(folder))
